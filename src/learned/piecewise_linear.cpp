// PiecewiseLinearModel: prediction, and the levels of the stored form. Fitting is in
// model_fitter.cpp.

#include "learned/piecewise_linear.h"

#include <algorithm>
#include <cstring>

#include "base/check.h"
#include "learned/last_mile.h"

namespace trefoil {

PiecewiseLinearModel PiecewiseLinearModel::fit(std::span<const uint64_t> keys, uint32_t epsilon) {
    ModelFitter fitter(epsilon);
    for (size_t i = 0; i < keys.size(); ++i) fitter.add(keys[i], i);
    return fitter.finish(keys.size());
}

Result<PiecewiseLinearModel> PiecewiseLinearModel::open(Bytes bytes,
                                                        std::shared_ptr<const void> owner) {
    CHECK(reinterpret_cast<uintptr_t>(bytes.data()) % 8 == 0);
    Reader reader(bytes);
    uint64_t magic = reader.u64();
    PiecewiseLinearModel model;
    model.positions_ = reader.u64();
    model.epsilon_ = reader.u32();
    model.level_count_ = reader.u32();
    model.key_count_ = reader.u64();
    if (!reader.ok() || magic != kModelMagic || model.level_count_ > kModelLevelsMax) {
        return Status::corruption("not a piecewise-linear model");
    }
    std::array<uint64_t, kModelLevelsMax> counts;
    for (uint64_t& count : counts) count = reader.u64();
    uint64_t positions = model.positions_;
    for (uint32_t l = 0; l < model.level_count_; ++l) {
        // The size of a level is bounded before it is multiplied.
        if (counts[l] == 0 || counts[l] > bytes.size()) {
            return Status::corruption("a piecewise-linear model has a level of a wrong size");
        }
        Bytes keys = reader.bytes(8 * counts[l]);
        Bytes lines = reader.bytes(sizeof(ModelLine) * (counts[l] + 1));
        model.levels_[l] = {counts[l], positions, reinterpret_cast<const uint64_t*>(keys.data()),
                            reinterpret_cast<const ModelLine*>(lines.data())};
        positions = counts[l];
    }
    if (!reader.ok() || !reader.at_end()) {
        return Status::corruption("a piecewise-linear model is cut short or too long");
    }
    model.bytes_ = bytes;
    model.owner_ = std::move(owner);
    return model;
}

uint64_t PiecewiseLinearModel::Level::predict(uint64_t segment, uint64_t key) const {
    const ModelLine& line = lines[segment];
    uint64_t first = first_keys[segment];
    double distance = key > first ? static_cast<double>(key - first) : 0.0;
    double position = std::min(line.base + line.slope * distance, lines[segment + 1].base);
    // Written so that a NaN, which only damage can bring, becomes 0.
    if (!(position > 0)) return 0;
    if (position >= static_cast<double>(positions)) return positions;
    return static_cast<uint64_t>(position);
}

uint64_t PiecewiseLinearModel::Level::find(uint64_t hint, uint64_t key) const {
    uint64_t steps = 0;
    uint64_t after =
        lower_bound_from(hint, count, [&](uint64_t i) { return first_keys[i] <= key; }, steps);
    return after == 0 ? 0 : after - 1;
}

uint64_t PiecewiseLinearModel::predict(uint64_t key) const {
    if (level_count_ == 0) return 0;
    uint32_t l = level_count_ - 1;
    uint64_t hint = levels_[l].count / 2;
    for (;; --l) {
        uint64_t segment = levels_[l].find(hint, key);
        hint = levels_[l].predict(segment, key);
        if (l == 0) return hint;
    }
}

}  // namespace trefoil
