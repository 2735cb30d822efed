// ANALYZE: sampling, counting, storing.

#include "table/analysis.h"

#include <algorithm>

#include "arrow/builder.h"
#include "arrow/compute.h"
#include "arrow/serialize.h"
#include "arrow/value.h"
#include "base/check.h"
#include "table/manifest_format.h"

namespace trefoil::table {
namespace {

// The rows of each part that are looked at, and how many in all.
struct Sample {
    std::vector<std::vector<uint32_t>> rows;
    uint64_t count = 0;
};

Sample choose_rows(const TableVersion& table) {
    Sample sample;
    const uint64_t step = table.live_rows() / kSampleRows + 1;
    uint64_t live = 0;
    for (size_t i = 0; i < table.part_count(); i++) {
        const Part& part = table.part(i);
        std::vector<uint32_t>& rows = sample.rows.emplace_back();
        for (uint32_t row = 0; row < part.chunk->rows(); row++) {
            if (!part.is_dead(row) && live++ % step == 0) rows.push_back(row);
        }
        sample.count += rows.size();
    }
    return sample;
}

// Whose values compare with each other; a UBIGINT becomes one of two kinds of Value.
bool has_order(const arrow::Type& type) {
    return arrow::is_buildable(type) && type.children.empty() &&
           type.id != arrow::TypeId::kUInt64 && type.id != arrow::TypeId::kIntervalMonthDayNano;
}

// Long texts say little that is worth the room.
bool fits(const Value& v) {
    constexpr size_t kBytesMax = 256;
    if (const auto* text = v.get_if<std::string>()) return text->size() <= kBytesMax;
    if (const auto* blob = v.get_if<Blob>()) return blob->bytes.size() <= kBytesMax;
    return true;
}

// The values of one column in the sample that are not NULL.
Result<std::vector<Value>> read_values(const TableVersion& table, uint32_t column,
                                       const Sample& sample) {
    std::vector<Value> values;
    for (size_t i = 0; i < sample.rows.size(); i++) {
        if (sample.rows[i].empty()) continue;
        ASSIGN_OR_RETURN(const arrow::Array* array, table.part(i).chunk->column(column));
        for (uint32_t row : sample.rows[i]) {
            Value v = arrow::value_at(*array, row);
            if (!v.is_null()) values.push_back(std::move(v));
        }
    }
    return values;
}

struct Counted {
    Value value;
    uint64_t count;
};

std::vector<Counted> count_equal(std::vector<Value> values) {
    std::sort(values.begin(), values.end(), less);
    std::vector<Counted> counted;
    for (Value& v : values) {
        if (!counted.empty() && !less(counted.back().value, v)) {
            counted.back().count++;
        } else {
            counted.push_back({std::move(v), 1});
        }
    }
    return counted;
}

double estimate_distinct(const std::vector<Counted>& counted, double seen, double rows) {
    if (counted.empty()) return 0;
    double once = 0;
    for (const Counted& c : counted) once += c.count == 1;
    const auto different = static_cast<double>(counted.size());
    return std::min(rows, seen * different / (seen - once + once * seen / rows));
}

// Moves the common values out of `counted`.
void take_common(std::vector<Counted>* counted, double seen, double sampled,
                 ColumnAnalysis* column) {
    std::vector<const Counted*> frequent;
    const double average = seen / static_cast<double>(counted->size());
    const bool few = counted->size() <= kCommonMax;
    for (const Counted& c : *counted) {
        if (c.count > 1 && fits(c.value) &&
            (few || static_cast<double>(c.count) > 1.25 * average)) {
            frequent.push_back(&c);
        }
    }
    std::sort(frequent.begin(), frequent.end(),
              [](auto* a, auto* b) { return a->count != b->count ? a->count > b->count : a < b; });
    if (frequent.size() > kCommonMax) frequent.resize(kCommonMax);
    for (const Counted* c : frequent) {
        column->common.emplace_back(c->value, static_cast<double>(c->count) / sampled);
    }
    std::erase_if(*counted, [&](const Counted& c) {
        return std::any_of(column->common.begin(), column->common.end(),
                           [&](const auto& common) { return common.first == c.value; });
    });
}

std::vector<Value> quantiles_of(const std::vector<Counted>& counted) {
    uint64_t rows = 0;
    for (const Counted& c : counted) rows += c.count;
    std::vector<Value> quantiles;
    uint64_t before = 0;
    for (const Counted& c : counted) {
        // The bound at which the next of kQuantiles equal parts begins.
        while (quantiles.size() < kQuantiles && quantiles.size() * rows <= before * kQuantiles) {
            if (!fits(c.value)) return {};
            quantiles.push_back(c.value);
        }
        before += c.count;
    }
    if (!counted.empty() && fits(counted.back().value)) quantiles.push_back(counted.back().value);
    return quantiles;
}

Result<ColumnAnalysis> analyse_column(const TableVersion& table, uint32_t position,
                                      const Sample& sample) {
    ColumnAnalysis column;
    ASSIGN_OR_RETURN(std::vector<Value> values, read_values(table, position, sample));
    const auto sampled = static_cast<double>(sample.count);
    const auto seen = static_cast<double>(values.size());
    column.null_share = 1 - seen / sampled;
    if (values.empty() || !has_order(table.def().columns[position].type)) return column;
    std::vector<Counted> counted = count_equal(std::move(values));
    const TableStatisticsPtr known = table.statistics();
    const double rows = static_cast<double>(table.live_rows()) * (1 - column.null_share);
    column.distinct = known->complete ? static_cast<double>(known->columns[position].distinct)
                                      : estimate_distinct(counted, seen, rows);
    take_common(&counted, seen, sampled, &column);
    column.quantiles = quantiles_of(counted);
    return column;
}

void put_values(const arrow::Type& type, std::span<const Value> values, Writer* out) {
    auto array = arrow::array_of(type, values);
    CHECK(array.ok());
    out->align(8);
    arrow::serialize(*array, *out);
}

Result<std::vector<Value>> read_values(const arrow::Type& type, Reader* in) {
    in->align(8);
    ASSIGN_OR_RETURN(arrow::Array array, arrow::deserialize(*in, type));
    std::vector<Value> values;
    for (int64_t i = 0; i < array.length; i++) values.push_back(arrow::value_at(array, i));
    return values;
}

std::string encode(const Analysis& analysis, const ColumnAnalysis& column,
                   const arrow::Type& type) {
    Writer out;
    out.u16(kAnalysisFormat);
    out.u64(analysis.rows);
    out.u64(analysis.sampled);
    out.f64(column.null_share);
    out.f64(column.distinct);
    out.u8(has_order(type));
    if (!has_order(type)) return out.take();
    std::vector<Value> common;
    out.u32(static_cast<uint32_t>(column.common.size()));
    for (const auto& [value, share] : column.common) {
        out.f64(share);
        common.push_back(value);
    }
    put_values(type, common, &out);
    put_values(type, column.quantiles, &out);
    return out.take();
}

Result<ColumnAnalysis> decode(Bytes bytes, const arrow::Type& type, Analysis* analysis) {
    Reader in(bytes);
    if (in.u16() > kAnalysisFormat) {
        return Status::unsupported("the statistics were written by a newer version");
    }
    ColumnAnalysis column;
    analysis->rows = in.u64();
    analysis->sampled = in.u64();
    column.null_share = in.f64();
    column.distinct = in.f64();
    if (in.u8()) {
        const uint32_t count = in.u32();
        std::vector<double> shares;
        for (uint32_t i = 0; i < count && in.ok(); i++) shares.push_back(in.f64());
        ASSIGN_OR_RETURN(std::vector<Value> common, read_values(type, &in));
        ASSIGN_OR_RETURN(column.quantiles, read_values(type, &in));
        if (common.size() != shares.size()) {
            return Status::corruption("statistics have more values than shares");
        }
        for (size_t i = 0; i < common.size(); i++) {
            column.common.emplace_back(std::move(common[i]), shares[i]);
        }
    }
    if (!in.ok()) return Status::corruption("statistics of a column are malformed");
    return column;
}

}  // namespace

Result<Analysis> analyse(const TableVersion& table) {
    Analysis analysis;
    analysis.rows = table.live_rows();
    const Sample sample = choose_rows(table);
    analysis.sampled = sample.count;
    if (sample.count == 0) return analysis;
    for (uint32_t c = 0; c < table.def().columns.size(); c++) {
        ASSIGN_OR_RETURN(analysis.columns[table.def().columns[c].id],
                         analyse_column(table, c, sample));
    }
    return analysis;
}

namespace {

// `rows_min` and a fifth of the table came or went.
bool is_outdated(const Analysis* last, uint64_t rows, uint64_t rows_min) {
    const uint64_t before = last ? last->rows : 0;
    const uint64_t changed = std::max(rows, before) - std::min(rows, before);
    return changed >= rows_min && changed > before / 5;
}

}  // namespace

bool wants_analysis_at_once(const Analysis* last, uint64_t rows) {
    constexpr uint64_t kRowsMin = 50;
    return rows < kSmallTableRows && is_outdated(last, rows, kRowsMin);
}

bool wants_analysis(const TableVersion& table) {
    const uint64_t rows = table.live_rows();
    const AnalysisPtr last = table.statistics_cache().analysis();
    if (rows < kSmallTableRows) return false;
    const bool was_small = !last || last->rows < kSmallTableRows;
    return is_outdated(last.get(), rows, was_small ? 1 : kSmallTableRows);
}

Status put_analysis(WriteTransaction& root, const catalog::TableDef& table,
                    const Analysis& analysis) {
    for (const catalog::ColumnDef& c : table.columns) {
        auto found = analysis.columns.find(c.id);
        const std::string key = manifest_key('a', table.id, 0, c.id);
        if (found == analysis.columns.end()) {
            RETURN_IF_ERROR(root.erase(Keyspace::kStats, key));
        } else {
            RETURN_IF_ERROR(
                root.put(Keyspace::kStats, key, encode(analysis, found->second, c.type)));
        }
    }
    return {};
}

Result<AnalysisPtr> read_analysis(const ReadTransaction& root, const catalog::TableDef& table) {
    auto analysis = std::make_shared<Analysis>();
    for (const catalog::ColumnDef& c : table.columns) {
        ASSIGN_OR_RETURN(auto value,
                         root.find(Keyspace::kStats, manifest_key('a', table.id, 0, c.id)));
        if (!value) continue;
        auto column = decode(*value, c.type, analysis.get());
        // The type was changed since: the next ANALYZE puts that right.
        if (column.status().code() == Code::kCorruption) continue;
        RETURN_IF_ERROR(column.status());
        analysis->columns[c.id] = std::move(*column);
    }
    if (analysis->columns.empty()) return AnalysisPtr();
    return AnalysisPtr(std::move(analysis));
}

}  // namespace trefoil::table
