// Merging runs: a heap of cursors, one entry out at a time.

#include <algorithm>
#include <vector>

#include "base/check.h"
#include "index/run_writer.h"
#include "storage/data_file.h"

namespace trefoil::index {
namespace {

struct IntegerTraits {
    using KeyView = uint64_t;
    static KeyView key(const KeyRun& run, uint64_t i) { return run.integer_key(i); }
    static Status add(RunWriter& w, KeyView key, uint64_t row_id) {
        return w.add_integer(key, row_id);
    }
};

struct BytesTraits {
    using KeyView = Bytes;
    static KeyView key(const KeyRun& run, uint64_t i) { return run.bytes_key(i); }
    static Status add(RunWriter& w, KeyView key, uint64_t row_id) {
        return w.add_bytes(key, row_id);
    }
};

template <typename Traits>
struct Cursor {
    typename Traits::KeyView key;
    uint64_t row_id;
    const RunSource* source;
    uint64_t position;

    // False at the end.
    bool load() {
        const KeyRun& run = *source->run;
        if (position == run.size()) return false;
        key = Traits::key(run, position);
        row_id = source->row_id_base + run.row_id(position);
        return true;
    }
    bool operator<(const Cursor& other) const {
        return key != other.key ? key < other.key : row_id < other.row_id;
    }
};

// Restores the heap (least cursor first) after its first element has grown.
template <typename C>
void sift_down(std::vector<C>& heap) {
    size_t at = 0;
    while (true) {
        size_t child = 2 * at + 1;
        if (child >= heap.size()) return;
        if (child + 1 < heap.size() && heap[child + 1] < heap[child]) ++child;
        if (!(heap[child] < heap[at])) return;
        std::swap(heap[at], heap[child]);
        at = child;
    }
}

constexpr uint64_t kEntriesPerPulse = 16384;

template <typename Traits>
Status merge(std::span<const RunSource> sources, const KeepRow& keep, RunWriter& writer,
             const Pulse& pulse) {
    std::vector<Cursor<Traits>> heap;
    for (const RunSource& source : sources) {
        Cursor<Traits> cursor{{}, 0, &source, 0};
        if (cursor.load()) heap.push_back(cursor);
    }
    std::sort(heap.begin(), heap.end());  // a sorted array is a heap
    typename Traits::KeyView last_key{};
    uint64_t last_row_id = 0;
    bool first = true;
    uint64_t entries = 0;
    while (!heap.empty()) {
        if (++entries % kEntriesPerPulse == 0 && pulse) RETURN_IF_ERROR(pulse(kEntriesPerPulse));
        Cursor<Traits>& least = heap.front();
        if (first || least.row_id != last_row_id || least.key != last_key) {
            first = false;
            last_key = least.key;
            last_row_id = least.row_id;
            if (keep(last_row_id)) RETURN_IF_ERROR(Traits::add(writer, last_key, last_row_id));
        }
        ++least.position;
        if (!least.load()) {
            least = heap.back();
            heap.pop_back();
        }
        sift_down(heap);
    }
    return pulse ? pulse(entries % kEntriesPerPulse) : Status();
}

Status merge_into(std::span<const RunSource> sources, const KeepRow& keep, RunWriter& writer,
                  const Pulse& pulse = {}) {
    return sources[0].run->shape() == KeyShape::kInteger
               ? merge<IntegerTraits>(sources, keep, writer, pulse)
               : merge<BytesTraits>(sources, keep, writer, pulse);
}

PrefixRanges ranges_of(std::span<const RunSource> sources) {
    CHECK(!sources.empty());
    PrefixRanges ranges;
    for (const RunSource& source : sources) {
        CHECK(source.run->shape() == sources[0].run->shape());
        if (source.run->size() > 0) ranges.merge(source.run->prefix_ranges());
    }
    return ranges;
}

class FileSink final : public RunSink {
public:
    FileSink(Store& store, FileWriter& file) : store_(store), file_(file) {}
    Result<uint64_t> append(Bytes data) override { return file_.append(data); }
    Status extend(Bytes data) override { return file_.extend(data); }
    Result<std::unique_ptr<VfsFile>> scratch() override { return store_.create_scratch(); }

private:
    Store& store_;
    FileWriter& file_;
};

class ScratchSink final : public RunSink {
public:
    ScratchSink(Store& store, VfsFile& file) : store_(store), file_(file) {}
    Result<uint64_t> append(Bytes data) override {
        const uint64_t offset = size_ = (size_ + 63) / 64 * 64;
        RETURN_IF_ERROR(extend(data));
        return offset;
    }
    Status extend(Bytes data) override {
        RETURN_IF_ERROR(file_.write(size_, data));
        size_ += data.size();
        return {};
    }
    Result<std::unique_ptr<VfsFile>> scratch() override { return store_.create_scratch(); }

private:
    Store& store_;
    VfsFile& file_;
    uint64_t size_ = 0;
};

}  // namespace

KeyRunPtr merge_in_memory(std::span<const RunSource> sources, const KeepRow& keep) {
    size_t bytes = 512;
    for (const RunSource& source : sources) bytes += source.run->memory_bytes();
    return run_in_memory(sources[0].run->shape(), ranges_of(sources), bytes,
                         [&](RunWriter& writer) { return merge_into(sources, keep, writer); });
}

Result<KeyRunPtr> merge_to_file(Store& store, std::span<const RunSource> sources,
                                const KeepRow& keep, const Pulse& pulse) {
    ASSIGN_OR_RETURN(std::unique_ptr<FileWriter> file, store.create_file(FileKind::kIndexRun));
    FileSink sink(store, *file);
    RunWriter writer(sink, sources[0].run->shape(), ranges_of(sources));
    RETURN_IF_ERROR(merge_into(sources, keep, writer, pulse));
    ASSIGN_OR_RETURN(RunDirectory directory, writer.finish());
    RETURN_IF_ERROR(file->finish(directory.encode()));
    ASSIGN_OR_RETURN(auto opened, store.open_file(FileKind::kIndexRun, file->id()));
    return KeyRun::open(std::move(opened));
}

Result<KeyRunPtr> merge_to_scratch(Store& store, std::span<const RunSource> sources,
                                   const Pulse& pulse) {
    ASSIGN_OR_RETURN(std::unique_ptr<VfsFile> file, store.create_scratch());
    ScratchSink sink(store, *file);
    RunWriter writer(sink, sources[0].run->shape(), ranges_of(sources));
    RETURN_IF_ERROR(merge_into(sources, [](uint64_t) { return true; }, writer, pulse));
    ASSIGN_OR_RETURN(RunDirectory directory, writer.finish());
    ASSIGN_OR_RETURN(std::shared_ptr<const FileMap> map, file->map());
    auto read = [&](uint64_t offset, uint64_t length) -> Result<Bytes> {
        return map->bytes().substr(offset, length);
    };
    ASSIGN_OR_RETURN(auto run, KeyRun::over_sections(directory, read, map));
    return KeyRunPtr(std::move(run));
}

}  // namespace trefoil::index
