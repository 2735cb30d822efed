// Settings: names, values, descriptions.

#include "db/settings.h"

#include <algorithm>
#include <array>

namespace trefoil {
namespace {

struct Switch {
    std::string_view name;
    bool Settings::* member;
    std::string_view about;
};

constexpr std::array kSwitches = {
    Switch{"trefoil.use_indexes", &Settings::use_indexes,
           "answer conditions on the primary key through its learned index"},
    Switch{"trefoil.fast_path", &Settings::fast_path,
           "run statements that need no relational algebra without the engine"},
};

const Switch* find_switch(std::string_view name) {
    for (const Switch& s : kSwitches) {
        if (s.name == name) return &s;
    }
    return nullptr;
}

Result<bool> parse_switch(std::string_view name, std::string_view value) {
    std::string lower(value);
    std::transform(lower.begin(), lower.end(), lower.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    for (const char* on : {"on", "true", "yes", "1"}) {
        if (lower == on) return true;
    }
    for (const char* off : {"off", "false", "no", "0"}) {
        if (lower == off) return false;
    }
    return Status(Code::kInvalidInput, "22023",
                  "invalid value for \"" + std::string(name) + "\": \"" + std::string(value) + "\"")
        .with_hint("It is a switch: use on or off.");
}

}  // namespace

Status Settings::set(std::string_view name, std::string_view value) {
    const Switch* s = find_switch(name);
    if (!s) return Status::not_found("there is no setting \"" + std::string(name) + "\"");
    auto on = parse_switch(name, value);
    if (!on.ok()) return on.status();
    this->*(s->member) = *on;
    return {};
}

Status Settings::reset(std::string_view name) {
    const Switch* s = find_switch(name);
    if (!s) return Status::not_found("there is no setting \"" + std::string(name) + "\"");
    this->*(s->member) = Settings().*(s->member);
    return {};
}

Result<std::string> Settings::get(std::string_view name) const {
    const Switch* s = find_switch(name);
    if (!s) return Status::not_found("there is no setting \"" + std::string(name) + "\"");
    return std::string(this->*(s->member) ? "on" : "off");
}

std::vector<Settings::Description> Settings::all() const {
    std::vector<Description> out;
    for (const Switch& s : kSwitches) {
        out.push_back(
            {std::string(s.name), this->*(s.member) ? "on" : "off", std::string(s.about)});
    }
    return out;
}

}  // namespace trefoil
