// GivenRows: a catalog, and beside its tables some rows that are at hand.
//
// A statement of several parts hands rows from one part to the next under names that no text can
// write (they begin with the character 1): the rows that ON CONFLICT found in their place, the rows
// that a data-changing WITH returned, the rows of a bulk append.

#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "access/source.h"

namespace trefoil::access {

class GivenRows final : public SourceCatalog {
public:
    // `base` must outlive this.
    explicit GivenRows(const SourceCatalog& base) : base_(base) {}

    // The table `name` is these batches from now on; none of them may be empty.
    void set(std::string name, arrow::SchemaPtr schema, std::vector<arrow::Batch> batches);
    // The table `name` is what the stream yields. It can be read once, and must live as long.
    void set(std::string name, BatchStream& stream);

    Result<std::shared_ptr<TableSource>> find(std::string_view name, bool row_ids) const override;
    std::vector<std::string> table_names() const override { return base_.table_names(); }
    std::vector<std::string> schemas() const override { return base_.schemas(); }
    std::optional<std::string> relation_name(std::string_view name) const override {
        return base_.relation_name(name);
    }
    Status call_sequence(const SequenceCall& call, std::span<int64_t> out) const override {
        return base_.call_sequence(call, out);
    }

private:
    const SourceCatalog& base_;
    std::map<std::string, std::shared_ptr<TableSource>, std::less<>> given_;
};

}  // namespace trefoil::access
