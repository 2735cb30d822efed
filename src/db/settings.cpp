// Settings: names, values, descriptions.

#include "db/settings.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <variant>

#include "base/check.h"

namespace trefoil {
namespace {

using Member =
    std::variant<bool Settings::*, Milliseconds Settings::*, engine::Isolation Settings::*>;

struct Setting {
    std::string_view name;
    Member member;
    std::string_view about;
};

constexpr std::array kSettings = {
    Setting{"trefoil.use_indexes", &Settings::use_indexes,
            "answer conditions on the primary key through its learned index"},
    Setting{"trefoil.index_order", &Settings::index_order,
            "answer ORDER BY by reading an index in its order where that is cheaper than a sort"},
    Setting{"trefoil.index_joins", &Settings::index_joins,
            "look the keys of a join up in an index where that is cheaper than a scan"},
    Setting{"trefoil.covering_scans", &Settings::covering_scans,
            "answer queries that need no more than the columns of an index from its keys alone"},
    Setting{"trefoil.fast_path", &Settings::fast_path,
            "run statements that need no relational algebra without the engine"},
    Setting{"default_transaction_isolation", &Settings::default_isolation,
            "the isolation level of transactions that do not say theirs"},
    Setting{"default_transaction_read_only", &Settings::default_read_only,
            "whether transactions that do not say it are read-only"},
    Setting{"statement_timeout", &Settings::statement_timeout,
            "a statement that runs longer is cancelled; 0 for none"},
    Setting{"lock_timeout", &Settings::lock_timeout,
            "a statement that waits longer for a row fails; 0 for none"},
    Setting{"idle_in_transaction_session_timeout", &Settings::idle_in_transaction_timeout,
            "a transaction block that waits longer for a statement is rolled back; 0 for never"},
};

struct Unit {
    std::string_view name;
    uint64_t milliseconds;
};
constexpr std::array kUnits = {Unit{"d", 86'400'000}, Unit{"h", 3'600'000}, Unit{"min", 60'000},
                               Unit{"s", 1000}, Unit{"ms", 1}};
constexpr uint64_t kMillisecondsMax = INT32_MAX;  // as in PostgreSQL

const Setting* find_setting(std::string_view name) {
    for (const Setting& s : kSettings) {
        if (s.name == name) return &s;
    }
    return nullptr;
}

Status unknown(std::string_view name) {
    return Status::not_found("there is no setting \"" + std::string(name) + "\"");
}

std::string lower(std::string_view text) {
    std::string out(text);
    std::transform(out.begin(), out.end(), out.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    return out;
}

Status invalid(std::string_view name, std::string_view value) {
    return {Code::kInvalidInput, "22023",
            "invalid value for \"" + std::string(name) + "\": \"" + std::string(value) + "\""};
}

Result<bool> parse(std::string_view name, std::string_view value, bool /*unused*/) {
    return parse_switch(name, value);
}
Result<Milliseconds> parse(std::string_view name, std::string_view value, Milliseconds /*unused*/) {
    return parse_milliseconds(name, value);
}
Result<engine::Isolation> parse(std::string_view name, std::string_view value,
                                engine::Isolation /*unused*/) {
    return parse_isolation(name, value);
}

std::string text_of(bool value) {
    return value ? "on" : "off";
}
// In the largest unit that says it in whole numbers.
std::string text_of(Milliseconds value) {
    if (value.count == 0) return "0";
    for (const Unit& unit : kUnits) {
        if (value.count % unit.milliseconds == 0) {
            return std::to_string(value.count / unit.milliseconds) + std::string(unit.name);
        }
    }
    return "";
}
std::string text_of(engine::Isolation value) {
    return std::string(isolation_name(value));
}

std::string text_of(const Setting& setting, const Settings& settings) {
    return std::visit([&](auto member) { return text_of(settings.*member); }, setting.member);
}

}  // namespace

std::string_view isolation_name(engine::Isolation isolation) {
    switch (isolation) {
        case engine::Isolation::kReadUncommitted:
            return "read uncommitted";
        case engine::Isolation::kReadCommitted:
            return "read committed";
        case engine::Isolation::kRepeatableRead:
            return "repeatable read";
        case engine::Isolation::kSerializable:
            return "serializable";
    }
    return "";
}

Result<engine::Isolation> parse_isolation(std::string_view name, std::string_view value) {
    using engine::Isolation;
    const std::string wanted = lower(value);
    if (wanted == "snapshot") return Isolation::kRepeatableRead;
    for (Isolation i : {Isolation::kReadUncommitted, Isolation::kReadCommitted,
                        Isolation::kRepeatableRead, Isolation::kSerializable}) {
        if (wanted == isolation_name(i)) return i;
    }
    return invalid(name, value)
        .with_hint(
            "Levels are read uncommitted, read committed, repeatable read and serializable.");
}

Result<bool> parse_switch(std::string_view name, std::string_view value) {
    const std::string wanted = lower(value);
    for (const char* on : {"on", "true", "yes", "1"}) {
        if (wanted == on) return true;
    }
    for (const char* off : {"off", "false", "no", "0"}) {
        if (wanted == off) return false;
    }
    return invalid(name, value).with_hint("It is a switch: use on or off.");
}

Result<Milliseconds> parse_milliseconds(std::string_view name, std::string_view value) {
    uint64_t number = 0;
    const char* end = value.data() + value.size();
    auto [rest, error] = std::from_chars(value.data(), end, number);
    std::string unit = lower(std::string_view(rest, static_cast<size_t>(end - rest)));
    std::erase(unit, ' ');
    if (unit.empty()) unit = "ms";
    if (error == std::errc()) {
        for (const Unit& u : kUnits) {
            if (unit == u.name && number <= kMillisecondsMax / u.milliseconds) {
                return Milliseconds{number * u.milliseconds};
            }
        }
    }
    return invalid(name, value)
        .with_hint(
            "It is a time of at most 24 days: 250, 100ms, 5s, 2min, "
            "1h, 1d; 0 is no limit.");
}

Status Settings::set(std::string_view name, std::string_view value) {
    const Setting* s = find_setting(name);
    if (!s) return unknown(name);
    return std::visit(
        [&](auto member) -> Status {
            ASSIGN_OR_RETURN(this->*member, parse(name, value, this->*member));
            return {};
        },
        s->member);
}

Status Settings::reset(std::string_view name) {
    const Setting* s = find_setting(name);
    if (!s) return unknown(name);
    std::visit([&](auto member) { this->*member = Settings().*member; }, s->member);
    return {};
}

Result<std::string> Settings::get(std::string_view name) const {
    const Setting* s = find_setting(name);
    if (!s) return unknown(name);
    return text_of(*s, *this);
}

std::vector<Settings::Description> Settings::all() const {
    std::vector<Description> out;
    for (const Setting& s : kSettings) {
        out.push_back({std::string(s.name), text_of(s, *this), std::string(s.about)});
    }
    return out;
}

}  // namespace trefoil
