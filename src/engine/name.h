// Name: a name in a statement, and where it stands.

#pragma once

#include <cstdint>
#include <string>

namespace trefoil::engine {

struct Name {
    std::string text;       // folded to lower case unless quoted; a catalog::Reference
    uint32_t position = 0;  // byte offset in the statement
};

}  // namespace trefoil::engine
