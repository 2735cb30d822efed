// Escapes what RFC 8259 demands and leaves the rest as UTF-8.

#include "shell/json_text.h"

#include <charconv>
#include <cmath>
#include <cstdio>

#include "shell/width.h"

namespace trefoil::shell {

namespace {

void append_double(std::string& out, double value) {
    if (std::isnan(value)) {
        out += "\"NaN\"";
    } else if (std::isinf(value)) {
        out += value > 0 ? "\"Infinity\"" : "\"-Infinity\"";
    } else {
        char buffer[32];
        const auto end = std::to_chars(buffer, buffer + sizeof buffer, value).ptr;
        const std::string_view text(buffer, static_cast<size_t>(end - buffer));
        out += text;
        // 3.0 stays a floating-point number for readers that tell the two apart.
        if (text.find_first_of(".e") == text.npos) out += ".0";
    }
}

}  // namespace

void append_json_string(std::string& out, std::string_view text) {
    out += '"';
    while (!text.empty()) {
        const std::string_view before = text;
        const char32_t c = take_code_point(text);
        const std::string_view bytes = before.substr(0, before.size() - text.size());
        switch (c) {
            case '"':
                out += "\\\"";
                break;
            case '\\':
                out += "\\\\";
                break;
            case '\n':
                out += "\\n";
                break;
            case '\r':
                out += "\\r";
                break;
            case '\t':
                out += "\\t";
                break;
            case '\b':
                out += "\\b";
                break;
            case '\f':
                out += "\\f";
                break;
            default:
                if (c < 0x20) {
                    char escape[8];
                    std::snprintf(escape, sizeof escape, "\\u%04x", static_cast<unsigned>(c));
                    out += escape;
                } else if (c == 0xFFFD) {
                    out += "\uFFFD";
                } else {
                    out += bytes;
                }
        }
    }
    out += '"';
}

void append_json_value(std::string& out, const Value& value) {
    if (value.is_null()) {
        out += "null";
    } else if (const bool* boolean = value.get_if<bool>()) {
        out += *boolean ? "true" : "false";
    } else if (const int64_t* integer = value.get_if<int64_t>()) {
        out += std::to_string(*integer);
    } else if (const double* number = value.get_if<double>()) {
        append_double(out, *number);
    } else if (value.get_if<Decimal>() != nullptr) {
        out += value.to_string();
    } else if (const Value::List* list = value.get_if<Value::List>()) {
        out += '[';
        for (size_t i = 0; i < list->size(); i++) {
            if (i > 0) out += ',';
            append_json_value(out, (*list)[i]);
        }
        out += ']';
    } else if (const std::string* text = value.get_if<std::string>()) {
        append_json_string(out, *text);
    } else {
        append_json_string(out, value.to_string());
    }
}

}  // namespace trefoil::shell
