// CustomRegistry: the tables that the program has plugged into an open database.
//
// Readers take the map of the moment and keep it for their statement; a change makes a new map with
// a higher generation, by which plans that were made for an older one are told.

#pragma once

#include <memory>
#include <mutex>
#include <string_view>

#include "access/custom_def.h"

namespace trefoil {

class CustomRegistry {
public:
    access::CustomTablesPtr current() const {
        std::lock_guard lock(mutex_);
        return tables_;
    }
    bool contains(std::string_view name) const { return current()->by_name.contains(name); }

    // Errors: 42P07 if there is one of this name.
    Status add(access::CustomTableDefPtr table);
    // Errors: 42P01 if there is none.
    Status remove(std::string_view name);

private:
    mutable std::mutex mutex_;
    access::CustomTablesPtr tables_ = std::make_shared<access::CustomTables>();
};

}  // namespace trefoil
