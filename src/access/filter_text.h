// Comparing string views and matching LIKE patterns.
//
// A LIKE pattern is cut at its % into segments. The first and the last are anchored (unless the
// pattern begins or ends with %), those between are looked for one after the other, each as far
// left as it will go: a segment matches a fixed number of characters, so going further left never
// loses a match.

#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "arrow/array.h"

namespace trefoil::access {

// A string that views are compared with; looks at size and prefix before it follows a view.
class TextProbe {
public:
    explicit TextProbe(std::string_view text);

    bool equals(const arrow::View& view, const arrow::Array& array) const;
    // Less than 0, 0, more than 0 as the view is less than, equal to, greater than the text,
    // bytewise.
    int compare(const arrow::View& view, const arrow::Array& array) const;
    bool is_prefix_of(const arrow::View& view, const arrow::Array& array) const;

private:
    std::string_view text_;
    arrow::View view_{};         // the text as a view: size, prefix, and all of it if it is short
    uint32_t prefix_order_ = 0;  // the first four bytes as a big-endian number
    uint32_t prefix_mask_ = 0;   // of those bytes of a prefix that the text has
};

// The bytes of a view of `array`.
std::string_view view_bytes(const arrow::View& view, const arrow::Array& array);

class LikePattern {
public:
    // nullopt if it is not understood: ignoring case, with characters beyond ASCII.
    static std::optional<LikePattern> parse(std::string_view pattern, bool ignore_case);

    bool matches(std::string_view text) const;

    // Patterns that are something simpler.
    bool matches_all() const;                             // %
    std::optional<std::string_view> exact() const;        // no wildcard
    std::optional<std::string_view> only_prefix() const;  // abc%
    // What every match begins with; "" if nothing is known.
    std::string_view prefix() const;

private:
    // Characters that follow each other. In `text` each is a literal byte or, where `any` says so,
    // one arbitrary character.
    struct Segment {
        std::string text;
        std::vector<bool> any;  // empty: no arbitrary characters
        bool has_any() const { return !any.empty(); }
        size_t characters = 0;
    };

    void add(char c, bool any);
    // How many bytes of `text` from `at` match the segment; nullopt if they do not.
    std::optional<size_t> match_at(const Segment& segment, std::string_view text, size_t at) const;
    // Where the segment first matches from `at` on, and the end of the match.
    std::optional<size_t> find_end(const Segment& segment, std::string_view text, size_t at) const;
    bool match_last(const Segment& segment, std::string_view text, size_t at) const;

    bool ignore_case_ = false;
    bool open_start_ = false, open_end_ = false;  // begins, ends with %
    std::vector<Segment> segments_;               // none is empty
};

}  // namespace trefoil::access
