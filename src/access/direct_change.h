// DirectChange: INSERT of given values, UPDATE and DELETE of the row with a key, made ready.
//
// What such a statement does is known once it was planned, so it is run from its parameters alone:
// values go into column builders, a key into the primary index, rows into a TableWriter. The engine
// plans and runs nothing; that saves some fifty microseconds for each row that a program inserts.
//
// It is an offer, never a second opinion: a value that would have to be converted in a way that
// only the engine knows, or a result that is an error, makes run() say "not understood" before
// anything is changed, and the statement takes the ordinary way. Tested by
// tests/agreement/direct_changes.

#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "access/counters.h"
#include "access/direct_form.h"
#include "access/source.h"
#include "arrow/array.h"
#include "table/transaction.h"

namespace trefoil::access {

class DirectChange {
public:
    using Form = DirectForm;

    // nullptr if one of its constants needs the engine. `returned` is the schema of RETURNING.
    static std::shared_ptr<const DirectChange> make(catalog::TablePtr table, Form form,
                                                    arrow::SchemaPtr returned,
                                                    TableCountersPtr counters);

    // False if a parameter is missing, or of a kind that its place does not take as it is.
    bool fits(std::span<const Value> parameters) const;
    bool uses_index() const { return form_.kind != Form::Kind::kInsert; }
    bool uses_sequences() const { return uses_sequences_; }

    struct Outcome {
        uint64_t rows = 0;
        arrow::Batch returned;
    };
    // Does it in `txn`. nullopt: not understood, nothing was done.
    // REQUIRES: fits(parameters), and the table is the one it was made for.
    // `catalog` may be null unless it uses_sequences().
    Result<std::optional<Outcome>> run(table::Transaction& txn, std::span<const Value> parameters,
                                       const SourceCatalog* catalog) const;

    // "Insert: t, 1 row", "Update: t, by t_pkey"
    std::string explain() const;

private:
    // A parameter, and the column whose values it must be like.
    struct Use {
        uint32_t parameter;
        uint32_t column;
        bool key;
        bool operand;
    };

    bool admit(const plan::Expr& value, Use use);
    bool admit_all();
    bool takes(const Use& use, const Value& value) const;
    Result<std::optional<Outcome>> insert(table::Transaction& txn,
                                          std::span<const Value> parameters,
                                          const SourceCatalog* catalog) const;
    Result<std::optional<table::Location>> find(const table::TableVersion& table,
                                                std::span<const Value> parameters,
                                                bool* understood) const;
    std::optional<arrow::Array> assigned(const Form::Assignment& assignment,
                                         const arrow::Array& from,
                                         std::span<const Value> parameters) const;
    arrow::Batch returned_of(const std::vector<arrow::Array>& columns, int64_t rows) const;

    catalog::TablePtr table_;
    Form form_;
    std::vector<Use> uses_;
    bool uses_sequences_ = false;
    arrow::SchemaPtr returned_;
    TableCountersPtr counters_;
};

}  // namespace trefoil::access
