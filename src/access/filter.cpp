// FilterProgram: running compiled conditions over batches and over zone maps.
//
// A batch is worked on in blocks whose bits fit in the first-level cache. Each node narrows the
// bits of its block: an AND hands what is left from one condition to the next, so that the later
// ones, which cost more, look at few rows; an OR gives each condition what the ones before it
// refused.

#include "access/filter.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>

#include "access/filter_kernels.h"
#include "access/filter_node.h"
#include "base/check.h"

namespace trefoil::access {
namespace {

using Kind = FilterNode::Kind;
using plan::CompareOp;

constexpr int64_t kBlockRows = 2048;
using BlockBits = std::array<uint64_t, kBlockRows / 64>;

bool compares(CompareOp op, int order) {
    switch (op) {
        case CompareOp::kEqual:
            return order == 0;
        case CompareOp::kNotEqual:
            return order != 0;
        case CompareOp::kLess:
            return order < 0;
        case CompareOp::kLessEqual:
            return order <= 0;
        case CompareOp::kGreater:
            return order > 0;
        case CompareOp::kGreaterEqual:
            return order >= 0;
    }
    return false;
}

// --- Rows
// ------------------------------------------------------------------------------------------

class BlockRunner {
public:
    BlockRunner(std::span<const arrow::Array* const> columns, int64_t first, int64_t count)
        : columns_(columns), first_(first), count_(count) {}

    // Clears the bits of the rows for which `n` is not true.
    void run(const FilterNode& n, uint64_t* rows) const {
        switch (n.kind) {
            case Kind::kAlways:
                return;
            case Kind::kNever:
                std::fill_n(rows, words(), 0);
                return;
            case Kind::kAnd:
                for (const FilterNode& child : n.children) run(child, rows);
                return;
            case Kind::kOr:
                run_or(n, rows);
                return;
            case Kind::kIsNull:
                run_is_null(n, rows);
                return;
            default:
                break;
        }
        keep_valid_of(array(n.column), rows);
        if (n.kind == Kind::kColumns) keep_valid_of(array(n.other), rows);
        run_leaf(n, rows);
    }

private:
    int64_t words() const { return (count_ + 63) / 64; }
    const arrow::Array& array(uint32_t column) const { return *columns_[column]; }
    int64_t position(const arrow::Array& a) const { return a.offset + first_; }

    const void* values(const arrow::Array& a) const {
        if (a.type.id == arrow::TypeId::kBool) return a.buffers[1].data;
        return a.buffers[1].data + static_cast<size_t>(position(a)) * a.type.byte_width();
    }
    const arrow::View* views(const arrow::Array& a) const {
        return a.values<arrow::View>() + first_;
    }

    void keep_valid_of(const arrow::Array& a, uint64_t* rows) const {
        if (a.null_count == 0 || a.buffers[0].data == nullptr) return;
        keep_valid(a.buffers[0].data, position(a), count_, rows);
    }

    void run_is_null(const FilterNode& n, uint64_t* rows) const {
        const arrow::Array& a = array(n.column);
        if (a.null_count == 0 || a.buffers[0].data == nullptr) {
            std::fill_n(rows, words(), 0);
        } else {
            keep_null(a.buffers[0].data, position(a), count_, rows);
        }
    }

    void run_or(const FilterNode& n, uint64_t* rows) const {
        BlockBits refused, candidates;
        std::copy_n(rows, words(), refused.begin());
        for (const FilterNode& child : n.children) {
            std::copy_n(refused.begin(), words(), candidates.begin());
            run(child, candidates.data());
            for (int64_t w = 0; w < words(); w++) refused[w] &= ~candidates[w];
        }
        for (int64_t w = 0; w < words(); w++) rows[w] &= ~refused[w];
    }

    KeyValues key_values(const FilterNode& n, const arrow::Array& a) const {
        return {n.key_kind, values(a), count_, n.key_kind == KeyKind::kBool ? position(a) : 0};
    }

    void run_leaf(const FilterNode& n, uint64_t* rows) const {
        const arrow::Array& a = array(n.column);
        switch (n.kind) {
            case Kind::kRange:
                keep_in_range(key_values(n, a), n.range, n.negated, rows);
                return;
            case Kind::kKeySet:
                keep_in_set(key_values(n, a), n.keys.get(), n.wide_keys.get(), n.negated, rows);
                return;
            case Kind::kText:
                run_text(n, a, rows);
                return;
            case Kind::kTextSet:
                keep_each(count_, rows, [&, v = views(a)](int64_t i) {
                    return n.texts->contains(view_bytes(v[i], a)) != n.negated;
                });
                return;
            case Kind::kLike:
                run_like(n, a, rows);
                return;
            case Kind::kColumns:
                run_columns(n, a, array(n.other), rows);
                return;
            default:
                return;
        }
    }

    void run_text(const FilterNode& n, const arrow::Array& a, uint64_t* rows) const {
        const TextProbe probe(n.text);
        const arrow::View* v = views(a);
        if (n.op == CompareOp::kEqual || n.op == CompareOp::kNotEqual) {
            const bool wanted = n.op == CompareOp::kEqual;
            keep_each(count_, rows, [&](int64_t i) { return probe.equals(v[i], a) == wanted; });
        } else {
            keep_each(count_, rows,
                      [&](int64_t i) { return compares(n.op, probe.compare(v[i], a)); });
        }
    }

    void run_like(const FilterNode& n, const arrow::Array& a, uint64_t* rows) const {
        const arrow::View* v = views(a);
        if (auto prefix = n.pattern->only_prefix()) {
            const TextProbe probe(*prefix);
            keep_each(count_, rows,
                      [&](int64_t i) { return probe.is_prefix_of(v[i], a) != n.negated; });
            return;
        }
        keep_each(count_, rows,
                  [&](int64_t i) { return n.pattern->matches(view_bytes(v[i], a)) != n.negated; });
    }

    void run_columns(const FilterNode& n, const arrow::Array& a, const arrow::Array& b,
                     uint64_t* rows) const {
        if (n.key_kind == KeyKind::kText) {
            keep_each(count_, rows, [&, v = views(a), w = views(b)](int64_t i) {
                return compares(n.op, view_bytes(v[i], a).compare(view_bytes(w[i], b)));
            });
        } else if (n.key_kind == KeyKind::kBool) {
            keep_each(count_, rows, [&](int64_t i) {
                return compares(n.op, a.bool_at(first_ + i) - b.bool_at(first_ + i));
            });
        } else {
            keep_compared(n.key_kind, n.op, values(a), values(b), count_, rows);
        }
    }

    std::span<const arrow::Array* const> columns_;
    int64_t first_, count_;
};

// --- Zone maps
// -------------------------------------------------------------------------------------

// What is known of the keys of a chunk. Unknown bounds are those of the type.
KeyRange zone_of(const ColumnStatistics& column, const FilterNode& n) {
    KeyRange zone = all_keys(n.key_kind);
    // Where NaN stands depends on who made the bounds: one among them, and nothing is known.
    auto is_nan = [](const Value& v) {
        const auto* d = v.get_if<double>();
        return d && std::isnan(*d);
    };
    if (is_nan(column.min) || is_nan(column.max)) return zone;
    auto bound = [&](const Value& v) -> std::optional<Place> {
        if (v.is_null()) return std::nullopt;
        return place_of(v, n.type);
    };
    if (auto min = bound(column.min); min && min->where == Place::Where::kAt) zone.low = min->low;
    if (auto max = bound(column.max); max && max->where == Place::Where::kAt) zone.high = max->high;
    return zone;
}

bool key_may_match(const FilterNode& n, const ColumnStatistics& column) {
    const KeyRange zone = zone_of(column, n);
    if (n.kind == Kind::kRange) {
        if (n.negated) return zone.low < n.range.low || zone.high > n.range.high;
        return n.range.low <= zone.high && zone.low <= n.range.high;
    }
    if (is_wide(n.key_kind)) {
        if (n.negated) return zone.low != zone.high || !n.wide_keys->contains(zone.low);
        return n.wide_keys->any_within(zone.low, zone.high);
    }
    const int64_t low = narrow_key(n.key_kind, zone.low), high = narrow_key(n.key_kind, zone.high);
    if (n.negated) return low != high || !n.keys->contains(low);
    return n.keys->any_within(low, high);
}

std::optional<std::string_view> text_bound(const Value& v) {
    if (const auto* text = v.get_if<std::string>()) return *text;
    if (const auto* blob = v.get_if<Blob>()) return blob->bytes;
    return std::nullopt;
}

bool text_may_match(const FilterNode& n, const ColumnStatistics& column) {
    const auto min = text_bound(column.min), max = text_bound(column.max);
    if (!min || !max) return true;
    if (n.kind == Kind::kTextSet) {
        if (n.negated) return *min != *max || !n.texts->contains(*min);
        return n.texts->any_within(*min, *max);
    }
    if (n.kind == Kind::kLike) {
        const std::string_view prefix = n.pattern->prefix();
        if (n.negated) return true;
        return *max >= prefix && (*min <= prefix || min->starts_with(prefix));
    }
    switch (n.op) {
        case CompareOp::kEqual:
            return *min <= n.text && n.text <= *max;
        case CompareOp::kNotEqual:
            return *min != n.text || *max != n.text;
        case CompareOp::kLess:
            return *min < n.text;
        case CompareOp::kLessEqual:
            return *min <= n.text;
        case CompareOp::kGreater:
            return *max > n.text;
        case CompareOp::kGreaterEqual:
            return *max >= n.text;
    }
    return true;
}

bool node_may_match(const FilterNode& n, std::span<const ColumnStatistics> columns,
                    uint64_t row_count) {
    auto child_may = [&](const FilterNode& c) { return node_may_match(c, columns, row_count); };
    auto all_null = [&](uint32_t column) { return columns[column].null_count == row_count; };
    switch (n.kind) {
        case Kind::kNever:
            return false;
        case Kind::kAlways:
            return true;
        case Kind::kAnd:
            return std::all_of(n.children.begin(), n.children.end(), child_may);
        case Kind::kOr:
            return std::any_of(n.children.begin(), n.children.end(), child_may);
        case Kind::kIsNull:
            return columns[n.column].null_count != 0;
        case Kind::kIsNotNull:
            return !all_null(n.column);
        case Kind::kColumns:
            return !all_null(n.column) && !all_null(n.other);
        default:
            break;
    }
    if (all_null(n.column)) return false;
    return n.key_kind == KeyKind::kText ? text_may_match(n, columns[n.column])
                                        : key_may_match(n, columns[n.column]);
}

// --- Columns
// ---------------------------------------------------------------------------------------

bool reads_column(const FilterNode& n) {
    return n.kind != Kind::kNever && n.kind != Kind::kAlways && n.children.empty();
}

void collect_columns(const FilterNode& n, std::vector<uint32_t>* columns) {
    if (reads_column(n)) columns->push_back(n.column);
    if (n.kind == Kind::kColumns) columns->push_back(n.other);
    for (const FilterNode& child : n.children) collect_columns(child, columns);
}

void renumber(const std::vector<uint32_t>& columns, FilterNode* n) {
    auto index = [&](uint32_t column) {
        return static_cast<uint32_t>(std::lower_bound(columns.begin(), columns.end(), column) -
                                     columns.begin());
    };
    if (reads_column(*n)) n->column = index(n->column);
    if (n->kind == Kind::kColumns) n->other = index(n->other);
    for (FilterNode& child : n->children) renumber(columns, &child);
}

}  // namespace

void Selection::offsets(std::vector<uint32_t>* out) const {
    // Each word writes up to 64 numbers in runs of eight, more than it has; the next overwrites
    // them.
    out->resize(static_cast<size_t>(count) + 64);
    uint32_t* to = out->data();
    for (size_t w = 0; w < words.size(); w++) {
        uint64_t left = words[w];
        const int n = std::popcount(left);
        const auto base = static_cast<uint32_t>(w * 64);
        for (int i = 0; i < n; i += 8) {
            for (int k = 0; k < 8; k++) {
                to[i + k] = base + static_cast<uint32_t>(std::countr_zero(left));
                left &= left - 1;
            }
        }
        to += n;
    }
    out->resize(static_cast<size_t>(count));
}

FilterSupport supports(const plan::Expr& filter, const arrow::Schema& schema) {
    return compile_filter(filter, schema, true).ok() ? FilterSupport::kExact : FilterSupport::kNone;
}

Result<FilterProgram> FilterProgram::compile(std::span<const plan::Expr> filters,
                                             const arrow::Schema& schema) {
    std::vector<FilterNode> conditions;
    for (const plan::Expr& filter : filters) {
        ASSIGN_OR_RETURN(FilterNode n, compile_filter(filter, schema, false));
        conditions.push_back(std::move(n));
    }
    auto root = std::make_shared<FilterNode>(conjunction(std::move(conditions)));
    std::vector<uint32_t> columns;
    collect_columns(*root, &columns);
    std::sort(columns.begin(), columns.end());
    columns.erase(std::unique(columns.begin(), columns.end()), columns.end());
    renumber(columns, root.get());
    return FilterProgram(std::move(root), std::move(columns));
}

bool FilterProgram::is_always() const {
    return root_->kind == Kind::kAlways;
}
bool FilterProgram::is_never() const {
    return root_->kind == Kind::kNever;
}

void FilterProgram::select(std::span<const arrow::Array* const> columns, int64_t rows,
                           Selection* out) const {
    CHECK(columns.size() == columns_.size());
    out->rows = rows;
    out->words.assign(static_cast<size_t>((rows + 63) / 64), ~uint64_t{0});
    if (rows % 64 != 0) out->words.back() >>= 64 - rows % 64;
    out->count = 0;
    for (int64_t first = 0; first < rows; first += kBlockRows) {
        const int64_t count = std::min(kBlockRows, rows - first);
        uint64_t* bits = out->words.data() + first / 64;
        BlockRunner(columns, first, count).run(*root_, bits);
        for (int64_t w = 0; w * 64 < count; w++) out->count += std::popcount(bits[w]);
    }
}

void FilterProgram::select(const arrow::Batch& batch, Selection* out) const {
    std::vector<const arrow::Array*> columns;
    for (uint32_t c : columns_) columns.push_back(&batch.columns[c]);
    select(columns, batch.rows, out);
}

bool FilterProgram::may_match(std::span<const ColumnStatistics> columns, uint64_t row_count) const {
    CHECK(columns.size() == columns_.size());
    return row_count > 0 && node_may_match(*root_, columns, row_count);
}

}  // namespace trefoil::access
