// System tables about sequences:
//
//     trefoil_sequences              each with its options, where it stands and whose it is
//     information_schema.sequences   the same in the standard's words, without those of identities

#include "base/check.h"
#include "db/database_state.h"
#include "db/sequences.h"
#include "db/system_tables.h"

namespace trefoil {
namespace {

template <typename F>
void for_each_sequence(const table::Version& version, F&& add) {
    for (const catalog::TablePtr& r : version.catalog->relations()) {
        if (r->kind == catalog::RelationKind::kSequence) add(*r);
    }
}

// "t.id", or NULL.
Value owner_name(const catalog::Catalog& catalog, const catalog::TableDef& sequence) {
    const auto owner = owner_of(catalog, sequence);
    return owner ? Value(owner->table->full_name() + "." + owner->def().name) : Value();
}

TableRows sequences(Database::State& db, const table::Version& version) {
    TableRows rows;
    for_each_sequence(version, [&](const catalog::TableDef& def) {
        const catalog::SequenceDef& s = def.sequence;
        auto place = db.tables->sequences().place(def);
        Value last;
        if (place.ok() && place->is_called) last = place->value;
        rows.push_back({def.schema_name, def.name, std::string(type_name(s)),
                        s.cycle ? "YES" : "NO", owner_name(*version.catalog, def), s.start, s.min,
                        s.max, s.increment, s.cache, last});
    });
    return rows;
}

TableRows standard_sequences(const table::Version& version) {
    TableRows rows;
    for_each_sequence(version, [&](const catalog::TableDef& def) {
        if (identity_table(*version.catalog, def)) return;
        const catalog::SequenceDef& s = def.sequence;
        rows.push_back({"trefoil", def.schema_name, def.name, std::string(type_name(s)),
                        std::to_string(s.start), std::to_string(s.min), std::to_string(s.max),
                        std::to_string(s.increment), s.cycle ? "YES" : "NO", int64_t{s.bytes} * 8,
                        int64_t{2}, int64_t{0}});
    });
    return rows;
}

}  // namespace

void add_sequence_tables(Database::State& db, access::VirtualTables& all) {
    add_table(all, "trefoil_sequences", {"schema", "name", "type", "cycle", "owned_by"},
              {"start_value", "min_value", "max_value", "increment_by", "cache_size", "last_value"},
              [&db](const table::Version& version) { return sequences(db, version); });
    add_table(all, "information_schema.sequences",
              {"sequence_catalog", "sequence_schema", "sequence_name", "data_type", "start_value",
               "minimum_value", "maximum_value", "increment", "cycle_option"},
              {"numeric_precision", "numeric_precision_radix", "numeric_scale"},
              standard_sequences);
}

}  // namespace trefoil
