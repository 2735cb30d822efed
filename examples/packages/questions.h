// What one would like to know about one's packages.

#pragma once

#include <string>
#include <vector>

#include "trefoil/database.h"

struct Question {
    std::string title;
    std::string sql;
    bool plan = false;  // the answer is the lines of a plan
};

// `package_id` is the package of the lookups.
std::vector<Question> questions(int64_t package_id);

// Prints each question, its statement, the answer and the time. Stops at the first that fails.
trefoil::Status ask(trefoil::Session& session, const std::vector<Question>& questions);
