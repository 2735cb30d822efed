// PiecewiseLinearModel: where a key is among sorted keys, nearly, from a few straight lines.
//
//     auto model = PiecewiseLinearModel::fit(keys, kDefaultEpsilon);      // sorted, distinct
//     uint64_t hint = model.predict(key);                               // off by at most epsilon
//     uint64_t at = lower_bound_from(hint, keys.size(), [&](uint64_t i) { return keys[i] < key; },
//     steps);
//
// The model is a hint. For a fitted key it is off by at most error_max(); for any other key it may
// be off by more where keys jump; if its bytes are damaged it is off by anything. It always lies in
// [0, positions()], and lower_bound_from makes the answer right in every case.
//
// A model is a view of its stored form (model_format.h): built in memory or mapped from a file, it
// is the same. Copying copies no data. Paper, changes and limits: README.md. Tested by
// piecewise_linear_test.cpp.

#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/bytes.h"
#include "learned/model_format.h"
#include "trefoil/status.h"

namespace trefoil {

// A window of 2 * 16 positions of 16 bytes is eight cache lines. Larger saves memory that nobody
// misses, smaller makes so many lines that they leave the cache.
inline constexpr uint32_t kDefaultEpsilon = 16;

class PiecewiseLinearModel {
public:
    // No keys: predicts 0.
    PiecewiseLinearModel() = default;

    // Maps keys[i] to i. REQUIRES: `keys` ascend strictly, epsilon > 0.
    static PiecewiseLinearModel fit(std::span<const uint64_t> keys,
                                    uint32_t epsilon = kDefaultEpsilon);

    // The model whose stored form is `bytes`; `owner` keeps them alive. kCorruption if its
    // structure is not that of a model; its numbers are not looked at. REQUIRES: 8-byte aligned.
    static Result<PiecewiseLinearModel> open(Bytes bytes, std::shared_ptr<const void> owner);

    // The stored form. It lives as long as any copy of this model.
    Bytes bytes() const { return bytes_; }

    // A position in [0, positions()].
    uint64_t predict(uint64_t key) const;

    uint64_t positions() const { return positions_; }
    uint64_t key_count() const { return key_count_; }
    uint32_t epsilon() const { return epsilon_; }
    // Lines of the lowest level.
    uint64_t segment_count() const { return level_count_ ? levels_[0].count : 0; }
    uint32_t level_count() const { return level_count_; }

private:
    struct Level {
        uint64_t count = 0;
        uint64_t positions = 0;
        const uint64_t* first_keys = nullptr;
        const ModelLine* lines = nullptr;  // count + 1

        uint64_t predict(uint64_t segment, uint64_t key) const;
        // The last segment whose first key is at most `key`, or 0; near `hint`, if that is any
        // good.
        uint64_t find(uint64_t hint, uint64_t key) const;
    };

    Bytes bytes_;
    std::shared_ptr<const void> owner_;
    uint64_t positions_ = 0;
    uint64_t key_count_ = 0;
    uint32_t epsilon_ = 0;
    uint32_t level_count_ = 0;
    std::array<Level, kModelLevelsMax> levels_;
};

// Fits a model in one pass, with memory for the current segment and the lines so far.
//
//     ModelFitter fitter(kDefaultEpsilon);
//     for (...) fitter.add(key, position);
//     PiecewiseLinearModel model = fitter.finish(n);
class ModelFitter {
public:
    explicit ModelFitter(uint32_t epsilon) : epsilon_(epsilon) {}

    // REQUIRES: keys ascend strictly, positions ascend, both from call to call; position < 2^48.
    void add(uint64_t key, uint64_t position);

    // The model, which predicts positions up to `positions`. Call once, last.
    PiecewiseLinearModel finish(uint64_t positions);

    // After finish(): the greatest error when every key that was added is predicted by its own
    // line.
    double error_max() const { return error_max_; }

private:
    struct Point {
        uint64_t x;
        int64_t y;
    };
    // dy / dx, exactly. dx > 0.
    struct Slope {
        uint64_t dx;
        int64_t dy;
        double value() const { return static_cast<double>(dy) / static_cast<double>(dx); }
        friend bool operator<(const Slope& a, const Slope& b) {
            return static_cast<__int128>(a.dy) * b.dx < static_cast<__int128>(b.dy) * a.dx;
        }
    };
    static Slope between(const Point& a, const Point& b) { return {b.x - a.x, b.y - a.y}; }

    void begin_segment(Point p);
    bool extend_segment(Point p);
    void end_segment();
    ModelLine line_of_segment() const;

    uint32_t epsilon_;
    uint64_t key_count_ = 0;
    double error_max_ = 0;
    std::vector<Point> points_;  // of the current segment, for the replay
    // The points that may still touch a feasible line: ceilings (y + epsilon) as a convex chain,
    // floors (y - epsilon) as a concave one; what lies before the start index is out of reach.
    std::vector<Point> ceilings_, floors_;
    size_t ceilings_start_ = 0, floors_start_ = 0;
    // The steepest feasible line leaves floors_[floors_start_], the flattest
    // ceilings_[ceilings_start_].
    Slope steepest_{1, 0}, flattest_{1, 0};
    std::vector<uint64_t> first_keys_;
    std::vector<ModelLine> lines_;
};

}  // namespace trefoil
