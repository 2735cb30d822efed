// References: reading keys, finding the rows that refer to them, and the checks.

#include "table/references.h"

#include <algorithm>
#include <functional>
#include <optional>

#include "arrow/builder.h"
#include "arrow/value.h"
#include "base/check.h"
#include "table/keyed_rows.h"

namespace trefoil::table {
namespace {

using catalog::ForeignKeyDef;
using catalog::ReferenceAction;
using catalog::TableDef;
using index::Key;
using index::KeyEncoder;

using Positions = std::vector<uint32_t>;

// The key of a row, as the index that is referred to has it.
struct ReadKey {
    bool some_null = false, all_null = true;
    std::optional<Key> key;  // none if there is a NULL, or a number that the index cannot hold
};

// Reads keys from rows of one table, chunk by chunk.
class KeyReader {
public:
    // The columns stand in the order of the encoder.
    KeyReader(Positions positions, const KeyEncoder& encoder)
        : positions_(std::move(positions)), encoder_(&encoder), columns_(positions_.size()) {}

    Result<ReadKey> read(const Chunk& chunk, uint32_t row) {
        if (&chunk != chunk_) RETURN_IF_ERROR(turn_to(chunk));
        ReadKey out;
        for (const arrow::Array* column : columns_) {
            const bool valid = column->is_valid(row);
            out.some_null = out.some_null || !valid;
            out.all_null = out.all_null && !valid;
        }
        if (out.some_null) return out;
        if (same_types_) {
            out.key = encoder_->encode(columns_, row);
            return out;
        }
        std::vector<Value> values;
        for (size_t i = 0; i < columns_.size(); i++) {
            auto converted = encoder_->convert(arrow::value_at(*columns_[i], row), i);
            if (converted.kind != KeyEncoder::Converted::Kind::kExact) return out;
            values.push_back(std::move(converted.value));
        }
        out.key = encoder_->encode(values);
        return out;
    }

private:
    Status turn_to(const Chunk& chunk) {
        same_types_ = true;
        for (size_t i = 0; i < positions_.size(); i++) {
            ASSIGN_OR_RETURN(columns_[i], chunk.column(positions_[i]));
            same_types_ = same_types_ && columns_[i]->type == encoder_->types()[i];
        }
        chunk_ = &chunk;
        return {};
    }

    Positions positions_;
    const KeyEncoder* encoder_;
    const Chunk* chunk_ = nullptr;
    std::vector<const arrow::Array*> columns_;
    bool same_types_ = true;
};

// Where columns with these ids are; nullopt if one is not there.
std::optional<Positions> positions_of(const TableDef& table, const std::vector<uint32_t>& ids) {
    Positions out;
    for (uint32_t id : ids) {
        auto position = table.find_column_id(id);
        if (!position) return std::nullopt;
        out.push_back(*position);
    }
    return out;
}

}  // namespace

// A foreign key with both of its tables, as one version shows them.
struct Relation {
    const TableDef* child = nullptr;
    const ForeignKeyDef* key = nullptr;
    TableVersionPtr parent;
    size_t index = 0;  // of the parent, which holds the keys referred to
    // Ids of the columns in the order of that index.
    std::vector<uint32_t> child_ids, parent_ids;
    bool use_indexes = true;
    ReferenceCounters *child_work = nullptr, *parent_work = nullptr;

    const KeyEncoder& encoder() const { return parent->encoder(index); }
    KeyReader child_reader(const TableDef& table) const {
        return {positions_of(table, child_ids).value(), encoder()};
    }
    KeyReader parent_reader(const TableDef& table) const {
        return {positions_of(table, parent_ids).value(), encoder()};
    }
};

namespace {

// nullopt if the table that it refers to is gone.
std::optional<Relation> relation_of(const Version& version, const TableDef& child,
                                    const ForeignKeyDef& key) {
    Relation out;
    out.child = &child;
    out.key = &key;
    out.parent = version.find(key.table);
    if (!out.parent) return std::nullopt;
    const TableDef& parent = out.parent->def();
    const auto index = catalog::referenced_index(parent, key);
    CHECK(index.has_value());
    out.index = *index;
    for (uint32_t position : parent.indexes[*index].key_columns()) {
        const uint32_t id = parent.columns[position].id;
        const auto at = std::find(key.referenced.begin(), key.referenced.end(), id);
        out.parent_ids.push_back(id);
        out.child_ids.push_back(
            child.columns[key.columns[static_cast<size_t>(at - key.referenced.begin())]].id);
    }
    return out;
}

Status refers_to_nothing(const Relation& r, const std::string& detail) {
    return Status(Code::kInvalidInput, "23503",
                  "insert or update on table \"" + r.child->name +
                      "\" violates foreign key constraint \"" + r.key->name + "\"")
        .with_detail(detail);
}

Status still_referenced(const Relation& r, const std::string& key) {
    return Status(Code::kInvalidInput, "23503",
                  "update or delete on table \"" + r.parent->def().name +
                      "\" violates foreign key constraint \"" + r.key->name + "\" on table \"" +
                      r.child->name + "\"")
        .with_detail(key + " is still referenced from table \"" + r.child->name + "\".");
}

using RowVisitor = std::function<Status(const Chunk& chunk, uint32_t row)>;

Status for_each_row(const TableVersion& table, const RowVisitor& visit) {
    for (size_t i = 0; i < table.part_count(); i++) {
        const Part& part = table.part(i);
        for (uint32_t row = 0; row < part.chunk->rows(); row++) {
            if (!part.is_dead(row)) RETURN_IF_ERROR(visit(*part.chunk, row));
        }
    }
    return {};
}

// Those of the rows that are live.
Status for_each_row(const TableVersion& table, const std::vector<uint64_t>& ids,
                    const RowVisitor& visit) {
    for (uint64_t id : ids) {
        auto at = table.locate(id);
        if (at) RETURN_IF_ERROR(visit(*table.part(at->part).chunk, at->row));
    }
    return {};
}

// --- Rows that refer ----------------------------------------------------------------------------

// A key that rows refer to, and where.
struct Referred {
    Key key;
    const Chunk* chunk;
    uint32_t row;
};

Status mixes_null(const Relation& r) {
    return refers_to_nothing(r, "MATCH FULL does not allow mixing of null and nonnull key values.");
}

// Adds the key that a row refers to, if it refers to one.
Status add_referred(const Relation& r, KeyReader& reader, const Chunk& chunk, uint32_t row,
                    std::vector<Referred>* out) {
    ASSIGN_OR_RETURN(ReadKey read, reader.read(chunk, row));
    if (r.key->match_full && read.some_null && !read.all_null) return mixes_null(r);
    if (read.some_null) return {};
    if (!read.key) {
        ASSIGN_OR_RETURN(std::string text, key_text(*r.child, r.key->columns, chunk, row));
        return refers_to_nothing(
            r, text + " is not present in table \"" + r.parent->def().name + "\".");
    }
    if (out->empty() || out->back().key != *read.key) out->push_back({*read.key, &chunk, row});
    return {};
}

// Each key must be one of the parent's; the rows that have them are answered, by id.
Result<std::vector<uint64_t>> find_parents(const Relation& r, std::vector<Referred>& referred) {
    auto less = [](const Referred& a, const Referred& b) { return a.key < b.key; };
    if (!std::is_sorted(referred.begin(), referred.end(), less)) {
        std::sort(referred.begin(), referred.end(), less);
    }
    std::vector<uint64_t> parents;
    const Key* last = nullptr;
    for (const Referred& one : referred) {
        if (last && *last == one.key) continue;
        last = &one.key;
        r.parent_work->key_lookups++;
        ASSIGN_OR_RETURN(auto at, r.parent->find_key(r.index, one.key, r.parent_work->index));
        if (!at) {
            ASSIGN_OR_RETURN(std::string text,
                             key_text(*r.child, r.key->columns, *one.chunk, one.row));
            return refers_to_nothing(
                r, text + " is not present in table \"" + r.parent->def().name + "\".");
        }
        parents.push_back(r.parent->part(at->part).chunk->row_ids().at(at->row));
    }
    std::sort(parents.begin(), parents.end());
    return parents;
}

// Locks the rows that are referred to. They must be there still, with the keys that the snapshot
// shows: what the transaction did to them itself is nobody else's business.
Status hold(Transaction& txn, const Relation& r, std::vector<uint64_t> parents) {
    std::erase_if(parents, [](uint64_t id) { return id >= kPrivateRowId; });
    if (parents.empty()) return {};
    const TableDef& table = r.parent->def();
    RETURN_IF_ERROR(txn.wait_for_rows(table, parents, LockMode::kKeyShare));
    ASSIGN_OR_RETURN(VersionPtr newest, txn.newest());
    const TableVersionPtr now = newest->find(table.id), seen = txn.snapshot()->find(table.id);
    if (now == seen) return {};
    if (!now || !seen || !positions_of(now->def(), r.parent_ids)) return changed_meanwhile(table);
    KeyReader reader_now = r.parent_reader(now->def()), reader_seen = r.parent_reader(seen->def());
    for (uint64_t id : parents) {
        const auto at = now->locate(id), was = seen->locate(id);
        if (!at || !was) return changed_meanwhile(table);
        ASSIGN_OR_RETURN(ReadKey is, reader_now.read(*now->part(at->part).chunk, at->row));
        ASSIGN_OR_RETURN(ReadKey before, reader_seen.read(*seen->part(was->part).chunk, was->row));
        if (is.key != before.key) return changed_meanwhile(table);
    }
    return {};
}

// --- Rows that refer to given keys --------------------------------------------------------------

// An index of the child that begins with the columns of the foreign key, in some order. Rows found
// through it are compared with the key, so one of hashes serves, too, if it has no more columns.
struct ChildIndex {
    size_t index;
    std::vector<size_t> order;  // its n-th column is which of the parent's index
};

std::optional<ChildIndex> index_over(const TableDef& child, const std::vector<uint32_t>& ids) {
    for (size_t i = 0; i < child.indexes.size(); i++) {
        const Positions& columns = child.indexes[i].columns;
        if (columns.size() < ids.size()) continue;
        if (child.indexes[i].is_hash && columns.size() > ids.size()) continue;
        ChildIndex out{i, {}};
        for (size_t n = 0; n < ids.size(); n++) {
            const auto at = std::find(ids.begin(), ids.end(), child.columns[columns[n]].id);
            if (at == ids.end()) break;
            out.order.push_back(static_cast<size_t>(at - ids.begin()));
        }
        if (out.order.size() == ids.size()) return out;
    }
    return std::nullopt;
}

// The keys of a child's index that begin with these values of the parent's. nullopt if none can;
// `understood` is cleared if that cannot be said.
std::optional<index::KeyRange> range_of(const TableVersion& child, const ChildIndex& over,
                                        const std::vector<Value>& values, bool* understood) {
    using Kind = KeyEncoder::Converted::Kind;
    const KeyEncoder& encoder = child.encoder(over.index);
    std::vector<Value> parts;
    for (size_t n = 0; n < over.order.size(); n++) {
        auto converted = encoder.convert(values[over.order[n]], n);
        if (converted.kind == Kind::kNotComparable) *understood = false;
        if (converted.kind != Kind::kExact) return std::nullopt;
        parts.push_back(std::move(converted.value));
    }
    const Key key = encoder.encode(parts);
    return parts.size() == encoder.types().size() ? index::KeyRange::exactly(key)
                                                  : index::KeyRange::beginning_with(key);
}

// Calls `visit` for the rows of `child` that refer to one of the keys, by way of an index. False if
// there is none that can.
template <typename Keys>
Result<bool> visit_by_index(const TableVersion& child, const Relation& r, const Keys& keys,
                            const RowVisitor& visit) {
    const auto over = index_over(child.def(), r.child_ids);
    if (!over || !r.use_indexes) return false;
    bool understood = true;
    std::vector<RowSpan> spans;
    for (const auto& [key, lost] : keys) {
        auto range = range_of(child, *over, lost.values, &understood);
        if (!understood) return false;
        if (!range) continue;
        r.child_work->index_ranges++;
        RETURN_IF_ERROR(child.find_range(over->index, *range, &spans, r.child_work->index));
    }
    normalise(&spans);
    for (const RowSpan& span : spans) {
        const Part& part = child.part(span.part);
        for (uint32_t row = span.begin; row < span.end; row++) {
            RETURN_IF_ERROR(visit(*part.chunk, row));
        }
    }
    return true;
}

// Calls `found` with each row of `child` that refers to one of the keys, and that key.
template <typename Keys, typename Found>
Status find_referring(const TableVersion& child, const Relation& r, const Keys& keys,
                      Found&& found) {
    if (!positions_of(child.def(), r.child_ids)) return {};
    KeyReader reader = r.child_reader(child.def());
    auto look = [&](const Chunk& chunk, uint32_t row) -> Status {
        ASSIGN_OR_RETURN(ReadKey read, reader.read(chunk, row));
        if (!read.key) return {};
        auto at = keys.find(*read.key);
        return at == keys.end() ? Status() : found(at->second, chunk, row);
    };
    ASSIGN_OR_RETURN(bool done, visit_by_index(child, r, keys, look));
    if (done) return {};
    r.child_work->scans++;
    r.child_work->rows_scanned += child.live_rows();
    return for_each_row(child, look);
}

// A committed row refers to a key that the transaction took away, and the snapshot does not show
// it.
template <typename Keys>
Status check_unseen(Transaction& txn, const Relation& r, const Keys& keys) {
    ASSIGN_OR_RETURN(VersionPtr newest, txn.newest());
    const TableVersionPtr now = newest->find(r.child->id);
    const TableVersionPtr seen = txn.snapshot()->find(r.child->id);
    if (now == seen) return {};
    if (!now) return changed_meanwhile(*r.child);  // truncated: it is another table now
    std::optional<KeyReader> reader;
    if (seen && positions_of(seen->def(), r.child_ids)) reader.emplace(r.child_reader(seen->def()));
    return find_referring(
        *now, r, keys, [&](const auto& lost, const Chunk& chunk, uint32_t row) -> Status {
            const auto was = seen ? seen->locate(chunk.row_ids().at(row)) : std::nullopt;
            if (!was || !reader) return changed_meanwhile(*r.child);
            ASSIGN_OR_RETURN(ReadKey then, reader->read(*seen->part(was->part).chunk, was->row));
            return then.key == lost.key ? Status() : changed_meanwhile(*r.child);
        });
}

}  // namespace

// --- What a statement did -----------------------------------------------------------------------

// A row as it was and as it is.
struct References::RowChange {
    const Chunk* before = nullptr;
    const Chunk* after = nullptr;
    uint32_t row_before = 0, row_after = 0;

    RowChange(const TableVersion* then, const TableVersion& now, uint64_t id) {
        if (auto at = then ? then->locate(id) : std::nullopt) {
            before = then->part(at->part).chunk.get();
            row_before = at->row;
        }
        if (auto at = now.locate(id)) {
            after = now.part(at->part).chunk.get();
            row_after = at->row;
        }
    }
};

std::optional<Relation> References::relation_of(const TableDef& child, const ForeignKeyDef& key) {
    auto r = table::relation_of(*txn_.view(), child, key);
    if (!r) return r;
    r->use_indexes = use_indexes_;
    r->child_work = &counters_[child.id];
    r->parent_work = &counters_[key.table];
    return r;
}

Status References::note_child(const Version& before, const TouchedRows& touched) {
    const VersionPtr view = txn_.view();
    const catalog::TablePtr child = view->catalog->find(touched.table);
    const TableVersionPtr now = view->find(touched.table), then = before.find(touched.table);
    for (const ForeignKeyDef& key : child->foreign_keys) {
        auto relation = relation_of(*child, key);
        if (!relation) continue;
        std::vector<uint64_t>& rows = referring_[{child->id, key.name}];
        for (uint64_t i = 0; i < touched.new_rows; i++) rows.push_back(touched.first_new + i);
        const bool comparable = then && positions_of(then->def(), relation->child_ids);
        std::optional<KeyReader> reader_then;
        if (comparable) reader_then.emplace(relation->child_reader(then->def()));
        KeyReader reader_now = relation->child_reader(*child);
        for (uint64_t id : touched.rows) {
            const RowChange change(comparable ? then.get() : nullptr, *now, id);
            if (!change.after) continue;
            if (change.before) {
                ASSIGN_OR_RETURN(ReadKey was, reader_then->read(*change.before, change.row_before));
                ASSIGN_OR_RETURN(ReadKey is, reader_now.read(*change.after, change.row_after));
                if (was.key && was.key == is.key) continue;
            }
            rows.push_back(id);
        }
    }
    return {};
}

namespace {

// Collects the values of keys for a Consequence.
class KeyColumns {
public:
    explicit KeyColumns(const TableDef& table, const Positions& positions) : positions_(positions) {
        for (uint32_t position : positions) {
            before_.emplace_back(table.columns[position].type);
            after_.emplace_back(table.columns[position].type);
        }
    }
    Status add(const Chunk& before, const Positions& then, uint32_t row_before, const Chunk* after,
               uint32_t row_after) {
        empty_ = false;
        for (size_t i = 0; i < positions_.size(); i++) {
            ASSIGN_OR_RETURN(const arrow::Array* old, before.column(then[i]));
            before_[i].append_from(*old, row_before);
            if (!after) continue;
            ASSIGN_OR_RETURN(const arrow::Array* now, after->column(positions_[i]));
            after_[i].append_from(*now, row_after);
        }
        return {};
    }
    bool empty() const { return empty_; }
    void finish(bool with_after, Consequence* out) {
        for (auto& column : before_) out->before.push_back(column.finish());
        if (!with_after) return;
        for (auto& column : after_) out->after.push_back(column.finish());
    }

private:
    Positions positions_;
    std::vector<arrow::ColumnBuilder> before_, after_;
    bool empty_ = true;
};

}  // namespace

// The rows of a parent, as they were and as they are.
struct References::ParentRows {
    const TableVersion& then;
    const TableVersion& now;
    Positions key_then;   // in the order of the index
    Positions text_then;  // in the order of the foreign key
    KeyReader reader_then, reader_now;
};

// One row of the parent whose key was lost.
struct References::Loss {
    RowChange change;
    LostKey lost;
};

Result<std::optional<References::Loss>> References::loss_of(ParentRows& rows, uint64_t id) {
    Loss loss{RowChange(&rows.then, rows.now, id), {}};
    const RowChange& change = loss.change;
    if (!change.before) return std::optional<Loss>();
    ASSIGN_OR_RETURN(ReadKey was, rows.reader_then.read(*change.before, change.row_before));
    if (!was.key) return std::optional<Loss>();
    if (change.after) {
        ASSIGN_OR_RETURN(ReadKey is, rows.reader_now.read(*change.after, change.row_after));
        if (was.key == is.key) return std::optional<Loss>();
    }
    loss.lost.key = *was.key;
    for (uint32_t position : rows.key_then) {
        ASSIGN_OR_RETURN(const arrow::Array* column, change.before->column(position));
        loss.lost.values.push_back(arrow::value_at(*column, change.row_before));
    }
    ASSIGN_OR_RETURN(loss.lost.text,
                     key_text(rows.then.def(), rows.text_then, *change.before, change.row_before));
    return std::optional(std::move(loss));
}

// What happened to the rows that one foreign key refers to.
Status References::note_relation(const Relation& r, const TableVersion& then,
                                 const TouchedRows& touched, std::vector<Consequence>* out) {
    const ForeignKeyDef& key = *r.key;
    const TableDef& parent = r.parent->def();
    const auto key_then = positions_of(then.def(), r.parent_ids);
    if (!key_then) return {};
    ParentRows rows{then,
                    *r.parent,
                    *key_then,
                    positions_of(then.def(), key.referenced).value(),
                    {*key_then, r.encoder()},
                    r.parent_reader(parent)};
    const Positions order = positions_of(parent, key.referenced).value();
    KeyColumns deleted(parent, order), changed(parent, order);
    std::map<Key, LostKey> restricted;
    std::vector<uint64_t> renamed;
    auto& lost = lost_[{r.child->id, key.name}];
    for (uint64_t id : touched.rows) {
        ASSIGN_OR_RETURN(auto loss, loss_of(rows, id));
        if (!loss) continue;
        const RowChange& c = loss->change;
        if (c.after && id < kPrivateRowId) renamed.push_back(id);
        const ReferenceAction action = c.after ? key.on_update : key.on_delete;
        if (action == ReferenceAction::kRestrict) restricted.emplace(loss->lost.key, loss->lost);
        if (action > ReferenceAction::kRestrict) {
            RETURN_IF_ERROR(
                (c.after ? changed : deleted)
                    .add(*c.before, rows.text_then, c.row_before, c.after, c.row_after));
        }
        lost.emplace(loss->lost.key, std::move(loss->lost));
    }
    // Whoever deletes a row has this lock already.
    RETURN_IF_ERROR(txn_.lock_rows(parent, renamed, LockMode::kUpdate));
    RETURN_IF_ERROR(refuse_referred(r, restricted));
    for (KeyColumns* columns : {&deleted, &changed}) {
        if (columns->empty()) continue;
        const bool gone = columns == &deleted;
        Consequence consequence{txn_.view()->catalog->find(r.child->id),
                                key,
                                r.parent->def_ptr(),
                                gone ? key.on_delete : key.on_update,
                                gone,
                                {},
                                {}};
        columns->finish(!gone, &consequence);
        out->push_back(std::move(consequence));
    }
    return {};
}

// No row may refer to these keys.
Status References::refuse_referred(const Relation& r, const std::map<Key, LostKey>& keys) {
    if (keys.empty()) return {};
    const TableVersionPtr child = txn_.view()->find(r.child->id);
    return find_referring(*child, r, keys,
                          [&](const LostKey& lost, const Chunk&, uint32_t) -> Status {
                              return still_referenced(r, lost.text);
                          });
}

Result<std::vector<Consequence>> References::note(const Version& before,
                                                  const std::vector<TouchedRows>& touched) {
    const VersionPtr view = txn_.view();
    std::vector<Consequence> out;
    for (const TouchedRows& t : touched) {
        const TableVersionPtr then = before.find(t.table);
        if (!view->find(t.table)) continue;  // dropped by the same statement
        RETURN_IF_ERROR(note_child(before, t));
        if (!then || t.rows.empty()) continue;
        for (const catalog::TablePtr& child : view->catalog->referencing(t.table)) {
            for (const ForeignKeyDef& key : child->foreign_keys) {
                if (key.table != t.table) continue;
                const Relation r = relation_of(*child, key).value();
                RETURN_IF_ERROR(note_relation(r, *then, t, &out));
            }
        }
    }
    return out;
}

// --- The end of the statement -------------------------------------------------------------------

namespace {

// A foreign key of the catalog, by the table that has it and its name; null if it is gone.
const ForeignKeyDef* find_key(const TableDef* table, const std::string& name) {
    if (!table) return nullptr;
    for (const ForeignKeyDef& key : table->foreign_keys) {
        if (key.name == name) return &key;
    }
    return nullptr;
}

}  // namespace

Status References::check() {
    const VersionPtr view = txn_.view();
    for (const auto& [id, rows] : referring_) {
        const catalog::TablePtr child = view->catalog->find(id.first);
        const ForeignKeyDef* key = find_key(child.get(), id.second);
        if (!key || rows.empty()) continue;
        const Relation r = relation_of(*child, *key).value();
        KeyReader reader = r.child_reader(*child);
        std::vector<Referred> referred;
        RETURN_IF_ERROR(
            for_each_row(*view->find(child->id), rows, [&](const Chunk& chunk, uint32_t row) {
                return add_referred(r, reader, chunk, row, &referred);
            }));
        ASSIGN_OR_RETURN(std::vector<uint64_t> parents, find_parents(r, referred));
        RETURN_IF_ERROR(hold(txn_, r, std::move(parents)));
    }
    for (auto& [id, keys] : lost_) {
        const catalog::TablePtr child = view->catalog->find(id.first);
        const ForeignKeyDef* key = find_key(child.get(), id.second);
        if (!key) continue;
        const Relation r = relation_of(*child, *key).value();
        // Another row may have the key now.
        for (auto it = keys.begin(); it != keys.end();) {
            r.parent_work->key_lookups++;
            ASSIGN_OR_RETURN(auto at, r.parent->find_key(r.index, it->first, r.parent_work->index));
            it = at ? keys.erase(it) : std::next(it);
        }
        if (keys.empty()) continue;
        RETURN_IF_ERROR(refuse_referred(r, keys));
        RETURN_IF_ERROR(check_unseen(txn_, r, keys));
    }
    return {};
}

Status check_references(const Version& version, const TableDef& child, const ForeignKeyDef& key) {
    auto r = relation_of(version, child, key);
    CHECK(r.has_value());
    ReferenceCounters counters;
    r->parent_work = r->child_work = &counters;
    KeyReader reader = r->child_reader(child);
    std::vector<Referred> referred;
    RETURN_IF_ERROR(for_each_row(*version.find(child.id), [&](const Chunk& chunk, uint32_t row) {
        return add_referred(*r, reader, chunk, row, &referred);
    }));
    return find_parents(*r, referred).status();
}

}  // namespace trefoil::table
