// Partial indexes: their conditions, and implication.

#include "access/partial_index.h"

#include <algorithm>
#include <functional>
#include <optional>
#include <set>

#include "access/key_conditions.h"
#include "base/bytes.h"
#include "index/key_encoder.h"

namespace trefoil::access {
namespace {

using index::KeyRange;
using plan::Expr;

// Where columns are not those of the table.
constexpr uint32_t kNoColumn = UINT32_MAX;

void change_columns(Expr* e, const std::function<uint32_t(uint32_t)>& change) {
    if (e->kind == Expr::Kind::kColumn) e->index = change(e->index);
    for (Expr& child : e->children) change_columns(&child, change);
}

void add_columns(const Expr& e, std::set<uint32_t>* columns) {
    if (e.kind == Expr::Kind::kColumn) columns->insert(e.index);
    for (const Expr& child : e.children) add_columns(child, columns);
}

bool same(const Expr& a, const Expr& b) {
    return a.kind == b.kind && a.op == b.op && a.negated == b.negated &&
           a.ignore_case == b.ignore_case && a.index == b.index && a.value == b.value &&
           a.text == b.text &&
           std::equal(a.children.begin(), a.children.end(), b.children.begin(), b.children.end(),
                      same);
}

bool contains(const KeyRange& outer, const KeyRange& inner) {
    if (inner.is_empty()) return true;
    if (outer.low) {
        if (!inner.low || *inner.low < *outer.low) return false;
        if (*inner.low == *outer.low && inner.low_inclusive && !outer.low_inclusive) return false;
    }
    if (!outer.high) return true;
    if (!inner.high || *outer.high < *inner.high) return false;
    return *inner.high != *outer.high || !inner.high_inclusive || outer.high_inclusive;
}

// The values that conditions leave of one column, as keys among which NULL has one of its own: that
// of a second column makes sure of it.
class Values {
public:
    explicit Values(const catalog::TableDef& table, uint32_t column)
        : keys_({table.columns[column].type, arrow::int64()}, /*nullable=*/true),
          columns_{column, kNoColumn} {}

    // nullopt if they say nothing of it; or, if `exactly`, if they say more.
    std::optional<std::vector<KeyRange>> left_by(std::span<const Expr> conditions,
                                                 bool exactly) const {
        auto found = find_key_conditions(conditions, columns_, keys_);
        if (!found) return std::nullopt;
        if (exactly &&
            std::find(found->exact.begin(), found->exact.end(), false) != found->exact.end()) {
            return std::nullopt;
        }
        std::vector<KeyRange> ranges;
        for (const IndexRange& range : found->ranges) ranges.push_back(encode_range(keys_, range));
        return ranges;
    }

private:
    index::KeyEncoder keys_;
    std::vector<uint32_t> columns_;
};

}  // namespace

std::string encode_conditions(const catalog::TableDef& table, std::span<const Expr> conditions) {
    Writer out;
    out.u32(static_cast<uint32_t>(conditions.size()));
    for (Expr e : conditions) {
        change_columns(&e, [&](uint32_t position) { return table.columns[position].id; });
        plan::encode_expr(e, &out);
    }
    return out.take();
}

Result<std::vector<Expr>> conditions_of(const catalog::TableDef& table,
                                        const catalog::IndexDef& index) {
    std::vector<Expr> conditions;
    if (!index.is_partial()) return conditions;
    Reader in(index.conditions);
    const uint32_t n = in.u32();
    bool known = true;
    for (uint32_t i = 0; i < n && in.ok(); i++) {
        auto e = plan::decode_expr(in);
        if (!e.ok()) break;
        change_columns(&*e, [&](uint32_t id) {
            auto position = table.find_column_id(id);
            known = known && position;
            return position.value_or(kNoColumn);
        });
        conditions.push_back(std::move(*e));
    }
    if (!known || conditions.size() != n || n == 0) {
        return Status::corruption("the conditions of index \"" + index.name + "\" are malformed");
    }
    return conditions;
}

bool implies(std::span<const Expr> known, const Expr& wanted, const catalog::TableDef& table) {
    if (std::any_of(known.begin(), known.end(), [&](const Expr& k) { return same(k, wanted); })) {
        return true;
    }
    std::set<uint32_t> columns;
    add_columns(wanted, &columns);
    if (columns.size() != 1 || *columns.begin() >= table.columns.size() ||
        !catalog::is_key_type(table.columns[*columns.begin()].type)) {
        return false;
    }
    const Values values(table, *columns.begin());
    const auto allowed = values.left_by(std::span(&wanted, 1), /*exactly=*/true);
    const auto left = values.left_by(known, /*exactly=*/false);
    if (!allowed || !left) return false;
    return std::all_of(left->begin(), left->end(), [&](const KeyRange& inner) {
        return std::any_of(allowed->begin(), allowed->end(),
                           [&](const KeyRange& outer) { return contains(outer, inner); });
    });
}

bool holds_all(const catalog::IndexDef& index, std::span<const Expr> filters,
               const catalog::TableDef& table) {
    if (!index.is_partial()) return true;
    const auto conditions = conditions_of(table, index);
    return conditions.ok() &&
           std::all_of(conditions->begin(), conditions->end(),
                       [&](const Expr& condition) { return implies(filters, condition, table); });
}

}  // namespace trefoil::access
