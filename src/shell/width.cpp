// Decodes UTF-8 strictly (no overlong forms, no surrogates) and looks widths up in sorted ranges.

#include "shell/width.h"

#include <algorithm>
#include <iterator>

#include "shell/width_table.h"

namespace trefoil::shell {

namespace {

constexpr char32_t kReplacement = 0xFFFD;

template <size_t N>
bool in_ranges(const CodeRange (&ranges)[N], char32_t code_point) {
    const CodeRange* range =
        std::lower_bound(std::begin(ranges), std::end(ranges), code_point,
                         [](const CodeRange& r, char32_t value) { return r.last < value; });
    return range != std::end(ranges) && range->first <= code_point;
}

void append_utf8(std::string& out, char32_t c) {
    if (c < 0x80) {
        out += static_cast<char>(c);
    } else if (c < 0x800) {
        out += static_cast<char>(0xC0 | (c >> 6));
        out += static_cast<char>(0x80 | (c & 0x3F));
    } else if (c < 0x10000) {
        out += static_cast<char>(0xE0 | (c >> 12));
        out += static_cast<char>(0x80 | ((c >> 6) & 0x3F));
        out += static_cast<char>(0x80 | (c & 0x3F));
    } else {
        out += static_cast<char>(0xF0 | (c >> 18));
        out += static_cast<char>(0x80 | ((c >> 12) & 0x3F));
        out += static_cast<char>(0x80 | ((c >> 6) & 0x3F));
        out += static_cast<char>(0x80 | (c & 0x3F));
    }
}

bool is_plain_ascii(std::string_view text) {
    return std::all_of(text.begin(), text.end(),
                       [](unsigned char c) { return c >= 0x20 && c < 0x7F; });
}

}  // namespace

char32_t take_code_point(std::string_view& text) {
    const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
    const unsigned char lead = byte(0);
    size_t size = 1;
    char32_t code_point = lead;
    char32_t least = 0;
    if (lead >= 0x80) {
        if (lead >= 0xC2 && lead <= 0xDF) {
            size = 2, code_point = lead & 0x1F, least = 0x80;
        } else if (lead >= 0xE0 && lead <= 0xEF) {
            size = 3, code_point = lead & 0x0F, least = 0x800;
        } else if (lead >= 0xF0 && lead <= 0xF4) {
            size = 4, code_point = lead & 0x07, least = 0x10000;
        } else {
            text.remove_prefix(1);
            return kReplacement;
        }
        for (size_t i = 1; i < size; i++) {
            if (i >= text.size() || (byte(i) & 0xC0) != 0x80) {
                text.remove_prefix(1);
                return kReplacement;
            }
            code_point = (code_point << 6) | (byte(i) & 0x3F);
        }
        const bool surrogate = code_point >= 0xD800 && code_point <= 0xDFFF;
        if (code_point < least || code_point > 0x10FFFF || surrogate) {
            text.remove_prefix(1);
            return kReplacement;
        }
    }
    text.remove_prefix(size);
    return code_point;
}

int code_point_width(char32_t code_point) {
    if (code_point < 0x20 || (code_point >= 0x7F && code_point < 0xA0)) return 0;
    if (code_point < 0x300) return 1;
    if (in_ranges(kZeroWidth, code_point)) return 0;
    return in_ranges(kDoubleWidth, code_point) ? 2 : 1;
}

int display_width(std::string_view text) {
    if (is_plain_ascii(text)) return static_cast<int>(text.size());
    int width = 0;
    while (!text.empty()) width += code_point_width(take_code_point(text));
    return width;
}

std::string one_line(std::string_view text) {
    if (is_plain_ascii(text)) return std::string(text);
    std::string out;
    while (!text.empty()) {
        const char32_t c = take_code_point(text);
        if (c == '\r' && !text.empty() && text.front() == '\n') continue;  // "\r\n" is one break
        if (c == '\n') {
            out += "↵";
        } else if (c < 0x20) {
            append_utf8(out, 0x2400 + c);
        } else if (c == 0x7F) {
            out += "␡";
        } else if (c >= 0x80 && c < 0xA0) {
            append_utf8(out, kReplacement);
        } else {
            append_utf8(out, c);
        }
    }
    return out;
}

std::string cut_to_width(std::string_view text, int columns) {
    std::string_view rest = text;
    int width = 0;
    size_t fits = 0;  // bytes that leave one column for the ellipsis
    while (!rest.empty()) {
        width += code_point_width(take_code_point(rest));
        if (width <= columns - 1) fits = text.size() - rest.size();
        if (width > columns) return std::string(text.substr(0, fits)) + "…";
    }
    return std::string(text);
}

}  // namespace trefoil::shell
