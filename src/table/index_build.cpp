// Building an index: sorted pieces from several threads, merged into a file.

#include "table/index_build.h"

#include <algorithm>
#include <atomic>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "base/check.h"
#include "table/keyed_rows.h"

namespace trefoil::table {
namespace {

// Rows between two looks at the clock of others: whether it is cancelled, whether a piece is full.
constexpr uint32_t kRowsPerStep = 8192;
// A piece is sorted in one go, which nothing interrupts, so it is not larger than this.
constexpr size_t kPieceBytesMax = size_t{32} << 20;
constexpr uint64_t kShareBytesMin = uint64_t{4} << 20;

Result<std::vector<const arrow::Array*>> key_columns(const Chunk& chunk,
                                                     const catalog::IndexDef& index) {
    std::vector<const arrow::Array*> columns;
    for (uint32_t position : index.columns) {
        ASSIGN_OR_RETURN(const arrow::Array* column, chunk.column(position));
        columns.push_back(column);
    }
    return columns;
}

class RunBuild {
public:
    RunBuild(Store& store, const TableVersion& table, size_t index, std::span<const Part> segments,
             const IndexWork& work)
        : store_(store),
          table_(table),
          index_(index),
          segments_(segments),
          work_(work),
          threads_(std::clamp<size_t>(work.threads, 1, segments.size())),
          share_(work.memory, work.memory_bytes, kShareBytesMin),
          piece_bytes_(std::min(kPieceBytesMax, share_.bytes() / (2 * threads_))) {}

    Result<index::KeyRunPtr> run();

private:
    void run_thread();
    Status collect(const Part& part, std::unique_ptr<index::KeyRunBuilder>& piece);
    Status hand_over(std::unique_ptr<index::KeyRunBuilder>& piece);
    Status spill();

    Store& store_;
    const TableVersion& table_;
    const size_t index_;
    std::span<const Part> segments_;
    const IndexWork& work_;
    const size_t threads_;
    MemoryShare share_;
    const size_t piece_bytes_;  // that a thread may hold
    std::atomic<size_t> next_{0};
    std::atomic<bool> failed_{false};

    std::mutex mutex_;  // guards what follows
    std::vector<index::RunSource> in_memory_, in_scratch_;
    uint64_t held_bytes_ = 0;  // by those in memory; the other half of the share is theirs
    uint64_t entries_ = 0;
    Status error_;
};

Result<index::KeyRunPtr> RunBuild::run() {
    if (share_.bytes() == 0) {
        return Status(Code::kIo, "53200", "out of memory: nothing is left to build an index in")
            .with_hint("Try again when fewer queries run, or raise memory_limit.");
    }
    std::vector<std::jthread> threads;
    for (size_t i = 1; i < threads_; i++) threads.emplace_back([this] { run_thread(); });
    run_thread();
    threads.clear();
    RETURN_IF_ERROR(error_);
    if (entries_ == 0) return index::KeyRunPtr();
    work_.enter(IndexProgress::Phase::kWriting, entries_);
    std::vector<index::RunSource> sources = std::move(in_scratch_);
    sources.insert(sources.end(), in_memory_.begin(), in_memory_.end());
    in_memory_.clear();
    return index::merge_to_file(
        store_, sources, [](uint64_t) { return true; },
        [&](uint64_t entries) { return work_.advance(entries); });
}

void RunBuild::run_thread() {
    std::unique_ptr<index::KeyRunBuilder> piece;
    Status status;
    for (size_t i = next_++; i < segments_.size() && status.ok() && !failed_; i = next_++) {
        status = collect(segments_[i], piece);
    }
    if (status.ok() && piece) status = hand_over(piece);
    if (status.ok()) return;
    failed_ = true;
    std::lock_guard lock(mutex_);
    if (error_.ok()) error_ = std::move(status);
}

// The keys of the part's live rows -> their ids.
Status RunBuild::collect(const Part& part, std::unique_ptr<index::KeyRunBuilder>& piece) {
    ASSIGN_OR_RETURN(auto columns, key_columns(*part.chunk, table_.index_def(index_)));
    ASSIGN_OR_RETURN(RowFilter filter, RowFilter::make(table_.index_def(index_), *part.chunk));
    const index::KeyEncoder& encoder = table_.encoder(index_);
    const RowIds& ids = part.chunk->row_ids();
    index::Key key;
    for (uint64_t begin = 0; begin < ids.count(); begin += kRowsPerStep) {
        const uint64_t end = std::min<uint64_t>(begin + kRowsPerStep, ids.count());
        if (!piece) piece = std::make_unique<index::KeyRunBuilder>(encoder.shape());
        for (uint64_t row = begin; row < end; row++) {
            if (part.is_dead(row) || !filter.takes(static_cast<int64_t>(row))) continue;
            encoder.encode(columns, static_cast<int64_t>(row), &key);
            piece->add(key, ids.at(row));
        }
        RETURN_IF_ERROR(work_.advance(end - begin));
        if (piece->memory_bytes() >= piece_bytes_) RETURN_IF_ERROR(hand_over(piece));
    }
    return {};
}

Status RunBuild::hand_over(std::unique_ptr<index::KeyRunBuilder>& piece) {
    index::KeyRunPtr run = piece->finish();
    piece.reset();
    std::lock_guard lock(mutex_);
    if (run->size() == 0) return {};
    entries_ += run->size();
    held_bytes_ += run->memory_bytes();
    in_memory_.push_back({std::move(run), 0});
    return held_bytes_ * 2 > share_.bytes() ? spill() : Status();
}

// The other threads wait meanwhile, so that they hold no more than their part.
Status RunBuild::spill() {
    ASSIGN_OR_RETURN(auto run, index::merge_to_scratch(store_, in_memory_,
                                                       [&](uint64_t) { return work_.advance(0); }));
    in_scratch_.push_back({std::move(run), 0});
    in_memory_.clear();
    held_bytes_ = 0;
    return {};
}

}  // namespace

std::vector<Part> segments_of(const TableVersion& table) {
    std::vector<Part> all(table.base().begin(), table.base().end());
    all.insert(all.end(), table.patches().begin(), table.patches().end());
    return all;
}

Result<index::KeyRunPtr> build_run(Store& store, const TableVersion& table, size_t index,
                                   std::span<const Part> segments, const IndexWork& work) {
    if (segments.empty()) return index::KeyRunPtr();
    uint64_t rows = 0;
    for (const Part& p : segments) rows += p.chunk->rows();
    work.enter(IndexProgress::Phase::kScanning, rows);
    return RunBuild(store, table, index, segments, work).run();
}

index::KeyRunPtr staged_entries(const TableVersion& table, size_t index) {
    std::vector<index::RunSource> sources = {
        {index::KeyRunBuilder(table.encoder(index).shape()).finish(), 0}};
    for (const Part& p : table.delta()) {
        if (!p.chunk->files()) continue;
        sources.push_back({p.chunk->keys()[index], p.chunk->row_ids().first() - kPrivateRowId});
    }
    return index::merge_in_memory(sources, [](uint64_t) { return true; });
}

}  // namespace trefoil::table
