// Questions and answers of a golden script, for those who ask them in another way.
//
// Include after answers.h.

#pragma once

#include <algorithm>
#include <fstream>
#include <string>
#include <vector>

namespace trefoil {

struct Recorded {
    std::string sql;
    std::vector<std::string> rows;  // as Answer::rows
};

inline std::string trimmed(std::string text) {
    text.erase(0, text.find_first_not_of(' '));
    text.erase(text.find_last_not_of(' ') + 1);
    return text;
}

// "1  | Alice | 25" as Answer has it; NULL is an empty field there.
inline std::string fields_of(const std::string& line) {
    std::string out;
    for (size_t at = 0; at <= line.size();) {
        size_t end = std::min(line.find('|', at), line.size());
        const std::string field = trimmed(line.substr(at, end - at));
        out += (field == "NULL" ? "" : field) + "|";
        at = end + 1;
    }
    return out;
}

// The statements of a golden script, with their answers if they are rows.
inline std::vector<Recorded> read_script(const std::string& path) {
    std::vector<Recorded> script;
    std::ifstream file(path);
    REQUIRE_MESSAGE(file, path);
    for (std::string line; std::getline(file, line);) {
        if (!line.starts_with("> ")) continue;
        Recorded one{line.substr(2), {}};
        while (std::getline(file, line) && line != "---") one.sql += " " + line;
        std::getline(file, line);  // names of columns, or a tag
        while (std::getline(file, line) && !line.empty() && !line.starts_with("(")) {
            one.rows.push_back(fields_of(line));
        }
        std::sort(one.rows.begin(), one.rows.end());
        script.push_back(std::move(one));
    }
    return script;
}

}  // namespace trefoil
