// PointQuery: recognising it, and running it.

#include "access/point_query.h"

#include "base/check.h"

namespace trefoil::access {

using plan::Expr;

std::optional<std::vector<PointQuery::KeyPart>> PointQuery::key_parts(
    const catalog::IndexDef& index, std::span<const Expr> filters) {
    if (!index.unique || index.is_partial() || filters.size() != index.key_columns().size()) {
        return std::nullopt;
    }
    std::vector<std::optional<KeyPart>> found(filters.size());
    for (const Expr& f : filters) {
        if (f.kind != Expr::Kind::kCompare || f.op != plan::CompareOp::kEqual) return std::nullopt;
        const bool column_first = f.children[0].kind == Expr::Kind::kColumn;
        const Expr& column = f.children[column_first ? 0 : 1];
        const Expr& value = f.children[column_first ? 1 : 0];
        if (column.kind != Expr::Kind::kColumn) return std::nullopt;
        if (value.kind != Expr::Kind::kLiteral && value.kind != Expr::Kind::kParameter) {
            return std::nullopt;
        }
        for (size_t i = 0; i < found.size(); i++) {
            if (index.columns[i] != column.index) continue;
            if (found[i]) return std::nullopt;  // a column twice
            found[i] = KeyPart{value.kind == Expr::Kind::kParameter, value.index, value.value};
        }
    }
    std::vector<KeyPart> parts;
    for (auto& part : found) {
        if (!part) return std::nullopt;
        parts.push_back(std::move(*part));
    }
    return parts;
}

std::shared_ptr<const PointQuery> PointQuery::make(const catalog::TableDef& table,
                                                   std::span<const Expr> filters,
                                                   std::vector<uint32_t> projection,
                                                   arrow::SchemaPtr output,
                                                   TableCountersPtr counters) {
    for (size_t i = 0; i < table.indexes.size(); i++) {
        auto parts = key_parts(table.indexes[i], filters);
        if (!parts) continue;
        auto query = std::make_shared<PointQuery>();
        query->index_ = i;
        query->parts_ = std::move(*parts);
        query->table_id_ = table.id;
        query->projection_ = std::move(projection);
        query->output_ = std::move(output);
        query->counters_ = std::move(counters);
        return query;
    }
    return nullptr;
}

Result<std::optional<arrow::Batch>> PointQuery::run(const table::TableVersion& table,
                                                    std::span<const Value> parameters,
                                                    bool* understood) const {
    using Kind = index::KeyEncoder::Converted::Kind;
    *understood = true;
    const index::KeyEncoder& keys = table.encoder(index_);
    std::vector<Value> values;
    values.reserve(parts_.size());
    bool possible = true;
    for (size_t i = 0; i < parts_.size(); i++) {
        if (parts_[i].is_parameter && parts_[i].parameter >= parameters.size()) {
            return Status(Code::kInvalidInput, "08P01",
                          "the statement needs a value for parameter $" +
                              std::to_string(parts_[i].parameter + 1));
        }
        const Value& v =
            parts_[i].is_parameter ? parameters[parts_[i].parameter] : parts_[i].literal;
        if (v.is_null()) {
            possible = false;  // nothing equals NULL
            continue;
        }
        auto converted = keys.convert(v, i);
        if (converted.kind == Kind::kNotComparable) {
            *understood = false;
            return std::optional<arrow::Batch>();
        }
        possible &= converted.kind == Kind::kExact;
        values.push_back(std::move(converted.value));
    }
    counters_->point_lookups.fetch_add(1, std::memory_order_relaxed);
    if (!possible) return std::optional<arrow::Batch>();
    index::IndexCounters counters;
    ASSIGN_OR_RETURN(auto at, table.find_key(index_, keys.encode(values), counters));
    counters_->add(counters);
    if (!at) return std::optional<arrow::Batch>();
    counters_->rows_fetched.fetch_add(1, std::memory_order_relaxed);
    arrow::Batch row{output_, 1, {}};
    row.columns.reserve(projection_.size());
    const table::Chunk& chunk = *table.part(at->part).chunk;
    for (uint32_t c : projection_) {
        ASSIGN_OR_RETURN(const arrow::Array* column, chunk.column(c));
        row.columns.push_back(column->slice(at->row, 1));
    }
    return std::optional(std::move(row));
}

}  // namespace trefoil::access
