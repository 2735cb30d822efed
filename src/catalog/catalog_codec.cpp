// The stored form of table definitions, as drawn in catalog_format.h.

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

Result<ColumnDef> decode_column(Reader& in) {
    ColumnDef c;
    c.id = in.u32();
    c.name = in.str();
    ASSIGN_OR_RETURN(c.type, decode_type(in, 0));
    uint8_t flags = in.u8();
    c.not_null = flags & kNotNull;
    if (flags & kHasCharLength) c.char_length = static_cast<int32_t>(in.u32());
    if (flags & kHasDefault) c.default_sql = std::string(in.str());
    return c;
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
        out.u8(static_cast<uint8_t>((c.not_null ? kNotNull : 0) |
                                    (c.char_length ? kHasCharLength : 0) |
                                    (c.default_sql ? kHasDefault : 0)));
        if (c.char_length) out.u32(static_cast<uint32_t>(*c.char_length));
        if (c.default_sql) out.str(*c.default_sql);
    }
    out.u32(static_cast<uint32_t>(table.primary_key.size()));
    for (uint32_t position : table.primary_key) out.u32(position);
    out.str(table.primary_key_name);
    return out.take();
}

Result<TableDef> decode(Bytes data) {
    Reader in(data);
    uint16_t format = in.u16();
    if (format != kTableFormat) {
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
    uint32_t keys = in.u32();
    for (uint32_t i = 0; i < keys && in.ok(); i++) {
        uint32_t position = in.u32();
        if (position >= table.columns.size()) return Status::corruption("a key without its column");
        table.primary_key.push_back(position);
    }
    table.primary_key_name = in.str();
    if (!in.ok() || !in.at_end()) return Status::corruption("a table definition is malformed");
    table.finish();
    return table;
}

}  // namespace trefoil::catalog
