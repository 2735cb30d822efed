// Reading what the bridge describes in bytes: a parsed statement, a plan. The forms are drawn at
// the end of bridge.h. Tested by decode_test.cpp, without Rust.

#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "engine/engine.h"
#include "engine/statement.h"

namespace trefoil::engine {

// All of a Statement but `parsed`. Errors: XX000 if the bytes are malformed.
Result<Statement> decode_statement(Bytes bytes);

// `parameters`, `access` and `tables` of a QueryPlan; the rest stays as it is. Errors: likewise.
Status decode_plan(Bytes bytes, QueryPlan* plan);

// u32 n, n of (str name, str value, str description). Errors: likewise.
Result<std::vector<Setting>> decode_settings(Bytes bytes);

// u32 n, n strs. Errors: likewise.
Result<std::vector<std::string>> decode_strings(Bytes bytes);

}  // namespace trefoil::engine
