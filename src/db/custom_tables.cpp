// Tables of the program's own: registering them, and giving them up.

#include "db/custom_tables.h"

#include <string>
#include <utility>

#include "base/check.h"
#include "db/database_state.h"

namespace trefoil {

Status CustomRegistry::add(access::CustomTableDefPtr table) {
    std::lock_guard lock(mutex_);
    auto next = std::make_shared<access::CustomTables>(*tables_);
    next->generation++;
    const std::string name = table->name;
    if (!next->by_name.emplace(name, std::move(table)).second) {
        return {Code::kInvalidInput, "42P07", "relation \"" + name + "\" already exists"};
    }
    tables_ = std::move(next);
    return {};
}

Status CustomRegistry::remove(std::string_view name) {
    std::lock_guard lock(mutex_);
    auto next = std::make_shared<access::CustomTables>(*tables_);
    next->generation++;
    auto it = next->by_name.find(name);
    if (it == next->by_name.end()) {
        return {Code::kNotFound, "42P01",
                "no table \"" + std::string(name) + "\" was registered by the program"};
    }
    next->by_name.erase(it);
    tables_ = std::move(next);
    return {};
}

Status Database::register_table(std::string name, std::shared_ptr<const CustomTable> table) {
    auto counters = std::make_shared<access::TableCounters>();
    ASSIGN_OR_RETURN(auto def, access::describe_custom_table(std::move(name), std::move(table),
                                                             std::move(counters)));
    if (state_->system_tables.contains(def->name)) {
        return Status(Code::kInvalidInput, "42939",
                      "\"" + def->name + "\" is the name of a system table");
    }
    ASSIGN_OR_RETURN(table::VersionPtr version, state_->tables->current());
    if (version->catalog->has_relation(catalog::kPublicSchema, def->name)) {
        return Status(Code::kInvalidInput, "42P07",
                      "relation \"" + def->name + "\" already exists");
    }
    return state_->custom_tables.add(std::move(def));
}

Status Database::unregister_table(std::string_view name) {
    return state_->custom_tables.remove(name);
}

}  // namespace trefoil
