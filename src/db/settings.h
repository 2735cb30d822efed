// Settings: what SET changes for one session, beside those that belong to the engine.

#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "trefoil/status.h"

namespace trefoil {

struct Settings {
    bool use_indexes = true;  // trefoil.use_indexes
    bool fast_path = true;    // trefoil.fast_path

    struct Description {
        std::string name, value, about;
    };
    // kNotFound if the name is not one of these; 22023 if the value is not allowed.
    Status set(std::string_view name, std::string_view value);
    Status reset(std::string_view name);
    Result<std::string> get(std::string_view name) const;
    std::vector<Description> all() const;
};

}  // namespace trefoil
