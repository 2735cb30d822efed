// Redo records: encoding and decoding.

#include "table/redo.h"

#include <map>
#include <span>

#include "arrow/compute.h"
#include "arrow/serialize.h"
#include "base/check.h"
#include "table/manifest_format.h"
#include "table/segment.h"

namespace trefoil::table {
namespace {

void encode_ids(const RowIds& ids, Writer& out) {
    out.u32(static_cast<uint32_t>(ids.count()));
    out.u8(ids.is_dense());
    if (ids.is_dense()) {
        out.u64(ids.first());
    } else {
        for (uint64_t id : ids.list()) out.u64(id);
    }
}

RowIds decode_ids(Reader& in) {
    uint32_t rows = in.u32();
    if (in.u8()) return RowIds::dense(in.u64(), rows);
    std::vector<uint64_t> ids;
    for (uint32_t i = 0; i < rows && in.ok(); i++) ids.push_back(in.u64());
    return RowIds::listed(std::move(ids));
}

std::vector<uint32_t> decode_list(Reader& in) {
    std::vector<uint32_t> list;
    const uint32_t n = in.u32();
    for (uint32_t i = 0; i < n && in.ok(); i++) list.push_back(in.u32());
    return list;
}

bool ascending(const RowIds& ids) {
    for (uint64_t i = 1; i < ids.count(); i++) {
        if (ids.at(i) <= ids.at(i - 1)) return false;
    }
    return true;
}

Status malformed() {
    return Status::corruption("a redo record is malformed");
}

Result<arrow::Array> decode_column(Bytes bytes, const arrow::Type& type, const RowIds& ids) {
    Reader in(bytes);
    ASSIGN_OR_RETURN(arrow::Array column, arrow::deserialize(in, type));
    if (column.length != static_cast<int64_t>(ids.count()) || !in.at_end()) return malformed();
    return column;
}

// The columns that the table has now, out of those that it had then. A dropped table takes none.
Status decode_columns(Reader& in, const catalog::TableDef* def, std::span<const uint32_t> ids,
                      RedoTable::Rows* rows) {
    std::map<uint32_t, Bytes> stored;
    for (uint32_t id : ids) {
        const uint64_t size = in.u64();
        in.align(8);
        stored[id] = in.bytes(size);
    }
    if (!in.ok()) return malformed();
    for (size_t i = 0; def && i < def->columns.size(); i++) {
        const catalog::ColumnDef& c = def->columns[i];
        auto bytes = stored.find(c.id);
        ASSIGN_OR_RETURN(
            arrow::Array column,
            bytes != stored.end()
                ? decode_column(bytes->second, c.type, rows->ids)
                : arrow::make_constant(c.type, c.missing, static_cast<int64_t>(rows->ids.count())));
        rows->columns.push_back(std::move(column));
    }
    return {};
}

// Formats 1 and 2: the columns one after the other. Tables could not be altered then.
Status decode_old_columns(Reader& in, const catalog::TableDef* def, RedoTable::Rows* rows) {
    const uint64_t size = in.u64();
    in.align(8);
    Reader columns(in.bytes(size));
    if (!in.ok()) return malformed();
    if (!def) return {};
    for (const catalog::ColumnDef& c : def->columns) {
        ASSIGN_OR_RETURN(arrow::Array column, arrow::deserialize(columns, c.type));
        if (column.length != static_cast<int64_t>(rows->ids.count())) return malformed();
        rows->columns.push_back(std::move(column));
    }
    return columns.at_end() ? Status() : malformed();
}

}  // namespace

std::string encode_redo(const std::vector<RedoTable>& tables) {
    Writer out;
    out.u16(kRedoFormat);
    out.u32(static_cast<uint32_t>(tables.size()));
    for (const RedoTable& t : tables) {
        out.u32(t.table_id);
        out.u64(t.next_row_id);
        out.u32(static_cast<uint32_t>(t.keys_moved.size()));
        for (uint32_t id : t.keys_moved) out.u32(id);
        out.u32(static_cast<uint32_t>(t.column_ids.size()));
        for (uint32_t id : t.column_ids) out.u32(id);
        out.u32(static_cast<uint32_t>(t.killed.size()));
        for (uint64_t id : t.killed) out.u64(id);
        out.u32(static_cast<uint32_t>(t.parts.size()));
        for (const RedoTable::Rows& rows : t.parts) {
            encode_ids(rows.ids, out);
            for (const arrow::Array& values : rows.columns) {
                Writer column;
                arrow::serialize(values, column);
                out.u64(column.size());
                out.align(8);
                out.bytes(column.data());
            }
        }
    }
    return out.take();
}

bool is_old_redo(Bytes record) {
    return Reader(record).u16() <= kRedoFormatAllColumns;
}

Result<std::vector<RedoTable>> decode_redo(
    Bytes record, const std::function<catalog::TablePtr(uint32_t table)>& find) {
    Reader in(record);
    const uint16_t format = in.u16();
    if (format < kRedoFormatPrimaryKeyOnly || format > kRedoFormat) {
        return Status::unsupported("a redo record of format " + std::to_string(format) +
                                   "; open the database with a newer version");
    }
    std::vector<RedoTable> tables;
    uint32_t n = in.u32();
    for (uint32_t i = 0; i < n && in.ok(); i++) {
        RedoTable t;
        t.table_id = in.u32();
        t.next_row_id = in.u64();
        if (format == kRedoFormatPrimaryKeyOnly) {
            if (in.u8() & kPrimaryKeysMoved) t.keys_moved = {catalog::kFirstIndexId};
        } else {
            t.keys_moved = decode_list(in);
        }
        catalog::TablePtr def = find(t.table_id);
        if (format > kRedoFormatAllColumns) {
            t.column_ids = decode_list(in);
        } else if (def) {
            t.column_ids = column_ids(*def);
        }
        uint32_t killed = in.u32();
        for (uint32_t k = 0; k < killed && in.ok(); k++) t.killed.push_back(in.u64());
        uint32_t parts = in.u32();
        for (uint32_t p = 0; p < parts && in.ok(); p++) {
            RedoTable::Rows rows{decode_ids(in), {}};
            if (!in.ok() || !ascending(rows.ids)) return malformed();
            RETURN_IF_ERROR(format <= kRedoFormatAllColumns
                                ? decode_old_columns(in, def.get(), &rows)
                                : decode_columns(in, def.get(), t.column_ids, &rows));
            t.parts.push_back(std::move(rows));
        }
        if (def) tables.push_back(std::move(t));
    }
    if (!in.ok() || !in.at_end()) return malformed();
    return tables;
}

}  // namespace trefoil::table
