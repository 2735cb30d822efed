// ModelFitter: the fewest lines that pass within epsilon of every point, in one pass.
//
// Seen from a line, each point (key, position) is a gate: a floor at position - epsilon and a
// ceiling at position + epsilon. A segment goes on as long as one line passes through all its
// gates. Of all such lines two matter: the steepest, which touches an early floor and a later
// ceiling, and the flattest, which touches an early ceiling and a later floor.
//
//           ceiling  o        . o   steepest
//                       . '
//              .  o '
//        . '  x          o          (x: floor it touches; the other o are gates it clears)
//
// A new gate that both of them clear changes nothing. One that lies wholly outside them ends the
// segment. Otherwise one of the lines turns: it leaves the new ceiling (floor) along the tangent to
// the chain of floors (ceilings). Tangent points only move forward, so each point enters and leaves
// a chain once, and the whole costs O(1) per point (O'Rourke 1981). All decisions are made in
// integers, exactly.

#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/check.h"
#include "learned/piecewise_linear.h"

namespace trefoil {
namespace {

// Bounds the memory of the replay; costs one more line per million keys that lie on one line.
constexpr size_t kSegmentPointsMax = size_t{1} << 20;
constexpr uint32_t kUpperEpsilon = 4;
// A top level this small is searched as it is.
constexpr size_t kTopSegmentsMax = 16;

}  // namespace

void ModelFitter::add(uint64_t key, uint64_t position) {
    CHECK(points_.empty() || key > points_.back().x);
    Point p{key, static_cast<int64_t>(position)};
    ++key_count_;
    if (points_.empty()) {
        begin_segment(p);
    } else if (points_.size() == kSegmentPointsMax || !extend_segment(p)) {
        end_segment();
        begin_segment(p);
    }
    points_.push_back(p);
}

void ModelFitter::begin_segment(Point p) {
    points_.clear();
    ceilings_.assign(1, {p.x, p.y + epsilon_});
    floors_.assign(1, {p.x, p.y - epsilon_});
    ceilings_start_ = floors_start_ = 0;
}

// Adds the gate of `p`. False, and nothing is changed, if no line passes through it and all before.
bool ModelFitter::extend_segment(Point p) {
    Point ceiling{p.x, p.y + epsilon_};
    Point floor{p.x, p.y - epsilon_};
    bool second = points_.size() == 1;
    Slope to_floor = between(floors_[floors_start_], floor);
    Slope to_ceiling = between(ceilings_[ceilings_start_], ceiling);
    if (!second && (steepest_ < to_floor || to_ceiling < flattest_)) return false;

    // Does the new ceiling push the steepest line down?
    if (Slope s = between(floors_[floors_start_], ceiling); second || s < steepest_) {
        while (floors_start_ + 1 < floors_.size()) {
            Slope next = between(floors_[floors_start_ + 1], ceiling);
            if (s < next) break;
            s = next;
            ++floors_start_;
        }
        steepest_ = s;
        while (ceilings_.size() >= ceilings_start_ + 2) {
            const Point& a = ceilings_[ceilings_.size() - 2];
            if (between(a, ceilings_.back()) < between(a, ceiling)) break;
            ceilings_.pop_back();
        }
        ceilings_.push_back(ceiling);
    }
    // Does the new floor push the flattest line up?
    if (Slope s = between(ceilings_[ceilings_start_], floor); second || flattest_ < s) {
        // The new ceiling itself has no tangent to its own floor.
        while (ceilings_start_ + 1 < ceilings_.size() &&
               ceilings_[ceilings_start_ + 1].x < floor.x) {
            Slope next = between(ceilings_[ceilings_start_ + 1], floor);
            if (next < s) break;
            s = next;
            ++ceilings_start_;
        }
        flattest_ = s;
        while (floors_.size() >= floors_start_ + 2) {
            const Point& a = floors_[floors_.size() - 2];
            if (between(a, floor) < between(a, floors_.back())) break;
            floors_.pop_back();
        }
        floors_.push_back(floor);
    }
    return true;
}

// A line in the middle: its slope lies between the two extremes, its height between the highest
// floor and the lowest ceiling that a line of this slope meets. Anchored at the first key, so that
// distances are small.
ModelLine ModelFitter::line_of_segment() const {
    Point origin = points_.front();
    if (points_.size() == 1) return {0.0, static_cast<double>(origin.y)};
    double slope = std::max(0.0, (steepest_.value() + flattest_.value()) / 2);
    auto height = [&](const Point& p) {
        return static_cast<long double>(p.y - origin.y) -
               static_cast<long double>(slope) * static_cast<long double>(p.x - origin.x);
    };
    long double low = height(floors_[floors_start_]);
    for (size_t i = floors_start_; i < floors_.size(); ++i) low = std::max(low, height(floors_[i]));
    long double high = height(ceilings_[ceilings_start_]);
    for (size_t i = ceilings_start_; i < ceilings_.size(); ++i) {
        high = std::min(high, height(ceilings_[i]));
    }
    return {slope, static_cast<double>(origin.y + (low + high) / 2)};
}

void ModelFitter::end_segment() {
    ModelLine line = line_of_segment();
    uint64_t first = points_.front().x;
    // The replay: what floating point does to each key, not what the proof says.
    for (const Point& p : points_) {
        double predicted = line.base + line.slope * static_cast<double>(p.x - first);
        error_max_ = std::max(error_max_, std::abs(predicted - static_cast<double>(p.y)));
    }
    first_keys_.push_back(first);
    lines_.push_back(line);
}

PiecewiseLinearModel ModelFitter::finish(uint64_t positions) {
    if (!points_.empty()) end_segment();
    std::vector<std::vector<uint64_t>> keys;
    std::vector<std::vector<ModelLine>> lines;
    uint64_t below = positions;
    while (!first_keys_.empty()) {
        lines_.push_back({0.0, static_cast<double>(below)});
        below = first_keys_.size();
        keys.push_back(std::move(first_keys_));
        lines.push_back(std::move(lines_));
        if (below <= kTopSegmentsMax || keys.size() == kModelLevelsMax) break;
        ModelFitter upper(kUpperEpsilon);
        for (size_t i = 0; i < keys.back().size(); ++i) upper.add(keys.back()[i], i);
        upper.end_segment();
        first_keys_ = std::move(upper.first_keys_);
        lines_ = std::move(upper.lines_);
    }
    Writer out;
    out.u64(kModelMagic);
    out.u64(positions);
    out.u32(epsilon_);
    out.u32(static_cast<uint32_t>(keys.size()));
    out.u64(key_count_);
    for (size_t l = 0; l < kModelLevelsMax; ++l) out.u64(l < keys.size() ? keys[l].size() : 0);
    for (size_t l = 0; l < keys.size(); ++l) {
        out.bytes({reinterpret_cast<const char*>(keys[l].data()), 8 * keys[l].size()});
        out.bytes(
            {reinterpret_cast<const char*>(lines[l].data()), sizeof(ModelLine) * lines[l].size()});
    }
    auto words = std::make_shared<std::vector<uint64_t>>(out.size() / 8);
    std::memcpy(words->data(), out.data().data(), out.size());
    Bytes bytes(reinterpret_cast<const char*>(words->data()), out.size());
    Result<PiecewiseLinearModel> model = PiecewiseLinearModel::open(bytes, words);
    CHECK(model.ok());
    return std::move(model).value();
}

}  // namespace trefoil
