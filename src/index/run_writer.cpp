// RunWriter: dense or not, sections, and whether the model is worth keeping.

#include "index/run_writer.h"

#include <algorithm>
#include <cstring>

#include "base/check.h"

namespace trefoil::index {
namespace {

constexpr size_t kBufferBytes = 64 * 1024;
// A model that is worse than this is not kept.
constexpr double kErrorFactorMax = 4;
constexpr uint64_t kKeysPerSegmentMin = 16;
// Codes that tell fewer keys apart than this are not modelled.
constexpr uint64_t kKeysOfCodeMax = 64;

}  // namespace

Result<uint64_t> MemorySink::append(Bytes data) {
    size_t offset = size_ = (size_ + 63) / 64 * 64;
    RETURN_IF_ERROR(extend(data));
    return static_cast<uint64_t>(offset);
}

Status MemorySink::extend(Bytes data) {
    if (data.empty()) return {};
    size_t lines = (size_ + data.size() + 63) / 64;
    if (lines > lines_.capacity()) {
        lines_.reserve(std::max({lines, lines_.capacity() * 3 / 2, expected_ / 64}));
    }
    lines_.resize(lines);
    std::memcpy(lines_.front().bytes + size_, data.data(), data.size());
    size_ += data.size();
    return {};
}

Bytes MemorySink::read(uint64_t offset, uint64_t length) const {
    CHECK(offset + length <= size_);
    return {reinterpret_cast<const char*>(lines_.data()) + offset, length};
}

Status Spool::spill() {
    if (!file_) {
        ASSIGN_OR_RETURN(file_, sink_.scratch());
        if (!file_) return {};
    }
    RETURN_IF_ERROR(file_->write(spilled_, buffer_));
    spilled_ += buffer_.size();
    buffer_.clear();
    return {};
}

Status Spool::replay(const std::function<Status(Bytes)>& use) const {
    std::string piece(spilled_ ? kBytes : 0, '\0');
    for (uint64_t at = 0; at < spilled_; at += piece.size()) {
        ASSIGN_OR_RETURN(size_t got, file_->read(at, piece));
        if (got != piece.size()) return Status::corruption("a scratch file has become shorter");
        RETURN_IF_ERROR(use(piece));
    }
    return use(buffer_);
}

RunWriter::RunWriter(RunSink& sink, KeyShape shape, const PrefixRanges& ranges)
    : sink_(sink), entries_(sink), codes_(sink), firsts_(sink) {
    directory_.shape = shape;
    if (shape == KeyShape::kBytes) {
        directory_.ranges = ranges;
        code_ = PrefixCode(ranges);
    }
}

// --- Sections
// ---------------------------------------------------------------------------------------

Status RunWriter::put(RunSection* section, Bytes data) {
    buffer_.append(data);
    return buffer_.size() < kBufferBytes ? Status() : flush(section);
}

Status RunWriter::flush(RunSection* section) {
    if (buffer_.empty()) return {};
    if (section->length == 0) {
        ASSIGN_OR_RETURN(section->offset, sink_.append(buffer_));
    } else {
        RETURN_IF_ERROR(sink_.extend(buffer_));
    }
    section->length += buffer_.size();
    buffer_.clear();
    return {};
}

Status RunWriter::write_model(uint64_t positions) {
    PiecewiseLinearModel model = fitter_.finish(positions);
    uint64_t segments_max = std::max<uint64_t>(1, model.key_count() / kKeysPerSegmentMin);
    if (fitter_.error_max() > kErrorFactorMax * kDefaultEpsilon ||
        model.segment_count() > segments_max) {
        directory_.model_use = ModelUse::kIrregular;
        return {};
    }
    directory_.model_use = ModelUse::kModel;
    RETURN_IF_ERROR(put(&directory_.model, model.bytes()));
    return flush(&directory_.model);
}

// --- Integer keys
// -----------------------------------------------------------------------------------

Status RunWriter::add_integer(uint64_t key, uint64_t row_id) {
    RunDirectory& d = directory_;
    if (d.entry_count == 0) {
        d.key_min = key;
        d.dense_row_id = row_id;
    } else {
        CHECK(key > last_integer_ || (key == last_integer_ && row_id >= last_row_id_));
        if (dense_ &&
            (key - d.key_min != d.entry_count || row_id - d.dense_row_id != d.entry_count)) {
            RETURN_IF_ERROR(leave_dense());
        }
    }
    if (!dense_) RETURN_IF_ERROR(put_integer(key, row_id));
    if (d.entry_count == 0 || key != last_integer_) ++d.distinct_keys;
    ++d.entry_count;
    d.key_max = last_integer_ = key;
    last_row_id_ = row_id;
    return {};
}

// Adds entry number directory_.entry_count to the section and to the model.
Status RunWriter::put_integer(uint64_t key, uint64_t row_id) {
    if (directory_.entry_count == 0 || key != last_integer_) {
        fitter_.add(key, directory_.entry_count);
    }
    IntegerEntry entry{key, row_id};
    return put(&directory_.entries, {reinterpret_cast<const char*>(&entry), sizeof entry});
}

Status RunWriter::leave_dense() {
    dense_ = false;
    uint64_t count = directory_.entry_count;
    for (directory_.entry_count = 0; directory_.entry_count < count; ++directory_.entry_count) {
        uint64_t i = directory_.entry_count;
        last_integer_ = directory_.key_min + i - 1;
        RETURN_IF_ERROR(put_integer(directory_.key_min + i, directory_.dense_row_id + i));
    }
    last_integer_ = directory_.key_min + count - 1;
    return {};
}

Status RunWriter::finish_integers() {
    if (directory_.entry_count == 0) return {};
    if (dense_) {
        directory_.form = RunForm::kDense;
        return {};
    }
    directory_.dense_row_id = 0;
    RETURN_IF_ERROR(flush(&directory_.entries));
    return write_model(directory_.entry_count);
}

// --- Byte keys
// --------------------------------------------------------------------------------------

Status RunWriter::add_bytes(Bytes key, uint64_t row_id) {
    RunDirectory& d = directory_;
    uint64_t code = code_.encode(key);
    bool new_key = d.entry_count == 0 || key != last_bytes_;
    CHECK(d.entry_count == 0 || key > last_bytes_ || (!new_key && row_id >= last_row_id_));
    if (d.code_count == 0 || code != last_code_) {
        CHECK(d.code_count == 0 || code > last_code_);
        RETURN_IF_ERROR(codes_.put(code));
        RETURN_IF_ERROR(firsts_.put(d.entry_count));
        last_code_ = code;
        ++d.code_count;
        keys_of_code_ = 0;
    }
    if (new_key) {
        ++d.distinct_keys;
        keys_of_code_max_ = std::max(keys_of_code_max_, ++keys_of_code_);
        last_bytes_.assign(key);
    }
    RETURN_IF_ERROR(entries_.put(BytesEntry{d.blob.length + buffer_.size(), row_id}));
    ++d.entry_count;
    last_row_id_ = row_id;
    return put(&d.blob, key);
}

Status RunWriter::put_all(RunSection* section, const Spool& items) {
    RETURN_IF_ERROR(items.replay([&](Bytes piece) { return put(section, piece); }));
    return flush(section);
}

Status RunWriter::finish_bytes() {
    RunDirectory& d = directory_;
    RETURN_IF_ERROR(flush(&d.blob));
    RETURN_IF_ERROR(entries_.put(BytesEntry{d.blob.length, 0}));
    RETURN_IF_ERROR(put_all(&d.entries, entries_));
    RETURN_IF_ERROR(put_all(&d.codes, codes_));
    if (d.code_count < d.entry_count) {
        RETURN_IF_ERROR(firsts_.put(d.entry_count));
        RETURN_IF_ERROR(put_all(&d.firsts, firsts_));
    }
    if (d.entry_count == 0) return {};
    if (d.code_count * 2 < d.distinct_keys || keys_of_code_max_ > kKeysOfCodeMax) {
        d.model_use = ModelUse::kPrefixesCollide;
        return {};
    }
    uint64_t position = 0;
    RETURN_IF_ERROR(codes_.replay([&](Bytes piece) -> Status {
        for (size_t at = 0; at < piece.size(); at += sizeof(uint64_t)) {
            uint64_t code;
            std::memcpy(&code, piece.data() + at, sizeof code);
            fitter_.add(code, position++);
        }
        return {};
    }));
    return write_model(d.code_count);
}

Result<RunDirectory> RunWriter::finish() {
    RETURN_IF_ERROR(directory_.shape == KeyShape::kInteger ? finish_integers() : finish_bytes());
    return directory_;
}

KeyRunPtr run_in_memory(KeyShape shape, const PrefixRanges& ranges, size_t bytes,
                        const std::function<Status(RunWriter&)>& write) {
    auto sink = std::make_shared<MemorySink>(bytes);
    RunWriter writer(*sink, shape, ranges);
    CHECK(write(writer).ok());
    Result<RunDirectory> directory = writer.finish();
    CHECK(directory.ok());
    auto read = [&](uint64_t offset, uint64_t length) -> Result<Bytes> {
        return sink->read(offset, length);
    };
    auto run = KeyRun::over_sections(*directory, read, sink);
    CHECK(run.ok());
    return std::move(run).value();
}

}  // namespace trefoil::index
