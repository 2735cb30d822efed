// Did you mean: near names are found, far ones are not.

#include "base/edit_distance.h"

#include <doctest/doctest.h>

#include <vector>

namespace trefoil {

TEST_CASE("a misspelt name finds the one that was meant") {
    std::vector<std::string> names = {"person", "product", "orders", "id"};
    CHECK(closest_name("persn", names) == "person");
    CHECK(closest_name("Prodcut", names) == "product");
    CHECK(closest_name("order", names) == "orders");
    CHECK(!closest_name("customer", names));
    CHECK(!closest_name("", names));
}

TEST_CASE("the distance counts single edits") {
    CHECK(edit_distance("", "abc") == 3);
    CHECK(edit_distance("abc", "ABC") == 0);
    CHECK(edit_distance("abcd", "acbd") == 1);
    CHECK(edit_distance("kitten", "sitting") == 3);
}

}  // namespace trefoil
