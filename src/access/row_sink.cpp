// RowSink: taking rows from a program's code. KeyBatch: giving it keys.

#include "access/row_sink.h"

#include <algorithm>
#include <array>
#include <memory>
#include <utility>

#include "arrow/value.h"
#include "base/check.h"
#include "base/utf8.h"

namespace trefoil {
namespace {

using arrow::Type;
using arrow::TypeId;

constexpr int64_t kBatchRows = 8192;

// What SQL calls the type of a value.
std::string type_name(const Value& value) {
    static constexpr std::array kNames = {"NULL",    "BOOLEAN", "BIGINT", "DOUBLE",    "TEXT",
                                          "DECIMAL", "DATE",    "TIME",   "TIMESTAMP", "INTERVAL",
                                          "UUID",    "BYTEA",   "a list"};
    static_assert(kNames.size() == std::variant_size_v<Value::Storage>);
    const Timestamp* moment = value.get_if<Timestamp>();
    return moment && moment->utc ? "TIMESTAMPTZ" : kNames[value.storage().index()];
}

bool is_integer(const Type& type) {
    return type.id == TypeId::kInt16 || type.id == TypeId::kInt32 || type.id == TypeId::kInt64;
}
bool is_floating(const Type& type) {
    return type.id == TypeId::kFloat32 || type.id == TypeId::kFloat64;
}

// Whether a value that is not NULL may stand in a column of this type.
bool fits(const Value& value, const Type& type) {
    switch (type.id) {
        case TypeId::kBool:
            return value.get_if<bool>();
        case TypeId::kInt16:
        case TypeId::kInt32:
        case TypeId::kInt64:
            return value.get_if<int64_t>();
        case TypeId::kFloat32:
        case TypeId::kFloat64:
            return value.get_if<int64_t>() || value.get_if<double>();
        case TypeId::kDecimal128:
            return value.get_if<int64_t>() || value.get_if<Decimal>();
        case TypeId::kUtf8View:
            return value.get_if<std::string>();
        case TypeId::kBinaryView:
            return value.get_if<Blob>();
        case TypeId::kFixedSizeBinary:
            return value.get_if<Uuid>();
        case TypeId::kDate32:
            return value.get_if<Date>();
        case TypeId::kTime64:
            return value.get_if<Time>();
        case TypeId::kTimestamp:
            return value.get_if<Timestamp>() &&
                   value.get_if<Timestamp>()->utc == !type.timezone.empty();
        case TypeId::kIntervalMonthDayNano:
            return value.get_if<Interval>();
        case TypeId::kList: {
            const Value::List* list = value.get_if<Value::List>();
            if (!list) return false;
            for (const Value& element : *list) {
                if (!element.is_null() && !fits(element, type.children[0].type)) return false;
            }
            return true;
        }
        default:
            return false;
    }
}

// Whether a column of this type can be made from `array` without changing a value.
bool converts(const Type& from, const Type& to) {
    if (from.id == TypeId::kDictionary) return converts(from.children.at(1).type, to);
    if (to.id == TypeId::kUtf8View) return from.is_string();
    if (to.id == TypeId::kList && from.id == to.id) {
        return from.children[0].type == to.children[0].type;
    }
    if (to.id != TypeId::kBinaryView) return false;
    return from.id == TypeId::kBinary || from.id == TypeId::kLargeBinary;
}

bool is_text(std::string_view bytes) {
    return is_utf8(bytes);
}

// Whether a text, or each text of a list, is UTF-8.
bool holds_text(const Value& value) {
    if (const std::string* text = value.get_if<std::string>()) return is_text(*text);
    const Value::List* list = value.get_if<Value::List>();
    return !list || std::all_of(list->begin(), list->end(), holds_text);
}

}  // namespace

RowSink::State::State(arrow::SchemaPtr columns, std::string whose_)
    : schema(std::move(columns)), whose(std::move(whose_)) {
    for (const arrow::Field& f : schema->fields) builders.emplace_back(f.type);
}

void RowSink::State::fail(std::string_view sqlstate, const std::string& message) {
    if (error.ok()) error = Status(Code::kInvalidInput, sqlstate, whose + ": " + message);
}

void RowSink::State::mistyped(uint32_t column, const std::string& given) {
    const arrow::Field& field = schema->fields[column];
    fail("42804", "column \"" + field.name + "\" is of type " + field.type.sql_name() + ", but " +
                      given + " was given");
}

arrow::ColumnBuilder* RowSink::State::column(uint32_t column) {
    if (!error.ok()) return nullptr;
    if (column < builders.size()) return &builders[column];
    fail("22000", "there is no column " + std::to_string(column) + " among the " +
                      std::to_string(builders.size()) + " that are wanted");
    return nullptr;
}

Status RowSink::State::add_batch(arrow::Batch batch) {
    for (size_t c = 0; c < batch.columns.size(); c++) {
        const arrow::Field& field = schema->fields[c];
        if (field.nullable || !batch.columns[c].has_nulls()) continue;
        fail("23502", "null value in column \"" + field.name + "\", which has none");
        return error;
    }
    for (int64_t at = 0; at < batch.rows; at += kBatchRows) {
        batches.push_back(batch.slice(at, std::min(kBatchRows, batch.rows - at)));
    }
    return {};
}

Status RowSink::State::flush() {
    RETURN_IF_ERROR(error);
    const int64_t rows =
        builders.empty() ? static_cast<int64_t>(std::exchange(bare_rows, 0)) : builders[0].length();
    for (size_t c = 1; c < builders.size(); c++) {
        if (builders[c].length() == rows) continue;
        fail("22000", "column \"" + schema->fields[c].name + "\" has " +
                          std::to_string(builders[c].length()) + " values, column \"" +
                          schema->fields[0].name + "\" has " + std::to_string(rows));
        return error;
    }
    if (rows == 0) return {};
    arrow::Batch batch{schema, rows, {}};
    for (arrow::ColumnBuilder& b : builders) batch.columns.push_back(b.finish());
    return add_batch(std::move(batch));
}

Status RowSink::State::take(std::vector<arrow::Batch>* out) {
    RETURN_IF_ERROR(flush());
    *out = std::exchange(batches, {});
    return {};
}

uint32_t RowSink::column_count() const {
    return static_cast<uint32_t>(state_->builders.size());
}

void RowSink::append_row(std::span<const Value> values) {
    if (values.size() != state_->builders.size()) {
        state_->fail("22000", "a row of " + std::to_string(values.size()) + " values for " +
                                  std::to_string(state_->builders.size()) + " columns");
        return;
    }
    if (values.empty()) state_->bare_rows++;
    for (uint32_t c = 0; c < values.size(); c++) append(c, values[c]);
}

void RowSink::append_rows(uint64_t count) {
    if (state_->builders.empty()) {
        state_->bare_rows += count;
    } else {
        state_->fail("22000", "rows without columns for " +
                                  std::to_string(state_->builders.size()) + " columns");
    }
}

void RowSink::append(uint32_t column, const Value& value) {
    arrow::ColumnBuilder* builder = state_->column(column);
    if (!builder) return;
    if (value.is_null()) return builder->append_null();
    if (!fits(value, builder->type())) return state_->mistyped(column, type_name(value));
    const std::string& name = state_->schema->fields[column].name;
    if (!holds_text(value)) {
        return state_->fail("22021", "column \"" + name + "\": the text is not valid UTF-8");
    }
    if (Status status = builder->append(value); !status.ok()) {
        state_->fail(status.sqlstate(), "column \"" + name + "\": " + status.message());
    }
}

void RowSink::append_null(uint32_t column) {
    if (arrow::ColumnBuilder* builder = state_->column(column)) builder->append_null();
}

void RowSink::append_int64(uint32_t column, int64_t value) {
    arrow::ColumnBuilder* builder = state_->column(column);
    if (!builder) return;
    const Type& type = builder->type();
    switch (type.id) {
        case TypeId::kInt64:
        case TypeId::kTimestamp:
        case TypeId::kTime64:
            return builder->append_int64(value);
        case TypeId::kDate32:
            if (value == static_cast<int32_t>(value)) return builder->append_int64(value);
            return state_->fail("22003", "date out of range");
        default:
            return append(column, Value(value));
    }
}

void RowSink::append_double(uint32_t column, double value) {
    arrow::ColumnBuilder* builder = state_->column(column);
    if (!builder) return;
    if (!is_floating(builder->type())) return state_->mistyped(column, "DOUBLE");
    builder->append_double(value);
}

void RowSink::append_text(uint32_t column, std::string_view value) {
    arrow::ColumnBuilder* builder = state_->column(column);
    if (!builder) return;
    const Type& type = builder->type();
    const std::string& name = state_->schema->fields[column].name;
    if (!type.is_view()) return state_->mistyped(column, "TEXT");
    if (value.size() > arrow::kFieldBytesMax) {
        return state_->fail("54000", "column \"" + name + "\": the text is too long");
    }
    if (type.is_string() && !is_text(value)) {
        return state_->fail("22021", "column \"" + name + "\": the text is not valid UTF-8");
    }
    builder->append_bytes(value);
}

void RowSink::append_arrow(const ArrowSchema& schema, ArrowArray* array) {
    std::unique_ptr<ArrowArray, void (*)(ArrowArray*)> held(array, [](ArrowArray* a) {
        if (a->release) a->release(a);
    });
    auto imported = arrow::import_schema(schema);
    if (!imported.ok()) return state_->fail("22000", imported.status().message());
    const std::vector<arrow::Field>& given = imported->fields;
    const std::vector<arrow::Field>& wanted = state_->schema->fields;
    if (given.size() != wanted.size()) {
        return state_->fail("42804", "an Arrow batch of " + std::to_string(given.size()) +
                                         " columns for " + std::to_string(wanted.size()));
    }
    for (uint32_t c = 0; c < wanted.size(); c++) {
        if (given[c].type == wanted[c].type || converts(given[c].type, wanted[c].type)) continue;
        return state_->mistyped(c, given[c].type.sql_name());
    }
    if (!state_->flush().ok()) return;
    auto batch = arrow::import_batch(held.release(),
                                     std::make_shared<const arrow::Schema>(std::move(*imported)));
    if (!batch.ok()) return state_->fail("22000", batch.status().message());
    for (size_t c = 0; c < wanted.size(); c++) {
        if (batch->columns[c].type == wanted[c].type) continue;
        arrow::ColumnBuilder column(wanted[c].type);
        column.append_array(batch->columns[c]);
        batch->columns[c] = column.finish();
    }
    batch->schema = state_->schema;
    if (Status status = state_->add_batch(std::move(*batch)); !status.ok()) return;
}

uint64_t KeyBatch::size() const {
    return static_cast<uint64_t>(state_->keys.rows);
}

Value KeyBatch::value(uint64_t i, uint32_t column) const {
    CHECK(i < size() && column < state_->keys.columns.size());
    return arrow::value_at(state_->keys.columns[column], static_cast<int64_t>(i));
}

int64_t KeyBatch::int64(uint64_t i, uint32_t column) const {
    CHECK(i < size() && column < state_->keys.columns.size());
    const arrow::Array& keys = state_->keys.columns[column];
    CHECK(is_integer(keys.type));
    switch (keys.type.id) {
        case TypeId::kInt16:
            return keys.values<int16_t>()[i];
        case TypeId::kInt32:
            return keys.values<int32_t>()[i];
        default:
            return keys.values<int64_t>()[i];
    }
}

std::string_view KeyBatch::text(uint64_t i, uint32_t column) const {
    CHECK(i < size() && column < state_->keys.columns.size());
    const arrow::Array& keys = state_->keys.columns[column];
    CHECK(keys.type.is_string());
    return keys.bytes_at(static_cast<int64_t>(i));
}

void KeyBatch::export_to(ArrowArray* out) const {
    arrow::export_batch(state_->keys, out);
}

}  // namespace trefoil
