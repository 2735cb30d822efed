// The stored form of table definitions, as drawn in catalog_format.h.

#include "arrow/compute.h"
#include "arrow/serialize.h"
#include "arrow/value.h"
#include "base/check.h"
#include "catalog/catalog.h"
#include "catalog/catalog_format.h"

namespace trefoil::catalog {
namespace {

constexpr int kTypeDepthMax = 32;

void encode_type(const arrow::Type& type, Writer& out) {
    out.str(type.format());
    out.u32(static_cast<uint32_t>(type.children.size()));
    for (const arrow::Field& child : type.children) {
        out.str(child.name);
        out.u8(child.nullable);
        encode_type(child.type, out);
    }
}

Result<arrow::Type> decode_type(Reader& in, int depth) {
    if (depth > kTypeDepthMax) return Status::corruption("a column type is nested too deep");
    ASSIGN_OR_RETURN(arrow::Type type, arrow::Type::from_format(in.str()));
    uint32_t children = in.u32();
    for (uint32_t i = 0; i < children && in.ok(); i++) {
        arrow::Field child;
        child.name = in.str();
        child.nullable = in.u8() != 0;
        ASSIGN_OR_RETURN(child.type, decode_type(in, depth + 1));
        type.children.push_back(std::move(child));
    }
    return type;
}

// One value as an array of its own, which starts where 8 bytes line up.
std::string encode_value(const Value& value, const arrow::Type& type) {
    auto array = arrow::make_constant(type, value, 1);
    CHECK(array.ok());
    Writer out;
    arrow::serialize(*array, out);
    return out.take();
}

Result<Value> decode_value(Bytes bytes, const arrow::Type& type) {
    Reader in(bytes);
    ASSIGN_OR_RETURN(arrow::Array array, arrow::deserialize(in, type));
    if (array.length != 1) return Status::corruption("the value of a column is malformed");
    return arrow::value_at(array, 0);
}

Result<ColumnDef> decode_column(Reader& in) {
    ColumnDef c;
    c.id = in.u32();
    c.name = in.str();
    ASSIGN_OR_RETURN(c.type, decode_type(in, 0));
    uint8_t flags = in.u8();
    c.not_null = flags & kNotNull;
    if (flags & kHasCharLength) c.char_length = static_cast<int32_t>(in.u32());
    if (flags & kHasDefault) c.default_sql = std::string(in.str());
    if (flags & kHasMissing) {
        ASSIGN_OR_RETURN(c.missing, decode_value(in.str(), c.type));
    }
    if (flags & kHasComment) c.comment = in.str();
    if (flags & kIsGenerated) c.generated = static_cast<ColumnDef::Generated>(in.u8() & 3);
    const uint32_t uses = c.generated == ColumnDef::Generated::kStored ? in.u32() : 0;
    for (uint32_t i = 0; i < uses && in.ok(); i++) c.uses.push_back(in.u32());
    return c;
}

void encode_index(const TableDef& table, const IndexDef& index, Writer& out) {
    out.u32(index.id);
    out.str(index.name);
    out.u8(static_cast<uint8_t>((index.unique ? kUnique : 0) | (index.is_primary ? kPrimary : 0) |
                                (index.is_constraint ? kConstraint : 0) |
                                (index.is_hash ? kHash : 0) | (index.included > 0 ? kIncludes : 0) |
                                (index.is_partial() ? kPartial : 0)));
    out.u32(static_cast<uint32_t>(index.columns.size()));
    for (size_t i = 0; i < index.columns.size(); i++) {
        const PartOrder order = index.order(i);
        out.u32(table.columns[index.columns[i]].id);
        out.u8(static_cast<uint8_t>((order.descending ? kDescending : 0) |
                                    (order.nulls_first ? kNullsFirst : 0)));
    }
    if (index.included > 0) out.u32(index.included);
    if (!index.is_partial()) return;
    out.u32(static_cast<uint32_t>(index.filters.size()));
    for (uint32_t position : index.filters) out.u32(table.columns[position].id);
    out.str(index.conditions);
}

Result<IndexDef> decode_index(const TableDef& table, Reader& in) {
    IndexDef index;
    index.id = in.u32();
    index.name = in.str();
    const uint8_t flags = in.u8();
    index.unique = flags & kUnique;
    index.is_primary = flags & kPrimary;
    index.is_constraint = flags & kConstraint;
    index.is_hash = flags & kHash;
    const uint32_t columns = in.u32();
    for (uint32_t i = 0; i < columns && in.ok(); i++) {
        const uint32_t id = in.u32();
        const uint8_t order = in.u8();
        if (order > (kDescending | kNullsFirst)) {
            return Status::corruption("an index has an unknown order");
        }
        index.orders.push_back({(order & kDescending) != 0, (order & kNullsFirst) != 0});
        auto position = table.find_column_id(id);
        if (!position) return Status::corruption("an index without its column");
        index.columns.push_back(*position);
    }
    index.included = flags & kIncludes ? in.u32() : 0;
    if (in.ok() && index.included > 0 && index.included >= index.columns.size()) {
        return Status::corruption("an index without a key");
    }
    const uint32_t filters = flags & kPartial ? in.u32() : 0;
    for (uint32_t i = 0; i < filters && in.ok(); i++) {
        auto position = table.find_column_id(in.u32());
        if (!position) return Status::corruption("an index without its condition");
        index.filters.push_back(*position);
    }
    if (flags & kPartial) index.conditions = in.str();
    return index;
}

void encode_check(const TableDef& table, const CheckDef& check, Writer& out) {
    out.str(check.name);
    out.str(check.condition);
    out.u32(static_cast<uint32_t>(check.columns.size()));
    for (uint32_t position : check.columns) out.u32(table.columns[position].id);
}

Result<CheckDef> decode_check(const TableDef& table, Reader& in) {
    CheckDef check;
    check.name = in.str();
    check.condition = in.str();
    const uint32_t columns = in.u32();
    for (uint32_t i = 0; i < columns && in.ok(); i++) {
        auto position = table.find_column_id(in.u32());
        if (!position) return Status::corruption("a CHECK without its column");
        check.columns.push_back(*position);
    }
    return check;
}

void encode_foreign_key(const TableDef& table, const ForeignKeyDef& key, Writer& out) {
    out.str(key.name);
    out.u32(key.table);
    out.u8(key.match_full);
    out.u8(static_cast<uint8_t>(key.on_delete));
    out.u8(static_cast<uint8_t>(key.on_update));
    out.u32(static_cast<uint32_t>(key.columns.size()));
    for (size_t i = 0; i < key.columns.size(); i++) {
        out.u32(table.columns[key.columns[i]].id);
        out.u32(key.referenced[i]);
    }
}

Result<ForeignKeyDef> decode_foreign_key(const TableDef& table, Reader& in) {
    ForeignKeyDef key;
    key.name = in.str();
    key.table = in.u32();
    key.match_full = in.u8() != 0;
    for (ReferenceAction* action : {&key.on_delete, &key.on_update}) {
        *action = static_cast<ReferenceAction>(in.u8());
        if (*action > ReferenceAction::kSetDefault) {
            return Status::corruption("a foreign key has an unknown action");
        }
    }
    const uint32_t columns = in.u32();
    for (uint32_t i = 0; i < columns && in.ok(); i++) {
        auto position = table.find_column_id(in.u32());
        if (!position) return Status::corruption("a foreign key without its column");
        key.columns.push_back(*position);
        key.referenced.push_back(in.u32());
    }
    return key;
}

// The end of format 1.
Status decode_primary_key(TableDef& table, Reader& in) {
    IndexDef key;
    key.id = table.next_index_id++;
    key.unique = key.is_primary = key.is_constraint = true;
    const uint32_t columns = in.u32();
    for (uint32_t i = 0; i < columns && in.ok(); i++) {
        const uint32_t position = in.u32();
        if (position >= table.columns.size()) return Status::corruption("a key without its column");
        key.columns.push_back(position);
    }
    key.name = in.str();
    if (!key.columns.empty()) table.indexes.push_back(std::move(key));
    return {};
}

void encode_sequence(const SequenceDef& s, Writer& out) {
    for (int64_t v : {s.start, s.increment, s.min, s.max}) out.u64(static_cast<uint64_t>(v));
    out.u8(s.cycle);
    out.u32(s.counter);
    out.u64(static_cast<uint64_t>(s.first));
    out.u64(static_cast<uint64_t>(s.cache));
    out.u8(s.bytes);
    out.u8(s.owner.has_value());
    if (s.owner) out.u32(*s.owner);
}

SequenceDef decode_sequence(uint16_t format, Reader& in) {
    SequenceDef s;
    for (int64_t* v : {&s.start, &s.increment, &s.min, &s.max}) {
        *v = static_cast<int64_t>(in.u64());
    }
    s.cycle = in.u8() != 0;
    s.first = s.start;
    if (format <= kTableFormatWithoutForeignKeys) return s;
    s.counter = in.u32();
    s.first = static_cast<int64_t>(in.u64());
    s.cache = static_cast<int64_t>(in.u64());
    s.bytes = in.u8();
    if (in.u8() != 0) s.owner = in.u32();
    return s;
}

// What formats before 5 did not have.
void decode_relation(uint16_t format, Reader& in, TableDef* table) {
    table->kind = static_cast<RelationKind>(in.u8());
    table->schema_name = in.str();
    table->comment = in.str();
    table->query = in.str();
    const uint32_t schemas = in.u32();
    for (uint32_t i = 0; i < schemas && in.ok(); i++) table->search_path.emplace_back(in.str());
    const uint32_t n = in.u32();
    for (uint32_t i = 0; i < n && in.ok(); i++) table->depends_on.push_back(in.u32());
    if (table->kind == RelationKind::kSequence) table->sequence = decode_sequence(format, in);
}

}  // namespace

std::string encode(const TableDef& table) {
    Writer out;
    out.u16(kTableFormat);
    out.u32(table.id);
    out.str(table.name);
    out.u32(table.next_column_id);
    out.u32(static_cast<uint32_t>(table.columns.size()));
    for (const ColumnDef& c : table.columns) {
        out.u32(c.id);
        out.str(c.name);
        encode_type(c.type, out);
        out.u8(static_cast<uint8_t>(
            (c.not_null ? kNotNull : 0) | (c.char_length ? kHasCharLength : 0) |
            (c.default_sql ? kHasDefault : 0) | (c.missing.is_null() ? 0 : kHasMissing) |
            (c.comment.empty() ? 0 : kHasComment) |
            (c.generated == ColumnDef::Generated::kNo ? 0 : kIsGenerated)));
        if (c.char_length) out.u32(static_cast<uint32_t>(*c.char_length));
        if (c.default_sql) out.str(*c.default_sql);
        if (!c.missing.is_null()) out.str(encode_value(c.missing, c.type));
        if (!c.comment.empty()) out.str(c.comment);
        if (c.generated != ColumnDef::Generated::kNo) out.u8(static_cast<uint8_t>(c.generated));
        if (c.generated != ColumnDef::Generated::kStored) continue;
        out.u32(static_cast<uint32_t>(c.uses.size()));
        for (uint32_t id : c.uses) out.u32(id);
    }
    out.u32(table.next_index_id);
    out.u32(static_cast<uint32_t>(table.indexes.size()));
    for (const IndexDef& index : table.indexes) encode_index(table, index, out);
    out.u32(static_cast<uint32_t>(table.checks.size()));
    for (const CheckDef& check : table.checks) encode_check(table, check, out);
    out.u8(static_cast<uint8_t>(table.kind));
    out.str(table.schema_name);
    out.str(table.comment);
    out.str(table.query);
    out.strs(table.search_path);
    out.u32(static_cast<uint32_t>(table.depends_on.size()));
    for (uint32_t id : table.depends_on) out.u32(id);
    if (table.kind == RelationKind::kSequence) encode_sequence(table.sequence, out);
    out.u32(static_cast<uint32_t>(table.foreign_keys.size()));
    for (const ForeignKeyDef& key : table.foreign_keys) encode_foreign_key(table, key, out);
    return out.take();
}

Result<TableDef> decode(Bytes data) {
    Reader in(data);
    uint16_t format = in.u16();
    if (format < kTableFormatPrimaryKeyOnly || format > kTableFormat) {
        return Status::unsupported("a table definition of format " + std::to_string(format) +
                                   "; this program reads format " + std::to_string(kTableFormat) +
                                   ": open the database with a newer version");
    }
    TableDef table;
    table.id = in.u32();
    table.name = in.str();
    table.next_column_id = in.u32();
    uint32_t columns = in.u32();
    for (uint32_t i = 0; i < columns && in.ok(); i++) {
        ASSIGN_OR_RETURN(ColumnDef c, decode_column(in));
        table.columns.push_back(std::move(c));
    }
    if (format == kTableFormatPrimaryKeyOnly) {
        RETURN_IF_ERROR(decode_primary_key(table, in));
    } else {
        table.next_index_id = in.u32();
        const uint32_t indexes = in.u32();
        for (uint32_t i = 0; i < indexes && in.ok(); i++) {
            ASSIGN_OR_RETURN(IndexDef index, decode_index(table, in));
            table.indexes.push_back(std::move(index));
        }
    }
    const uint32_t checks = format > kTableFormatWithoutChecks ? in.u32() : 0;
    for (uint32_t i = 0; i < checks && in.ok(); i++) {
        ASSIGN_OR_RETURN(CheckDef check, decode_check(table, in));
        table.checks.push_back(std::move(check));
    }
    if (format > kTableFormatTablesOnly) decode_relation(format, in, &table);
    const uint32_t foreign_keys = format > kTableFormatWithoutForeignKeys ? in.u32() : 0;
    for (uint32_t i = 0; i < foreign_keys && in.ok(); i++) {
        ASSIGN_OR_RETURN(ForeignKeyDef key, decode_foreign_key(table, in));
        table.foreign_keys.push_back(std::move(key));
    }
    if (!in.ok() || !in.at_end() || table.kind > RelationKind::kSchema) {
        return Status::corruption("a table definition is malformed");
    }
    table.finish();
    return table;
}

}  // namespace trefoil::catalog
