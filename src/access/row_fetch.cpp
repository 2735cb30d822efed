// fetch_rows: sorts the places, reads each part once, gathers.

#include "access/row_fetch.h"

#include <algorithm>

#include "arrow/compute.h"

namespace trefoil::access {
namespace {

using table::Location;

// The rows of one part that passed, and what was read of them.
struct PartRows {
    uint32_t part;
    std::vector<uint32_t> rows;  // ascending
    arrow::Batch batch;
};

// Of places in ascending order.
Result<std::vector<PartRows>> read_parts(const RowReader& reader, const table::TableVersion& table,
                                         std::vector<Location> places) {
    places.erase(std::unique(places.begin(), places.end()), places.end());
    std::vector<PartRows> parts;
    for (size_t i = 0; i < places.size();) {
        PartRows part{places[i].part, {}, {}};
        for (; i < places.size() && places[i].part == part.part; i++) {
            part.rows.push_back(places[i].row);
        }
        RETURN_IF_ERROR(reader.filter(table.part(part.part), &part.rows));
        if (part.rows.empty()) continue;
        ASSIGN_OR_RETURN(part.batch, reader.read(table.part(part.part), part.rows));
        parts.push_back(std::move(part));
    }
    return parts;
}

}  // namespace

Result<arrow::Batch> fetch_rows(const RowReader& reader, const table::TableVersion& table,
                                std::span<const Location> places) {
    std::vector<Location> sorted(places.begin(), places.end());
    const bool in_order = std::is_sorted(sorted.begin(), sorted.end());
    if (!in_order) std::sort(sorted.begin(), sorted.end());
    ASSIGN_OR_RETURN(std::vector<PartRows> parts, read_parts(reader, table, std::move(sorted)));
    if (in_order && parts.size() == 1 && parts[0].rows.size() == places.size()) {
        return std::move(parts[0].batch);
    }
    std::vector<arrow::RowRef> picked;
    for (Location at : places) {
        auto part = std::lower_bound(parts.begin(), parts.end(), at.part,
                                     [](const PartRows& p, uint32_t n) { return p.part < n; });
        if (part == parts.end() || part->part != at.part) continue;
        auto row = std::lower_bound(part->rows.begin(), part->rows.end(), at.row);
        if (row == part->rows.end() || *row != at.row) continue;
        picked.push_back({static_cast<uint32_t>(part - parts.begin()),
                          static_cast<uint32_t>(row - part->rows.begin())});
    }
    arrow::Batch out{reader.schema(), static_cast<int64_t>(picked.size()), {}};
    for (size_t c = 0; c < out.schema->fields.size() && !picked.empty(); c++) {
        std::vector<const arrow::Array*> sources;
        for (const PartRows& part : parts) sources.push_back(&part.batch.columns[c]);
        out.columns.push_back(arrow::gather(sources, picked));
    }
    return out;
}

}  // namespace trefoil::access
