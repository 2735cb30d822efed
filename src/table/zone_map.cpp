// ZoneMap: building, merging, storing.

#include "table/zone_map.h"

#include <algorithm>
#include <cmath>

#include "arrow/builder.h"
#include "arrow/compute.h"
#include "arrow/serialize.h"
#include "arrow/value.h"
#include "base/check.h"

namespace trefoil::table {
namespace {

// Longer strings are no bounds: the root is no place for them.
constexpr size_t kBoundBytesMax = 256;

bool fits(const Value& v) {
    if (const auto* text = v.get_if<std::string>()) return text->size() <= kBoundBytesMax;
    if (const auto* blob = v.get_if<Blob>()) return blob->bytes.size() <= kBoundBytesMax;
    return true;
}

Bounds bounds_of(const arrow::Array& array) {
    Bounds b;
    auto found = arrow::min_max(array);
    b.null_count = static_cast<uint64_t>(arrow::null_count(array));
    if (!found || !fits(found->min) || !fits(found->max)) return b;
    b.min = std::move(found->min);
    b.max = std::move(found->max);
    b.known = true;
    return b;
}

void append_bounds(const Bounds& b, std::vector<Value>* minima, std::vector<Value>* maxima,
                   Writer* counts) {
    minima->push_back(b.known ? b.min : Value());
    maxima->push_back(b.known ? b.max : Value());
    counts->u64(b.null_count);
    counts->u8(b.known);
}

}  // namespace

bool less(const Value& a, const Value& b) {
    CHECK(a.storage().index() == b.storage().index());
    if (const auto* x = a.get_if<bool>()) return *x < *b.get_if<bool>();
    if (const auto* x = a.get_if<int64_t>()) return *x < *b.get_if<int64_t>();
    if (const auto* x = a.get_if<double>()) {
        double y = *b.get_if<double>();
        return std::isnan(y) ? !std::isnan(*x) : *x < y;  // NaN is greatest
    }
    if (const auto* x = a.get_if<std::string>()) return *x < *b.get_if<std::string>();
    if (const auto* x = a.get_if<Decimal>()) return x->unscaled < b.get_if<Decimal>()->unscaled;
    if (const auto* x = a.get_if<Date>()) return *x < *b.get_if<Date>();
    if (const auto* x = a.get_if<Time>()) return *x < *b.get_if<Time>();
    if (const auto* x = a.get_if<Timestamp>()) return *x < *b.get_if<Timestamp>();
    if (const auto* x = a.get_if<Uuid>()) return *x < *b.get_if<Uuid>();
    if (const auto* x = a.get_if<Blob>()) return *x < *b.get_if<Blob>();
    CHECK(false && "bounds of a type without order");
    return false;
}

Bounds merge(const Bounds& a, const Bounds& b) {
    Bounds m;
    m.null_count = a.null_count + b.null_count;
    m.known = a.known && b.known;
    if (!m.known) return m;
    m.min = a.min.is_null() || (!b.min.is_null() && less(b.min, a.min)) ? b.min : a.min;
    m.max = a.max.is_null() || (!b.max.is_null() && less(a.max, b.max)) ? b.max : a.max;
    return m;
}

ZoneMap build_zone_map(const std::vector<arrow::Array>& columns, uint64_t rows) {
    ZoneMap map;
    for (const arrow::Array& column : columns) {
        ColumnZones zones;
        for (uint64_t begin = 0; begin < rows; begin += kZoneRows) {
            auto count = static_cast<int64_t>(std::min(kZoneRows, rows - begin));
            Bounds b = bounds_of(column.slice(static_cast<int64_t>(begin), count));
            zones.all = begin == 0 ? b : merge(zones.all, b);
            zones.zones.push_back(std::move(b));
        }
        zones.distinct = arrow::approximate_distinct(column);
        map.columns.push_back(std::move(zones));
    }
    return map;
}

ColumnZones constant_zones(const Value& value, const arrow::Type& type, uint64_t rows) {
    auto one = arrow::make_constant(type, value, 1);
    CHECK(one.ok());
    ColumnZones made = build_zone_map({*one}, 1).columns[0];
    const Bounds bounds = made.all;
    made.zones.clear();
    for (uint64_t begin = 0; begin < rows; begin += kZoneRows) {
        Bounds b = bounds;
        if (b.null_count) b.null_count = std::min(kZoneRows, rows - begin);
        made.zones.push_back(std::move(b));
    }
    if (made.all.null_count) made.all.null_count = rows;
    return made;
}

std::string encode_zones(const ColumnZones& zones, const arrow::Type& type) {
    std::vector<Value> minima, maxima;
    Writer counts;
    for (const Bounds& b : zones.zones) append_bounds(b, &minima, &maxima, &counts);
    append_bounds(zones.all, &minima, &maxima, &counts);
    Writer out;
    out.u32(static_cast<uint32_t>(zones.zones.size()));
    out.bytes(counts.data());
    out.str(zones.distinct.serialise());
    out.u8(arrow::is_buildable(type) && type.children.empty());
    if (type.children.empty()) {
        out.align(8);
        for (const auto& bounds : {minima, maxima}) {
            auto array = arrow::array_of(type, bounds);
            CHECK(array.ok());
            arrow::serialize(*array, out);
        }
    }
    return out.take();
}

Result<ColumnZones> decode_zones(Bytes data, const arrow::Type& type) {
    Reader in(data);
    ColumnZones out;
    const uint64_t zones = in.u32();
    std::vector<Bounds> bounds;
    for (uint64_t i = 0; i <= zones && in.ok(); i++) {
        Bounds b;
        b.null_count = in.u64();
        b.known = in.u8() != 0;
        bounds.push_back(std::move(b));
    }
    ASSIGN_OR_RETURN(out.distinct, arrow::DistinctSketch::deserialise(in.str()));
    if (in.u8()) {
        in.align(8);
        ASSIGN_OR_RETURN(arrow::Array minima, arrow::deserialize(in, type));
        ASSIGN_OR_RETURN(arrow::Array maxima, arrow::deserialize(in, type));
        if (minima.length != static_cast<int64_t>(bounds.size()) ||
            maxima.length != minima.length) {
            return Status::corruption("a zone map has too few bounds");
        }
        for (size_t i = 0; i < bounds.size(); i++) {
            bounds[i].min = arrow::value_at(minima, static_cast<int64_t>(i));
            bounds[i].max = arrow::value_at(maxima, static_cast<int64_t>(i));
        }
    }
    if (!in.ok() || bounds.size() != zones + 1)
        return Status::corruption("a zone map is malformed");
    out.all = std::move(bounds.back());
    bounds.pop_back();
    out.zones = std::move(bounds);
    return out;
}

}  // namespace trefoil::table
