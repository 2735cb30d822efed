// Did you mean: Damerau's distance, by the textbook table.

#include "base/edit_distance.h"

#include <algorithm>
#include <cctype>
#include <vector>

namespace trefoil {
namespace {

char lower(char c) {
    return static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
}

}  // namespace

size_t edit_distance(std::string_view a, std::string_view b) {
    std::vector<std::vector<size_t>> d(a.size() + 1, std::vector<size_t>(b.size() + 1));
    for (size_t i = 0; i <= a.size(); i++) d[i][0] = i;
    for (size_t j = 0; j <= b.size(); j++) d[0][j] = j;
    for (size_t i = 1; i <= a.size(); i++) {
        for (size_t j = 1; j <= b.size(); j++) {
            const bool same = lower(a[i - 1]) == lower(b[j - 1]);
            d[i][j] =
                std::min({d[i - 1][j] + 1, d[i][j - 1] + 1, d[i - 1][j - 1] + (same ? 0 : 1)});
            if (i > 1 && j > 1 && lower(a[i - 1]) == lower(b[j - 2]) &&
                lower(a[i - 2]) == lower(b[j - 1])) {
                d[i][j] = std::min(d[i][j], d[i - 2][j - 2] + 1);
            }
        }
    }
    return d[a.size()][b.size()];
}

std::optional<std::string> closest_name(std::string_view wanted,
                                        std::span<const std::string> names) {
    constexpr size_t kNameBytesMax = 200;
    if (wanted.empty() || wanted.size() > kNameBytesMax) return std::nullopt;
    std::optional<std::string> best;
    size_t best_distance = std::max<size_t>(1, (wanted.size() + 1) / 3) + 1;
    for (const std::string& name : names) {
        if (name.size() > kNameBytesMax) continue;
        size_t distance = edit_distance(wanted, name);
        if (distance < best_distance) {
            best_distance = distance;
            best = name;
        }
    }
    return best;
}

}  // namespace trefoil
