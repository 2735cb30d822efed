// RunWriter: turns sorted entries into the sections and the directory of a key run, in one pass.
//
// Integer keys are not even stored as long as they are dense (each key and each row id one more
// than the last): only at the first that is not, the entries so far are written after all. The
// model is fitted as entries pass. Of byte keys the keys go out at once; entries and codes wait in
// a Spool, because sections are written one after the other. Private to this room.

#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "index/key_run.h"
#include "learned/piecewise_linear.h"
#include "storage/vfs.h"

namespace trefoil::index {

// Where sections go: a file, or memory.
class RunSink {
public:
    virtual ~RunSink() = default;
    // Begins a section, 64-byte aligned; the answer is its offset.
    virtual Result<uint64_t> append(Bytes data) = 0;
    // Goes on with the section that was begun last.
    virtual Status extend(Bytes data) = 0;
    // Where what waits for its section may lie; null: it stays in memory.
    virtual Result<std::unique_ptr<VfsFile>> scratch() { return std::unique_ptr<VfsFile>(); }
};

// Bytes that wait until their section may be written: beyond a MiB in a scratch file.
class Spool {
public:
    explicit Spool(RunSink& sink) : sink_(sink) {}
    template <typename T>
    Status put(const T& item) {
        buffer_.append(reinterpret_cast<const char*>(&item), sizeof item);
        return buffer_.size() < kBytes ? Status() : spill();
    }
    // All of them in order, in pieces of whole items.
    Status replay(const std::function<Status(Bytes)>& use) const;

private:
    static constexpr size_t kBytes = 1 << 20;  // items of 8 or 16 bytes fit evenly
    Status spill();

    RunSink& sink_;
    std::string buffer_;
    std::unique_ptr<VfsFile> file_;
    uint64_t spilled_ = 0;
};

class MemorySink final : public RunSink {
public:
    // The first append() makes room for so much.
    explicit MemorySink(size_t bytes) : expected_(bytes) {}
    Result<uint64_t> append(Bytes data) override;
    Status extend(Bytes data) override;
    Bytes read(uint64_t offset, uint64_t length) const;

private:
    struct alignas(64) Line {
        char bytes[64];
    };
    std::vector<Line> lines_;
    size_t size_ = 0;
    size_t expected_;
};

class RunWriter {
public:
    // `ranges` cover every key that will be added (shape kBytes).
    RunWriter(RunSink& sink, KeyShape shape, const PrefixRanges& ranges);

    // REQUIRES: called in order of key, then row id.
    Status add_integer(uint64_t key, uint64_t row_id);
    Status add_bytes(Bytes key, uint64_t row_id);

    // Writes what is left. Call once, last.
    Result<RunDirectory> finish();

private:
    Status leave_dense();
    Status put_integer(uint64_t key, uint64_t row_id);
    Status put(RunSection* section, Bytes data);
    Status flush(RunSection* section);
    Status finish_integers();
    Status finish_bytes();
    Status put_all(RunSection* section, const Spool& items);
    Status write_model(uint64_t positions);

    RunSink& sink_;
    RunDirectory directory_;
    PrefixCode code_;
    std::string buffer_;  // of the section that is being written
    bool dense_ = true;
    uint64_t last_integer_ = 0, last_row_id_ = 0;
    std::string last_bytes_;
    ModelFitter fitter_{kDefaultEpsilon};
    // Shape kBytes.
    Spool entries_, codes_, firsts_;
    uint64_t last_code_ = 0;
    uint64_t keys_of_code_ = 0, keys_of_code_max_ = 0;
};

// The run in memory of what `write` adds; about `bytes` long.
KeyRunPtr run_in_memory(KeyShape shape, const PrefixRanges& ranges, size_t bytes,
                        const std::function<Status(RunWriter&)>& write);

}  // namespace trefoil::index
