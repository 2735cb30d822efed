// CHECK: a broken invariant is a bug; the process says where and stops.

#pragma once

#include <cstdio>
#include <cstdlib>

#define CHECK(condition)                                                                         \
    do {                                                                                         \
        if (!(condition)) {                                                                      \
            std::fprintf(stderr, "CHECK failed: %s at %s:%d\n", #condition, __FILE__, __LINE__); \
            std::abort();                                                                        \
        }                                                                                        \
    } while (0)

// Returns the Status of `expression` to the caller unless it is ok.
#define RETURN_IF_ERROR(expression)                                                  \
    do {                                                                             \
        if (::trefoil::Status checked_status = (expression); !checked_status.ok()) { \
            return checked_status;                                                   \
        }                                                                            \
    } while (0)

#define TREFOIL_CONCAT_INNER(a, b) a##b
#define TREFOIL_CONCAT(a, b) TREFOIL_CONCAT_INNER(a, b)

// ASSIGN_OR_RETURN(auto x, call()): x is the value, or the caller gets the Status.
#define ASSIGN_OR_RETURN(declaration, expression) \
    ASSIGN_OR_RETURN_INNER(TREFOIL_CONCAT(result_, __LINE__), declaration, expression)
#define ASSIGN_OR_RETURN_INNER(result, declaration, expression) \
    auto result = (expression);                                 \
    if (!result.ok()) return result.status();                   \
    declaration = std::move(result).value()
