// Comparing string views and matching LIKE patterns.

#include "access/filter_text.h"

#include <algorithm>
#include <cstring>

namespace trefoil::access {
namespace {

constexpr int32_t kInlineMax = 12;

uint64_t first_half(const arrow::View& v) {
    uint64_t x;
    std::memcpy(&x, &v, 8);
    return x;
}
uint64_t second_half(const arrow::View& v) {
    uint64_t x;
    std::memcpy(&x, reinterpret_cast<const char*>(&v) + 8, 8);
    return x;
}
uint32_t prefix_of(const arrow::View& v) {
    uint32_t x;
    std::memcpy(&x, v.inlined, 4);
    return x;
}

bool is_continuation(char c) {
    return (static_cast<unsigned char>(c) & 0xc0) == 0x80;
}

// Bytes of the character at text[at]. REQUIRES: at < text.size().
size_t character_bytes(std::string_view text, size_t at) {
    size_t n = 1;
    while (at + n < text.size() && is_continuation(text[at + n])) n++;
    return n;
}

char lower(char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
}

// Bytes of the character at text[at] if it is the ASCII character `c`, which is not upper case, but
// for its case; 0 if it is not. Two characters beyond ASCII fold to a letter of ASCII: the long s
// and the Kelvin sign.
size_t folded_match(std::string_view text, size_t at, char c) {
    if (lower(text[at]) == c) return 1;
    if (c == 's' && text.substr(at, 2) == "\u017f") return 2;
    if (c == 'k' && text.substr(at, 3) == "\u212a") return 3;
    return 0;
}

}  // namespace

std::string_view view_bytes(const arrow::View& view, const arrow::Array& array) {
    const auto size = static_cast<size_t>(view.size);
    if (view.size <= kInlineMax) return {view.inlined, size};
    const uint8_t* data = array.buffers[2 + static_cast<size_t>(view.ref.buffer)].data;
    return {reinterpret_cast<const char*>(data) + view.ref.offset, size};
}

TextProbe::TextProbe(std::string_view text) : text_(text) {
    view_.size = static_cast<int32_t>(text.size());
    std::memcpy(view_.inlined, text.data(), std::min<size_t>(text.size(), kInlineMax));
    prefix_order_ = __builtin_bswap32(prefix_of(view_));
    char mask[4] = {};
    std::fill_n(mask, std::min<size_t>(4, text.size()), '\xff');
    std::memcpy(&prefix_mask_, mask, 4);
}

bool TextProbe::equals(const arrow::View& view, const arrow::Array& array) const {
    if (first_half(view) != first_half(view_)) return false;  // size and first four bytes
    if (view.size <= kInlineMax) return second_half(view) == second_half(view_);
    return view_bytes(view, array) == text_;
}

int TextProbe::compare(const arrow::View& view, const arrow::Array& array) const {
    const uint32_t prefix = __builtin_bswap32(prefix_of(view));
    if (prefix != prefix_order_) return prefix < prefix_order_ ? -1 : 1;
    return view_bytes(view, array).compare(text_);
}

bool TextProbe::is_prefix_of(const arrow::View& view, const arrow::Array& array) const {
    if (view.size < view_.size) return false;
    if ((prefix_of(view) ^ prefix_of(view_)) & prefix_mask_) return false;
    return view_.size <= 4 || view_bytes(view, array).starts_with(text_);
}

void LikePattern::add(char c, bool any) {
    Segment& s = segments_.back();
    if (any && s.any.empty()) s.any.assign(s.text.size(), false);
    if (any || s.has_any()) s.any.push_back(any);
    s.text.push_back(ignore_case_ && !any ? lower(c) : c);
    s.characters += any || !is_continuation(c);
}

std::optional<LikePattern> LikePattern::parse(std::string_view pattern, bool ignore_case) {
    LikePattern p;
    p.ignore_case_ = ignore_case;
    bool in_segment = false;
    for (size_t i = 0; i < pattern.size(); i++) {
        char c = pattern[i];
        if (ignore_case && static_cast<unsigned char>(c) >= 0x80) return std::nullopt;
        if (c == '%') {
            p.open_start_ |= i == 0;
            p.open_end_ = true;
            in_segment = false;
            continue;
        }
        const bool any = c == '_';
        // An escape at the very end stands for itself.
        if (c == '\\' && i + 1 < pattern.size()) c = pattern[++i];
        if (ignore_case && static_cast<unsigned char>(c) >= 0x80) return std::nullopt;
        if (!in_segment) p.segments_.emplace_back();
        in_segment = true;
        p.open_end_ = false;
        p.add(c, any);
    }
    return p;
}

bool LikePattern::matches_all() const {
    return segments_.empty() && open_end_;
}

std::optional<std::string_view> LikePattern::exact() const {
    if (ignore_case_ || open_start_ || open_end_) return std::nullopt;
    if (segments_.empty()) return std::string_view();
    if (segments_.size() > 1 || segments_[0].has_any()) return std::nullopt;
    return segments_[0].text;
}

std::optional<std::string_view> LikePattern::only_prefix() const {
    if (ignore_case_ || open_start_ || !open_end_) return std::nullopt;
    if (segments_.size() != 1 || segments_[0].has_any()) return std::nullopt;
    return segments_[0].text;
}

std::string_view LikePattern::prefix() const {
    if (ignore_case_ || open_start_ || segments_.empty()) return {};
    const Segment& s = segments_[0];
    const auto literal = std::find(s.any.begin(), s.any.end(), true) - s.any.begin();
    return s.has_any() ? std::string_view(s.text).substr(0, static_cast<size_t>(literal)) : s.text;
}

std::optional<size_t> LikePattern::match_at(const Segment& segment, std::string_view text,
                                            size_t at) const {
    if (!ignore_case_ && !segment.has_any()) {
        if (!text.substr(at).starts_with(segment.text)) return std::nullopt;
        return segment.text.size();
    }
    const size_t start = at;
    for (size_t i = 0; i < segment.text.size(); i++) {
        if (at >= text.size()) return std::nullopt;
        size_t used = 0;
        if (segment.has_any() && segment.any[i]) {
            used = character_bytes(text, at);
        } else if (ignore_case_) {
            used = folded_match(text, at, segment.text[i]);
        } else {
            used = text[at] == segment.text[i];
        }
        if (used == 0) return std::nullopt;
        at += used;
    }
    return at - start;
}

std::optional<size_t> LikePattern::find_end(const Segment& segment, std::string_view text,
                                            size_t at) const {
    if (!ignore_case_ && !segment.has_any()) {
        if (at > text.size()) return std::nullopt;
        const void* found =
            ::memmem(text.data() + at, text.size() - at, segment.text.data(), segment.text.size());
        if (!found) return std::nullopt;
        return static_cast<size_t>(static_cast<const char*>(found) - text.data()) +
               segment.text.size();
    }
    for (; at < text.size(); at += character_bytes(text, at)) {
        if (auto used = match_at(segment, text, at)) return at + *used;
    }
    return std::nullopt;
}

bool LikePattern::match_last(const Segment& segment, std::string_view text, size_t at) const {
    if (!ignore_case_ && !segment.has_any()) {
        return text.size() >= at + segment.text.size() && text.ends_with(segment.text);
    }
    // The segment's characters, counted back from the end, are all that it can match.
    size_t start = text.size();
    for (size_t n = 0; n < segment.characters; n++) {
        if (start <= at) return false;
        start--;
        while (start > at && is_continuation(text[start])) start--;
    }
    auto used = match_at(segment, text, start);
    return used && start + *used == text.size();
}

bool LikePattern::matches(std::string_view text) const {
    size_t at = 0;
    size_t first = 0, end = segments_.size();
    if (!open_start_ && !segments_.empty()) {
        auto used = match_at(segments_[0], text, 0);
        if (!used) return false;
        at = *used;
        first = 1;
        if (end == 1) return open_end_ || at == text.size();
    }
    if (!open_end_ && !segments_.empty()) end--;
    for (size_t i = first; i < end; i++) {
        auto next = find_end(segments_[i], text, at);
        if (!next) return false;
        at = *next;
    }
    if (open_end_) return true;
    return segments_.empty() ? text.empty() : match_last(segments_.back(), text, at);
}

}  // namespace trefoil::access
