// Redo records: encoding and decoding.

#include "table/redo.h"

#include "arrow/serialize.h"
#include "base/check.h"
#include "table/manifest_format.h"

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

bool ascending(const RowIds& ids) {
    for (uint64_t i = 1; i < ids.count(); i++) {
        if (ids.at(i) <= ids.at(i - 1)) return false;
    }
    return true;
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
        out.u32(static_cast<uint32_t>(t.killed.size()));
        for (uint64_t id : t.killed) out.u64(id);
        out.u32(static_cast<uint32_t>(t.parts.size()));
        for (const RedoTable::Rows& rows : t.parts) {
            encode_ids(rows.ids, out);
            Writer columns;
            for (const arrow::Array& column : rows.columns) arrow::serialize(column, columns);
            out.u64(columns.size());
            out.align(8);
            out.bytes(columns.data());
        }
    }
    return out.take();
}

Result<std::vector<RedoTable>> decode_redo(
    Bytes record, const std::function<catalog::TablePtr(uint32_t table)>& find) {
    Reader in(record);
    const uint16_t format = in.u16();
    if (format != kRedoFormat && format != kRedoFormatPrimaryKeyOnly) {
        return Status::unsupported("a redo record of format " + std::to_string(format) +
                                   "; open the database with a newer version");
    }
    const Status malformed = Status::corruption("a redo record is malformed");
    std::vector<RedoTable> tables;
    uint32_t n = in.u32();
    for (uint32_t i = 0; i < n && in.ok(); i++) {
        RedoTable t;
        t.table_id = in.u32();
        t.next_row_id = in.u64();
        if (format == kRedoFormatPrimaryKeyOnly) {
            if (in.u8() & kPrimaryKeysMoved) t.keys_moved = {catalog::kFirstIndexId};
        } else {
            const uint32_t moved = in.u32();
            for (uint32_t k = 0; k < moved && in.ok(); k++) t.keys_moved.push_back(in.u32());
        }
        uint32_t killed = in.u32();
        for (uint32_t k = 0; k < killed && in.ok(); k++) t.killed.push_back(in.u64());
        catalog::TablePtr def = find(t.table_id);
        uint32_t parts = in.u32();
        for (uint32_t p = 0; p < parts && in.ok(); p++) {
            RedoTable::Rows rows{decode_ids(in), {}};
            uint64_t size = in.u64();
            in.align(8);
            Reader columns(in.bytes(size));
            if (!in.ok() || !ascending(rows.ids)) return malformed;
            if (!def) continue;
            for (const catalog::ColumnDef& c : def->columns) {
                ASSIGN_OR_RETURN(arrow::Array column, arrow::deserialize(columns, c.type));
                if (column.length != static_cast<int64_t>(rows.ids.count())) return malformed;
                rows.columns.push_back(std::move(column));
            }
            if (!columns.at_end()) return malformed;
            t.parts.push_back(std::move(rows));
        }
        if (def) tables.push_back(std::move(t));
    }
    if (!in.ok() || !in.at_end()) return malformed;
    return tables;
}

}  // namespace trefoil::table
