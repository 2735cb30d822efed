// PrefixCode: collecting the ranges, choosing the digits, reading keys.

#include "index/prefix_code.h"

#include <algorithm>
#include <cstddef>
#include <cstring>

namespace trefoil::index {

void PrefixRanges::observe(Bytes key) {
    auto size = static_cast<uint32_t>(std::min<size_t>(key.size(), kPrefixWindowMax));
    if (size > window_) {
        std::memset(low_.data() + window_, 0xff, size - window_);
        std::memset(high_.data() + window_, 0, size - window_);
        window_ = size;
    }
    shortest_ = std::min(shortest_, size);
    for (uint32_t i = 0; i < size; ++i) {
        auto byte = static_cast<uint8_t>(key[i]);
        low_[i] = std::min(low_[i], byte);
        high_[i] = std::max(high_[i], byte);
    }
}

void PrefixRanges::merge(const PrefixRanges& other) {
    for (uint32_t i = 0; i < other.window_; ++i) {
        low_[i] = i < window_ ? std::min(low_[i], other.low_[i]) : other.low_[i];
        high_[i] = i < window_ ? std::max(high_[i], other.high_[i]) : other.high_[i];
    }
    window_ = std::max(window_, other.window_);
    shortest_ = std::min(shortest_, other.shortest_);
}

void PrefixRanges::encode(Writer& out) const {
    out.u32(shortest_);
    out.u32(window_);
    out.bytes({reinterpret_cast<const char*>(low_.data()), window_});
    out.bytes({reinterpret_cast<const char*>(high_.data()), window_});
}

bool PrefixRanges::decode(Reader& in, PrefixRanges* out) {
    out->shortest_ = in.u32();
    out->window_ = in.u32();
    if (out->window_ > kPrefixWindowMax) return false;
    Bytes low = in.bytes(out->window_), high = in.bytes(out->window_);
    if (!in.ok()) return false;
    std::memcpy(out->low_.data(), low.data(), low.size());
    std::memcpy(out->high_.data(), high.data(), high.size());
    for (uint32_t i = 0; i < out->window_; ++i) {
        if (out->low_[i] > out->high_[i]) return false;
    }
    return true;
}

PrefixCode::PrefixCode(const PrefixRanges& ranges) {
    std::vector<Digit> digits;
    unsigned __int128 codes = 1;
    size_t used = 0;
    for (uint32_t i = 0; i < ranges.window_; ++i) {
        // Where a key has ended, zeros are read.
        uint8_t low = i < ranges.shortest_ ? ranges.low_[i] : 0;
        uint8_t span = ranges.high_[i] - low;
        codes *= span + 1u;
        if (codes > static_cast<unsigned __int128>(~uint64_t{0}) + 1) break;
        digits.push_back({0, low, span});
        if (span > 0) used = digits.size();
    }
    digits.resize(used);
    size_t head = 0;
    for (; head < used && digits[head].span == 0; ++head) {
        head_.push_back(static_cast<char>(digits[head].low));
    }
    digits_.assign(digits.begin() + static_cast<std::ptrdiff_t>(head), digits.end());
    uint64_t rest = 1;
    for (size_t i = digits_.size(); i-- > 0;) {
        rest *= digits_[i].span + 1u;  // 2^64 becomes 0: then all codes before this digit are 0
        digits_[i].rest = rest;
    }
}

PrefixCode::Place PrefixCode::place(Bytes key) const {
    size_t shared = std::min(key.size(), head_.size());
    int order = shared > 0 ? std::memcmp(key.data(), head_.data(), shared) : 0;
    if (order < 0) return {Where::kBefore, 0};
    if (order > 0) return {Where::kAfter, ~uint64_t{0}};
    for (size_t i = shared; i < head_.size(); ++i) {
        if (head_[i] != 0) return {Where::kBefore, 0};
    }
    uint64_t code = 0;
    size_t at = head_.size();
    for (const Digit& digit : digits_) {
        int value = (at < key.size() ? static_cast<uint8_t>(key[at]) : 0) - digit.low;
        ++at;
        if (value < 0) return {Where::kBefore, code * digit.rest};
        if (value > digit.span) return {Where::kAfter, (code + 1) * digit.rest - 1};
        code = code * (digit.span + 1u) + static_cast<uint64_t>(value);
    }
    return {Where::kAt, code};
}

}  // namespace trefoil::index
