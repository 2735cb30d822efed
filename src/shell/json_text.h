// SQL values as JSON.
//
// Numbers of every kind become JSON numbers with all their digits (a reader that wants exact
// decimals must parse them as such), lists become arrays, NULL null; dates, times, intervals, UUIDs
// and bytes become strings as SQL prints them. JSON has no NaN and no infinity: these become the
// strings "NaN", "Infinity" and "-Infinity".

#pragma once

#include <string>
#include <string_view>

#include "trefoil/value.h"

namespace trefoil::shell {

// Appends `text` as a JSON string with its quotes. Bytes that are not UTF-8 become U+FFFD.
void append_json_string(std::string& out, std::string_view text);

// Appends `value`.
void append_json_value(std::string& out, const Value& value);

}  // namespace trefoil::shell
