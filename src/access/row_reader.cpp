// RowReader: slices where rows follow each other, picks where they do not.

#include "access/row_reader.h"

#include "arrow/compute.h"
#include "base/check.h"

namespace trefoil::access {
namespace {

// The row ids of rows as a column.
arrow::Array row_id_column(const table::RowIds& ids, size_t count, auto&& row_at) {
    auto memory = arrow::allocate(count * 8);
    auto* out = reinterpret_cast<uint64_t*>(memory.get());
    for (size_t i = 0; i < count; i++) out[i] = ids.at(row_at(i));
    arrow::Array array;
    array.type = arrow::uint64();
    array.length = static_cast<int64_t>(count);
    array.null_count = 0;
    array.buffers = {{}, {memory.get(), count * 8, memory}};
    return array;
}

}  // namespace

RowReader::RowReader(const table::TableVersion& table, std::vector<uint32_t> projection,
                     arrow::SchemaPtr output, FilterProgram filter)
    : table_(table),
      projection_(std::move(projection)),
      output_(std::move(output)),
      filter_(std::move(filter)) {}

Result<arrow::Batch> RowReader::read(const table::Part& part,
                                     std::span<const uint32_t> rows) const {
    if (rows.back() - rows.front() + 1 == rows.size()) {
        return read_range(part, rows.front(), uint64_t{rows.back()} + 1);
    }
    arrow::Batch batch{output_, static_cast<int64_t>(rows.size()), {}};
    batch.columns.reserve(projection_.size());
    for (uint32_t c : projection_) {
        if (c == table_.def().columns.size()) {
            batch.columns.push_back(row_id_column(part.chunk->row_ids(), rows.size(),
                                                  [&](size_t i) { return rows[i]; }));
            continue;
        }
        ASSIGN_OR_RETURN(const arrow::Array* column, part.chunk->column(c));
        batch.columns.push_back(arrow::take(*column, rows));
    }
    return batch;
}

Result<arrow::Batch> RowReader::read_range(const table::Part& part, uint64_t begin,
                                           uint64_t end) const {
    arrow::Batch batch{output_, static_cast<int64_t>(end - begin), {}};
    batch.columns.reserve(projection_.size());
    for (uint32_t c : projection_) {
        if (c == table_.def().columns.size()) {
            batch.columns.push_back(row_id_column(part.chunk->row_ids(), end - begin,
                                                  [&](size_t i) { return begin + i; }));
            continue;
        }
        ASSIGN_OR_RETURN(const arrow::Array* column, part.chunk->column(c));
        batch.columns.push_back(column->slice(static_cast<int64_t>(begin), batch.rows));
    }
    return batch;
}

Status RowReader::filter(const table::Part& part, std::vector<uint32_t>* rows) const {
    if (rows->empty() || filter_.is_always()) return {};
    std::vector<arrow::Array> taken;
    for (uint32_t c : filter_.columns()) {
        ASSIGN_OR_RETURN(const arrow::Array* column, part.chunk->column(c));
        taken.push_back(arrow::take(*column, *rows));
    }
    std::vector<const arrow::Array*> columns;
    for (const arrow::Array& a : taken) columns.push_back(&a);
    Selection selection;
    filter_.select(columns, static_cast<int64_t>(rows->size()), &selection);
    size_t kept = 0;
    for (size_t i = 0; i < rows->size(); i++) {
        if (selection.words[i >> 6] >> (i & 63) & 1) (*rows)[kept++] = (*rows)[i];
    }
    rows->resize(kept);
    return {};
}

Status RowReader::select(const table::Part& part, uint64_t begin, uint64_t end,
                         std::vector<uint32_t>* rows, bool* all) const {
    const bool dead = part.dead && part.dead->any_in(begin, end);
    *all = false;
    if (filter_.is_always() && !dead) {
        *all = true;
        return {};
    }
    Selection selection;
    if (!filter_.is_always()) {
        std::vector<arrow::Array> slices;
        slices.reserve(filter_.columns().size());
        for (uint32_t c : filter_.columns()) {
            ASSIGN_OR_RETURN(const arrow::Array* column, part.chunk->column(c));
            slices.push_back(
                column->slice(static_cast<int64_t>(begin), static_cast<int64_t>(end - begin)));
        }
        std::vector<const arrow::Array*> columns;
        for (const arrow::Array& a : slices) columns.push_back(&a);
        filter_.select(columns, static_cast<int64_t>(end - begin), &selection);
        if (selection.none()) return {};
        if (selection.all() && !dead) {
            *all = true;
            return {};
        }
    } else {
        selection.rows = selection.count = static_cast<int64_t>(end - begin);
        selection.words.assign((end - begin + 63) / 64, ~uint64_t{0});
        if ((end - begin) % 64) selection.words.back() = (uint64_t{1} << ((end - begin) % 64)) - 1;
    }
    if (dead) {
        // Zones begin at multiples of 64, so the words line up.
        CHECK(begin % 64 == 0);
        for (size_t w = 0; w < selection.words.size(); w++) {
            selection.words[w] &= ~part.dead->words()[begin / 64 + w];
        }
    }
    for (size_t w = 0; w < selection.words.size(); w++) {
        for (uint64_t bits = selection.words[w]; bits; bits &= bits - 1) {
            rows->push_back(static_cast<uint32_t>(begin + w * 64 +
                                                  static_cast<uint64_t>(std::countr_zero(bits))));
        }
    }
    return {};
}

bool RowReader::may_match(const table::Part& part, uint64_t begin, uint64_t end) const {
    const table::ZoneMap* zones = part.chunk->zones();
    if (filter_.is_never()) return false;
    if (!zones || filter_.is_always()) return true;
    std::vector<ColumnStatistics> statistics;
    for (uint32_t c : filter_.columns()) {
        const table::Bounds& b = zones->columns[c].zones[begin / table::kZoneRows];
        ColumnStatistics s;
        s.null_count = b.null_count;
        if (b.known) {
            s.min = b.min;
            s.max = b.max;
        }
        statistics.push_back(std::move(s));
    }
    return filter_.may_match(statistics, end - begin);
}

}  // namespace trefoil::access
