// Types by the names that SQL has for them: the other way round than Type::sql_name().

#pragma once

#include <string_view>

#include "arrow/type.h"

namespace trefoil::arrow {

// "BIGINT", "decimal(10,2)", "TEXT[]": a type that the store keeps, with PostgreSQL's other names
// (INT8, DOUBLE PRECISION, VARCHAR, ...). Lists have one dimension.
// Errors: 42704 there is no such type, 22023 a DECIMAL of impossible precision or scale.
Result<Type> type_of_sql_name(std::string_view name);

}  // namespace trefoil::arrow
