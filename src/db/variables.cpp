// SET, SHOW, RESET, SHOW TABLES, DESCRIBE.

#include <algorithm>
#include <array>

#include "base/check.h"
#include "db/session_state.h"

namespace trefoil {
namespace {

using Answer = Session::State::Answer;

// Settings that are fixed when a database is opened.
std::optional<std::string> fixed_setting(const Database::State& db, std::string_view name) {
    if (name == "memory_limit") return std::to_string(db.memory_limit_bytes >> 20) + "MB";
    if (name == "threads") return std::to_string(db.threads);
    return std::nullopt;
}

// The planner's switches live in the engine; what else it has under our name is for its tests.
constexpr std::array<std::pair<std::string_view, std::string_view>, 3> kPlannerSwitches = {{
    {"trefoil.dynamic_filters", "scans drop rows by what joins and top-k sorts have found out"},
    {"trefoil.join_order", "join in the order that is cheapest by the statistics"},
    {"trefoil.metadata_aggregates", "answer count(*), min and max of a whole table unread"},
}};

bool is_planner_switch(std::string_view name) {
    return std::any_of(kPlannerSwitches.begin(), kPlannerSwitches.end(),
                       [&](const auto& s) { return s.first == name; });
}

// 'app, "My Schema", public': the schemas in which names are looked up.
catalog::SearchPath parse_search_path(std::string_view text) {
    catalog::SearchPath path;
    while (!text.empty()) {
        const size_t end = std::min(text.find(','), text.size());
        std::string_view part = text.substr(0, end);
        text.remove_prefix(std::min(end + 1, text.size()));
        while (part.starts_with(' ')) part.remove_prefix(1);
        while (part.ends_with(' ')) part.remove_suffix(1);
        if (part.size() >= 2 && part.starts_with('"') && part.ends_with('"')) {
            part = part.substr(1, part.size() - 2);
        }
        if (!part.empty() && part != "$user") path.emplace_back(part);
    }
    return path;
}

std::string search_path_text(const catalog::SearchPath& path) {
    std::string text;
    for (const std::string& schema : path) {
        text += (text.empty() ? "" : ", ") + catalog::quoted(schema);
    }
    return text;
}

}  // namespace

Result<Answer> Session::State::set_variable(const engine::SetVariable& statement) {
    if (statement.name == "search_path") {
        search_path =
            parse_search_path(statement.value.value_or(std::string(catalog::kPublicSchema)));
        return done(statement.value ? "SET" : "RESET");
    }
    if (fixed_setting(db, statement.name)) {
        return Status(Code::kInvalidInput, "55P02",
                      "\"" + statement.name + "\" cannot be changed now")
            .with_hint("It is given when the database is opened.");
    }
    if (transaction_variable(statement.name)) return set_transaction_variable(statement);
    Status set = statement.value ? settings.set(statement.name, *statement.value)
                                 : settings.reset(statement.name);
    const bool ours = is_planner_switch(statement.name);
    if (set.code() == Code::kNotFound && (ours || !statement.name.starts_with("trefoil."))) {
        if (!statement.value && !ours) {
            return Status::unsupported("RESET of \"" + statement.name + "\"");
        }
        set = engine->set(statement.name, statement.value.value_or("on"));
        // Plans depend on the engine's settings.
        if (set.ok()) cache = StatementCache();
    }
    RETURN_IF_ERROR(std::move(set));
    return done(statement.value ? "SET" : "RESET");
}

Result<Answer> Session::State::show_variable(const engine::ShowVariable& statement) {
    if (statement.name == "all") {
        std::vector<std::vector<Value>> rows;
        for (const Settings::Description& d : settings.all())
            rows.push_back({d.name, d.value, d.about});
        for (const auto& [name, about] : kPlannerSwitches) {
            ASSIGN_OR_RETURN(std::string value, engine->get(name));
            rows.push_back({std::string(name), std::move(value), std::string(about)});
        }
        rows.push_back({"memory_limit", *fixed_setting(db, "memory_limit"),
                        "memory for queries and for commits that wait to be flushed"});
        rows.push_back(
            {"search_path", search_path_text(search_path), "schemas in which names are looked up"});
        rows.push_back({"threads", *fixed_setting(db, "threads"), "threads of a query"});
        return text_answer({"name", "setting", "description"}, rows, "SHOW");
    }
    std::optional<std::string> value = fixed_setting(db, statement.name);
    if (!value) value = transaction_variable(statement.name);
    if (statement.name == "search_path") value = search_path_text(search_path);
    if (!value) {
        auto own = settings.get(statement.name);
        if (!own.ok() && statement.name.starts_with("trefoil.") &&
            statement.name != "trefoil.sort_merge_fallbacks" &&
            !is_planner_switch(statement.name)) {
            return own.status();
        }
        if (!own.ok()) own = engine->get(statement.name);
        if (!own.ok()) return own.status();
        value = std::move(*own);
    }
    return text_answer({statement.name}, {{Value(*value)}}, "SHOW");
}

Result<Answer> Session::State::show_tables() {
    ASSIGN_OR_RETURN(auto now, catalog());
    std::vector<std::vector<Value>> rows;
    for (const std::string& name : now->table_names()) rows.push_back({name});
    return text_answer({"name"}, rows, "SHOW");
}

Result<Answer> Session::State::describe(const engine::Describe& statement) {
    ASSIGN_OR_RETURN(auto now, catalog());
    catalog::TablePtr table = now->resolve(statement.table.text);
    if (!table || table->kind != catalog::RelationKind::kView) {
        ASSIGN_OR_RETURN(table, table_to_change(*now->version(), statement.table));
    }
    std::vector<std::vector<Value>> rows;
    for (uint32_t i = 0; i < table->columns.size(); i++) {
        const catalog::ColumnDef& c = table->columns[i];
        Value key;
        for (uint32_t k : table->primary_key()) {
            if (k == i) key = "PRI";
        }
        Value otherwise;
        if (c.default_sql) otherwise = *c.default_sql;
        rows.push_back({c.name, c.sql_type(), c.not_null ? "NO" : "YES", key, otherwise});
    }
    return text_answer({"column_name", "column_type", "null", "key", "default"}, rows, "DESCRIBE");
}

}  // namespace trefoil
