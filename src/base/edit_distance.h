// Did you mean: the name that is closest to a misspelt one.

#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace trefoil {

// Insertions, deletions, changes and swaps of neighbours that turn a into b; letters compare
// without case.
size_t edit_distance(std::string_view a, std::string_view b);

// The name nearest to `wanted`, if it is near enough to be what was meant (a third of its length).
std::optional<std::string> closest_name(std::string_view wanted,
                                        std::span<const std::string> names);

}  // namespace trefoil
