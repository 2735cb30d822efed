// Bytes: a borrowed run of bytes, and the fixed-width little-endian codec used by every stored
// format.
//
// Writer appends to a growing string; Reader walks borrowed bytes and never reads past their end:
// after a short read ok() is false and every further read answers zero, so a decoder checks once,
// at its end.

#pragma once

#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace trefoil {

using Bytes = std::string_view;

class Writer {
public:
    void u8(uint8_t v) { out_.push_back(static_cast<char>(v)); }
    void u16(uint16_t v) { fixed(v); }
    void u32(uint32_t v) { fixed(v); }
    void u64(uint64_t v) { fixed(v); }
    void f64(double v) { fixed(v); }
    void bytes(Bytes v) { out_.append(v); }
    // u32 length, then the bytes.
    void str(Bytes v) {
        u32(static_cast<uint32_t>(v.size()));
        bytes(v);
    }
    // u32 count, then each as str() has it.
    void strs(std::span<const std::string> all) {
        u32(static_cast<uint32_t>(all.size()));
        for (const std::string& one : all) str(one);
    }
    // Zero bytes until the size is a multiple of `alignment`.
    void align(size_t alignment) {
        out_.resize((out_.size() + alignment - 1) / alignment * alignment);
    }

    const std::string& data() const { return out_; }
    std::string take() { return std::move(out_); }
    size_t size() const { return out_.size(); }

private:
    template <typename T>
    void fixed(T v) {
        char raw[sizeof v];
        std::memcpy(raw, &v, sizeof v);
        out_.append(raw, sizeof v);
    }
    std::string out_;
};

class Reader {
public:
    explicit Reader(Bytes data) : data_(data) {}

    uint8_t u8() { return fixed<uint8_t>(); }
    uint16_t u16() { return fixed<uint16_t>(); }
    uint32_t u32() { return fixed<uint32_t>(); }
    uint64_t u64() { return fixed<uint64_t>(); }
    double f64() { return fixed<double>(); }
    // A view into the bytes that are read; it lives as long as they do.
    Bytes bytes(size_t n) {
        if (n > data_.size() - at_) {
            ok_ = false;
            at_ = data_.size();
            return {};
        }
        Bytes v = data_.substr(at_, n);
        at_ += n;
        return v;
    }
    Bytes str() { return bytes(u32()); }
    void align(size_t alignment) {
        size_t next = (at_ + alignment - 1) / alignment * alignment;
        bytes(next - at_);
    }

    bool ok() const { return ok_; }
    bool at_end() const { return at_ == data_.size(); }
    size_t position() const { return at_; }

private:
    template <typename T>
    T fixed() {
        T v{};
        Bytes raw = bytes(sizeof v);
        if (raw.size() == sizeof v) std::memcpy(&v, raw.data(), sizeof v);
        return v;
    }
    Bytes data_;
    size_t at_ = 0;
    bool ok_ = true;
};

}  // namespace trefoil
