// StatementCache: statements that were analysed already, by their text.
//
// A plan is good as long as the catalog it was made for is the one that is looked at: DDL makes a
// new Catalog object, and whoever holds a plan for another one makes it anew. Texts whose literals
// were lifted out are entries of their own; a text for which that did not help is remembered too.

#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "access/direct_change.h"
#include "access/point_query.h"
#include "catalog/catalog.h"
#include "engine/engine.h"

namespace trefoil {

struct CachedStatement {
    std::string text;
    engine::Statement statement;
    std::optional<engine::QueryPlan> plan;  // queries, DML, COPY TO
    catalog::CatalogPtr planned_for;        // the catalog of the plan
    uint64_t custom_generation = 0;         // and the program's tables then
    // And whether indexes were to be used; unset if that makes no difference to the plan.
    std::optional<bool> with_indexes;
    catalog::SearchPath search_path;                  // and where names were looked up
    std::shared_ptr<const access::PointQuery> point;  // set if it is a lookup of whole keys
    std::shared_ptr<const access::DirectChange>
        direct;  // set if it is a change by key or of values
    bool not_liftable =
        false;  // a lifted text that cannot run on the fast path; nothing else is set
};

using CachedStatementPtr = std::shared_ptr<CachedStatement>;

class StatementCache {
public:
    static constexpr size_t kEntriesMax = 512;
    static constexpr size_t kTextBytesMax = 64 << 10;  // longer statements are not kept

    // Null if there is none.
    CachedStatementPtr find(std::string_view text);
    void insert(CachedStatementPtr statement);
    void erase(std::string_view text);

private:
    struct Entry {
        std::string text;
        CachedStatementPtr statement;
    };
    std::list<Entry> entries_;  // most recently used first
    std::unordered_map<std::string_view, std::list<Entry>::iterator> by_text_;
};

}  // namespace trefoil
