// DirectChange: which values may go the short way, and the short way.

#include "access/direct_change.h"

#include <algorithm>
#include <cmath>

#include "arrow/builder.h"
#include "arrow/value.h"
#include "base/check.h"

namespace trefoil::access {
namespace {

using arrow::TypeId;
using Kind = DirectForm::Kind;
using Operation = DirectForm::Operation;

// Decimals with more digits are rounded on their way to a double, which is the engine's to do.
constexpr int64_t kExactInDouble = 1'000'000'000'000'000;

bool in_range(int64_t v, const arrow::Type& type) {
    const int bits = static_cast<int>(type.byte_width()) * 8 - 1;
    return bits == 63 || v >> bits == 0 || v >> bits == -1;
}

bool is_integer(const arrow::Type& type) {
    return type.id == TypeId::kInt16 || type.id == TypeId::kInt32 || type.id == TypeId::kInt64;
}

bool fits_decimal(const Value& value, const arrow::Type& type) {
    const auto* decimal = value.get_if<Decimal>();
    return value.get_if<int64_t>() || (decimal && decimal->scale <= type.scale);
}

bool fits_double(const Value& value) {
    const auto* decimal = value.get_if<Decimal>();
    return value.get_if<double>() || value.get_if<int64_t>() ||
           (decimal && decimal->unscaled < kExactInDouble && decimal->unscaled > -kExactInDouble);
}

// Whether a ColumnBuilder stores the value as the engine would.
bool storable(const Value& value, const arrow::Type& type) {
    if (value.is_null()) return true;
    const bool text = value.get_if<std::string>() != nullptr;
    switch (type.id) {
        case TypeId::kInt16:
        case TypeId::kInt32:
        case TypeId::kInt64: {
            const auto* v = value.get_if<int64_t>();
            return v && in_range(*v, type);
        }
        case TypeId::kFloat64:
            return fits_double(value);
        case TypeId::kFloat32:
            return value.get_if<double>() != nullptr;
        case TypeId::kDecimal128:
            return fits_decimal(value, type);
        case TypeId::kBool:
            return value.get_if<bool>() != nullptr;
        case TypeId::kUtf8View:
            return text;
        case TypeId::kBinaryView:
            return value.get_if<Blob>() != nullptr;
        case TypeId::kFixedSizeBinary:
            return text || value.get_if<Uuid>();
        case TypeId::kDate32:
            return text || value.get_if<Date>();
        case TypeId::kTime64:
            return text || value.get_if<Time>();
        case TypeId::kTimestamp: {
            // Text is read in the session's time zone.
            const auto* v = value.get_if<Timestamp>();
            const bool utc = !type.timezone.empty();
            return v ? v->utc == utc : text && !utc;
        }
        default:
            return false;
    }
}

const Value& value_of(const plan::Expr& expr, std::span<const Value> parameters) {
    return expr.kind == plan::Expr::Kind::kParameter ? parameters[expr.index] : expr.value;
}

// nullopt if the sum is an error, or none of the column's values.
std::optional<Value> sum(const Value& left, const Value& right, bool minus,
                         const arrow::Type& type) {
    if (left.is_null() || right.is_null()) return Value();
    if (is_integer(type)) {
        const int64_t a = *left.get_if<int64_t>(), b = *right.get_if<int64_t>();
        int64_t result = 0;
        const bool overflow =
            minus ? __builtin_sub_overflow(a, b, &result) : __builtin_add_overflow(a, b, &result);
        if (overflow || !in_range(result, type)) return std::nullopt;
        return Value(result);
    }
    const auto* integer = right.get_if<int64_t>();
    const double b = integer ? static_cast<double>(*integer) : *right.get_if<double>();
    const double result = *left.get_if<double>() + (minus ? -b : b);
    if (!std::isfinite(result)) return std::nullopt;
    return Value(result);
}

}  // namespace

std::shared_ptr<const DirectChange> DirectChange::make(catalog::TablePtr table, Form form,
                                                       arrow::SchemaPtr returned,
                                                       TableCountersPtr counters) {
    auto change = std::make_shared<DirectChange>();
    change->table_ = std::move(table);
    change->form_ = std::move(form);
    change->returned_ = std::move(returned);
    change->counters_ = std::move(counters);
    const bool fits = change->returned_->fields.size() == change->form_.returning.size();
    if (!fits || !change->admit_all()) return nullptr;
    return change;
}

bool DirectChange::admit_all() {
    for (const auto& row : form_.rows) {
        if (row.size() != table_->columns.size()) return false;
        for (uint32_t i = 0; i < row.size(); i++) {
            const bool next = row[i].kind == plan::Expr::Kind::kOpaque;
            uses_sequences_ |= next;
            if (!next && !admit(row[i], {0, i, false, false})) return false;
        }
    }
    for (const Form::Assignment& a : form_.assignments) {
        const bool operand = a.operation != Operation::kValue;
        if (!admit(a.value, {0, a.column, false, operand})) return false;
    }
    if (form_.kind == Kind::kInsert) return true;
    if (form_.keys.empty() || form_.keys.size() != table_->primary_key().size()) return false;
    for (uint32_t i = 0; i < form_.keys.size(); i++) {
        if (!admit(form_.keys[i], {0, table_->primary_key()[i], true, false})) return false;
    }
    return true;
}

// A constant is judged now, a parameter by fits().
bool DirectChange::admit(const plan::Expr& value, Use use) {
    if (value.kind == plan::Expr::Kind::kLiteral) return takes(use, value.value);
    if (value.kind != plan::Expr::Kind::kParameter) return false;
    use.parameter = value.index;
    uses_.push_back(use);
    return true;
}

bool DirectChange::takes(const Use& use, const Value& value) const {
    const arrow::Type& type = table_->columns[use.column].type;
    if (value.is_null()) return true;
    if (use.operand && !is_integer(type)) {
        return value.get_if<int64_t>() || value.get_if<double>();
    }
    // A key must compare as it is: texts that stand for dates are the engine's.
    if (use.key && value.get_if<std::string>()) return type.id == TypeId::kUtf8View;
    if (use.key && type.id == TypeId::kFloat64) return value.get_if<double>() != nullptr;
    return storable(value, type);
}

bool DirectChange::fits(std::span<const Value> parameters) const {
    return std::all_of(uses_.begin(), uses_.end(), [&](const Use& use) {
        return use.parameter < parameters.size() && takes(use, parameters[use.parameter]);
    });
}

Result<std::optional<DirectChange::Outcome>> DirectChange::run(table::Transaction& txn,
                                                               std::span<const Value> parameters,
                                                               const SourceCatalog* catalog) const {
    if (form_.kind == Kind::kInsert) return insert(txn, parameters, catalog);
    const table::TableVersion& version = *txn.view()->tables.at(table_->id);
    bool understood = true;
    ASSIGN_OR_RETURN(auto at, find(version, parameters, &understood));
    if (!understood) return std::optional<Outcome>();
    if (!at) return std::optional(Outcome{0, returned_of({}, 0)});
    const table::Chunk& chunk = *version.part(at->part).chunk;
    std::vector<arrow::Array> columns;
    if (form_.kind == Kind::kUpdate || !form_.returning.empty()) {
        columns.reserve(table_->columns.size());
        for (uint32_t i = 0; i < table_->columns.size(); i++) {
            ASSIGN_OR_RETURN(const arrow::Array* column, chunk.column(i));
            columns.push_back(column->slice(at->row, 1));
        }
    }
    arrow::ColumnBuilder id(arrow::uint64());
    id.append_int64(static_cast<int64_t>(chunk.row_ids().at(at->row)));
    const arrow::Array ids = id.finish();
    if (form_.kind == Kind::kUpdate) {
        const std::vector<arrow::Array> before = columns;
        for (const Form::Assignment& a : form_.assignments) {
            auto value = assigned(a, before[a.from], parameters);
            if (!value) return std::optional<Outcome>();
            columns[a.column] = std::move(*value);
        }
    }
    table::TableWriter writer(txn, table_);
    RETURN_IF_ERROR(form_.kind == Kind::kUpdate ? writer.update(ids, columns) : writer.erase(ids));
    ASSIGN_OR_RETURN(uint64_t rows, writer.finish());
    return std::optional(Outcome{rows, returned_of(columns, 1)});
}

Result<std::optional<DirectChange::Outcome>> DirectChange::insert(
    table::Transaction& txn, std::span<const Value> parameters,
    const SourceCatalog* catalog) const {
    const auto rows = static_cast<int64_t>(form_.rows.size());
    arrow::Batch batch{table_->schema(), rows, {}};
    batch.columns.reserve(table_->columns.size());
    for (uint32_t i = 0; i < table_->columns.size(); i++) {
        arrow::ColumnBuilder column(table_->columns[i].type);
        for (const auto& row : form_.rows) {
            Value next;
            if (row[i].kind == plan::Expr::Kind::kOpaque) {
                int64_t number = 0;
                const SequenceCall call{.name = row[i].text};
                RETURN_IF_ERROR(catalog->call_sequence(call, {&number, 1}));
                next = number;
            }
            const Value& value = next.is_null() ? value_of(row[i], parameters) : next;
            if (!column.append(value).ok()) return std::optional<Outcome>();
        }
        batch.columns.push_back(column.finish());
    }
    table::TableWriter writer(txn, table_);
    RETURN_IF_ERROR(writer.insert(batch));
    ASSIGN_OR_RETURN(uint64_t count, writer.finish());
    return std::optional(Outcome{count, returned_of(batch.columns, rows)});
}

// The row with the key; nullopt if there is none.
Result<std::optional<table::Location>> DirectChange::find(const table::TableVersion& table,
                                                          std::span<const Value> parameters,
                                                          bool* understood) const {
    using Converted = index::KeyEncoder::Converted;
    const index::KeyEncoder& keys = *table.key_encoder();
    std::vector<Value> values;
    values.reserve(form_.keys.size());
    counters_->point_lookups.fetch_add(1, std::memory_order_relaxed);
    for (size_t i = 0; i < form_.keys.size(); i++) {
        const Value& value = value_of(form_.keys[i], parameters);
        if (value.is_null()) return std::optional<table::Location>();  // nothing equals NULL
        Converted converted = keys.convert(value, i);
        *understood = converted.kind != Converted::Kind::kNotComparable;
        if (converted.kind != Converted::Kind::kExact) return std::optional<table::Location>();
        values.push_back(std::move(converted.value));
    }
    index::IndexCounters counters;
    auto found = table.find_key(0, keys.encode(values), counters);
    counters_->add(counters);
    return found;
}

std::optional<arrow::Array> DirectChange::assigned(const Form::Assignment& a,
                                                   const arrow::Array& from,
                                                   std::span<const Value> parameters) const {
    const arrow::Type& type = table_->columns[a.column].type;
    const Value& value = value_of(a.value, parameters);
    arrow::ColumnBuilder column(type);
    if (a.operation == Operation::kValue) {
        if (!column.append(value).ok()) return std::nullopt;
        return column.finish();
    }
    auto result = sum(arrow::value_at(from, 0), value, a.operation == Operation::kSubtract, type);
    if (!result || !column.append(*result).ok()) return std::nullopt;
    return column.finish();
}

arrow::Batch DirectChange::returned_of(const std::vector<arrow::Array>& columns,
                                       int64_t rows) const {
    arrow::Batch batch{returned_, rows, {}};
    if (rows == 0) return batch;
    for (uint32_t column : form_.returning) batch.columns.push_back(columns[column]);
    return batch;
}

std::string DirectChange::explain() const {
    if (form_.kind == Kind::kInsert) {
        const size_t rows = form_.rows.size();
        return "Insert: " + table_->name + ", " + std::to_string(rows) +
               (rows == 1 ? " row" : " rows");
    }
    return (form_.kind == Kind::kUpdate ? "Update: " : "Delete: ") + table_->name + ", by " +
           table_->primary()->name;
}

}  // namespace trefoil::access
