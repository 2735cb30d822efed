// DistinctSketch: exact while small, HyperLogLog beyond.

#include "arrow/distinct_sketch.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <limits>

namespace trefoil::arrow {
namespace {

constexpr int kRankMax = 64 - DistinctSketch::kRegisterBits + 1;

// The two sums of Ertl's estimator: over empty registers, and over those at their limit.
double sigma(double x) {
    if (x == 1) return std::numeric_limits<double>::infinity();
    double y = 1, z = x, before;
    do {
        x *= x;
        before = z;
        z += x * y;
        y += y;
    } while (z != before);
    return z;
}

double tau(double x) {
    if (x == 0 || x == 1) return 0;
    double y = 1, z = 1 - x, before;
    do {
        x = std::sqrt(x);
        before = z;
        y *= 0.5;
        z -= (1 - x) * (1 - x) * y;
    } while (z != before);
    return z / 3;
}

}  // namespace

void DistinctSketch::add_register(uint64_t hash) {
    const size_t at = hash >> (64 - kRegisterBits);
    // The lowest bit ends the run of zeros at the latest, so that the rank stays within its limit.
    const uint64_t rest = hash << kRegisterBits | uint64_t{1} << (kRegisterBits - 1);
    const auto rank = static_cast<uint8_t>(std::countl_zero(rest) + 1);
    registers_[at] = std::max(registers_[at], rank);
}

void DistinctSketch::spill() {
    registers_.assign(kRegisters, 0);
    for (uint64_t h : hashes_) add_register(h);
    hashes_ = {};
}

void DistinctSketch::add_hash(uint64_t hash) {
    if (!is_exact()) return add_register(hash);
    auto at = std::lower_bound(hashes_.begin(), hashes_.end(), hash);
    if (at != hashes_.end() && *at == hash) return;
    hashes_.insert(at, hash);
    if (hashes_.size() > kExactMax) spill();
}

void DistinctSketch::merge(const DistinctSketch& other) {
    if (other.is_exact()) {
        for (uint64_t h : other.hashes_) add_hash(h);
        return;
    }
    if (is_exact()) spill();
    for (size_t i = 0; i < kRegisters; i++) {
        registers_[i] = std::max(registers_[i], other.registers_[i]);
    }
}

uint64_t DistinctSketch::estimate() const {
    if (is_exact()) return hashes_.size();
    std::array<double, kRankMax + 1> count{};
    for (uint8_t r : registers_) count[r]++;
    constexpr auto m = static_cast<double>(kRegisters);
    double z = m * tau(1 - count[kRankMax] / m);
    for (int k = kRankMax - 1; k >= 1; k--) z = 0.5 * (z + count[static_cast<size_t>(k)]);
    z += m * sigma(count[0] / m);
    return static_cast<uint64_t>(std::llround(m / (2 * std::log(2.0)) * m / z));
}

std::string DistinctSketch::serialise() const {
    Writer out;
    out.u8(is_exact() ? 0 : 1);
    if (is_exact()) {
        out.u16(static_cast<uint16_t>(hashes_.size()));
        for (uint64_t h : hashes_) out.u64(h);
    } else {
        out.bytes({reinterpret_cast<const char*>(registers_.data()), registers_.size()});
    }
    return out.take();
}

Result<DistinctSketch> DistinctSketch::deserialise(Bytes data) {
    const Status malformed = Status::corruption("a distinct sketch is malformed");
    Reader in(data);
    DistinctSketch sketch;
    const uint8_t kind = in.u8();
    if (kind == 0) {
        const uint16_t n = in.u16();
        if (n > kExactMax) return malformed;
        for (uint16_t i = 0; i < n; i++) sketch.hashes_.push_back(in.u64());
        for (size_t i = 1; i < n; i++) {
            if (sketch.hashes_[i - 1] >= sketch.hashes_[i]) return malformed;
        }
    } else if (kind == 1) {
        Bytes registers = in.bytes(kRegisters);
        sketch.registers_.assign(registers.begin(), registers.end());
        for (uint8_t r : sketch.registers_) {
            if (r > kRankMax) return malformed;
        }
    }
    if (kind > 1 || !in.ok() || !in.at_end()) return malformed;
    return sketch;
}

}  // namespace trefoil::arrow
