// Sequences as a session uses them, and the sequences that expressions name.
//
// Which numbers a session got is what currval and lastval tell. Expressions that are stored (a
// DEFAULT) name a sequence with its schema, so that they mean the same whatever the search path is;
// their table depends on the sequence, and when that is renamed, they are rewritten.

#pragma once

#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "access/snapshot_catalog.h"
#include "db/activity.h"
#include "engine/sequence_statement.h"
#include "table/sequences.h"
#include "table/transaction.h"

namespace trefoil {

// Threads: the engine's, at once.
class SessionSequences final : public access::SequenceUser {
public:
    SessionSequences(table::Sequences& all, Activities& sessions)
        : all_(all), sessions_(sessions) {}

    // Errors: 55000 for currval and lastval of a session that has no number yet; those of
    // table::Sequences.
    Status call(const access::SequenceCall& call, const catalog::TableDef* sequence,
                std::span<int64_t> out) override;
    void forget();

private:
    Result<int64_t> last() const;

    table::Sequences& all_;
    Activities& sessions_;
    mutable std::mutex mutex_;
    std::map<uint32_t, int64_t> numbers_;  // by sequence
    std::optional<uint32_t> last_;         // the one that gave a number last
};

// The expression with something else in place of the literals that name sequences: `replace` gets
// each name and answers SQL.
Result<std::string> replace_sequences(
    std::string_view sql, const std::function<Result<std::string>(const std::string&)>& replace);
// 'public.s', as stored expressions name a sequence.
std::string sequence_literal(const catalog::TableDef& sequence);
// The expression of a DEFAULT as people are shown it: nextval('s'::regclass).
std::string shown_default(const std::string& sql);
// The names of sequences in an expression, as they stand there.
std::vector<std::string> sequences_in(std::string_view sql);

// Applies options to a new sequence (`is_new`) or to one that is there, whose place is `at`; what
// they say of its owner and its name is left to the caller. RESTART moves `at`. Errors: 22023.
Status apply_options(const engine::SequenceOptions& options, bool is_new,
                     catalog::SequenceDef* sequence, table::Sequences::Place* at);
const engine::SequenceOption* find_option(const engine::SequenceOptions& options,
                                          engine::SequenceOption::Kind kind);

// Makes what the table's defaults say of sequences its dependencies.
void depend_on_sequences(const catalog::Catalog& catalog, catalog::TableDef* table);
// Whether the column's default names the sequence.
bool uses(const catalog::ColumnDef& column, const catalog::TableDef& sequence);
// The columns whose defaults name the sequence, by position.
std::vector<uint32_t> columns_using(const catalog::TableDef& table,
                                    const catalog::TableDef& sequence);

// The column that a sequence belongs to; nullopt if it belongs to none.
struct OwningColumn {
    catalog::TablePtr table;
    uint32_t position = 0;
    const catalog::ColumnDef& def() const { return table->columns[position]; }
};
std::optional<OwningColumn> owner_of(const catalog::Catalog& catalog,
                                     const catalog::TableDef& sequence);
// The table whose identity column the sequence makes numbers for; null if there is none.
catalog::TablePtr identity_table(const catalog::Catalog& catalog,
                                 const catalog::TableDef& sequence);
// The sequence under another name, in the defaults that use it, too.
Status rename_sequence(table::Transaction& t, const catalog::TableDef& before,
                       const std::string& name);
// Takes the defaults of a table away that use the sequence.
Status drop_defaults(table::Transaction& t, const catalog::TableDef& user,
                     const catalog::TableDef& sequence);

// "smallint", "integer", "bigint"
std::string_view type_name(const catalog::SequenceDef& sequence);

}  // namespace trefoil
