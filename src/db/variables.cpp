// SET, SHOW, RESET, SHOW TABLES, DESCRIBE.

#include "base/check.h"
#include "base/edit_distance.h"
#include "db/client_settings.h"
#include "db/session_state.h"

namespace trefoil {
namespace {

using Answer = Session::State::Answer;

// Settings that are fixed when a database is opened.
std::optional<std::string> fixed_setting(const Database::State& db, std::string_view name) {
    if (name == "threads") return std::to_string(db.threads);
    return std::nullopt;
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
    const std::string& name = statement.name;
    if (name == "all" && !statement.value) {
        settings = Settings();
        application_name.clear();
        search_path = {std::string(catalog::kPublicSchema)};
        RETURN_IF_ERROR(engine->set("all", std::nullopt));
        cache = StatementCache();
        return done("RESET");
    }
    if (name == "search_path") {
        search_path =
            parse_search_path(statement.value.value_or(std::string(catalog::kPublicSchema)));
        return done(statement.value ? "SET" : "RESET");
    }
    if (fixed_setting(db, name)) {
        return Status(Code::kInvalidInput, "55P02", "\"" + name + "\" cannot be changed now")
            .with_hint("It is given when the database is opened.");
    }
    if (transaction_variable(name)) return set_transaction_variable(statement);
    Status set;
    if (is_limit(name)) {
        set = set_limit(db, name, statement.value);
    } else if (name == "application_name") {
        application_name = statement.value.value_or("");
    } else if (const ClientSetting* client = find_client_setting(name)) {
        if (statement.value) set = check_client_setting(*client, *statement.value);
    } else {
        set = statement.value ? settings.set(name, *statement.value) : settings.reset(name);
        if (set.code() == Code::kNotFound) {
            set = engine->set(name, statement.value);
            // Plans depend on the engine's settings.
            if (set.ok()) cache = StatementCache();
        }
        if (set.code() == Code::kNotFound) set = unknown_setting(name);
    }
    RETURN_IF_ERROR(std::move(set));
    return done(statement.value ? "SET" : "RESET");
}

Status Session::State::unknown_setting(std::string_view name) {
    std::vector<std::string> names = {"threads", "application_name", "search_path"};
    for (const auto& limit : all_limits(db)) names.push_back(limit[0].to_string());
    for (const Settings::Description& d : settings.all()) names.push_back(d.name);
    for (const ClientSetting& s : client_settings()) names.emplace_back(s.name);
    ASSIGN_OR_RETURN(auto engines, engine->settings());
    for (const engine::Setting& s : engines) names.push_back(s.name);
    Status status = Status::not_found("there is no setting \"" + std::string(name) + "\"");
    auto meant = closest_name(name, names);
    if (meant) return std::move(status).with_hint("did you mean \"" + *meant + "\"?");
    return std::move(status).with_hint("SHOW ALL lists all settings.");
}

Result<Answer> Session::State::show_all() {
    std::vector<std::vector<Value>> rows;
    for (const Settings::Description& d : settings.all()) {
        rows.push_back({d.name, d.value, d.about});
    }
    for (auto& limit : all_limits(db)) rows.push_back(std::move(limit));
    rows.push_back({"threads", *fixed_setting(db, "threads"), "threads of a query"});
    rows.push_back({"application_name", application_name, "what the program calls itself"});
    rows.push_back(
        {"search_path", search_path_text(search_path), "schemas in which names are looked up"});
    for (const ClientSetting& s : client_settings()) {
        rows.push_back({std::string(s.name), std::string(s.value), std::string(s.about)});
    }
    ASSIGN_OR_RETURN(auto engines, engine->settings());
    for (const engine::Setting& s : engines) rows.push_back({s.name, s.value, s.about});
    return text_answer({"name", "setting", "description"}, rows, "SHOW");
}

Result<Answer> Session::State::show_variable(const engine::ShowVariable& statement) {
    const std::string& name = statement.name;
    if (name == "all") return show_all();
    std::optional<std::string> value = fixed_setting(db, name);
    if (name == "application_name") value = application_name;
    if (name == "search_path") value = search_path_text(search_path);
    if (!value) value = transaction_variable(name);
    if (is_limit(name)) value = limit_text(db, name);
    if (const ClientSetting* client = find_client_setting(name)) value = client->value;
    if (!value) {
        auto own = settings.get(name);
        if (!own.ok()) own = engine->get(name);
        if (!own.ok() && own.status().code() == Code::kNotFound) return unknown_setting(name);
        if (!own.ok()) return own.status();
        value = std::move(*own);
    }
    return text_answer({name}, {{Value(*value)}}, "SHOW");
}

Result<Answer> Session::State::show_tables() {
    ASSIGN_OR_RETURN(auto now, catalog());
    std::vector<std::vector<Value>> rows;
    for (const std::string& name : now->table_names()) rows.push_back({name});
    return text_answer({"name"}, rows, "SHOW");
}

namespace {

Answer describe_custom(const access::CustomTableDef& table) {
    std::vector<std::vector<Value>> rows;
    for (uint32_t i = 0; i < table.schema->fields.size(); i++) {
        const arrow::Field& field = table.schema->fields[i];
        Value key;
        const auto at = std::find(table.key.begin(), table.key.end(), i);
        if (at != table.key.end()) {
            const auto number = std::to_string(at - table.key.begin() + 1);
            key = table.key.size() == 1 ? "PRI" : "PRI " + number;
        }
        rows.push_back(
            {field.name, field.type.sql_name(), field.nullable ? "YES" : "NO", key, Value()});
    }
    return text_answer({"column_name", "column_type", "null", "key", "default"}, rows, "DESCRIBE");
}

}  // namespace

Result<Answer> Session::State::describe(const engine::Describe& statement) {
    ASSIGN_OR_RETURN(auto now, catalog());
    catalog::TablePtr table = now->resolve(statement.table.text);
    if (auto custom = now->find_custom(statement.table.text)) return describe_custom(*custom);
    if (!table || table->kind != catalog::RelationKind::kView) {
        ASSIGN_OR_RETURN(table, table_to_change(*now->version(), statement.table));
    }
    std::vector<std::vector<Value>> rows;
    for (uint32_t i = 0; i < table->columns.size(); i++) {
        const catalog::ColumnDef& c = table->columns[i];
        Value key;
        const auto& columns = table->primary_key();
        for (size_t k = 0; k < columns.size(); k++) {
            if (columns[k] != i) continue;
            key = columns.size() == 1 ? "PRI" : "PRI " + std::to_string(k + 1);
        }
        for (const catalog::IndexDef& index : table->indexes) {
            const bool alone = index.unique && index.columns.size() == 1;
            if (key.is_null() && alone && index.columns[0] == i) key = "UNI";
        }
        Value otherwise;
        if (c.default_sql) otherwise = *c.default_sql;
        rows.push_back({c.name, c.sql_type(), c.not_null ? "NO" : "YES", key, otherwise});
    }
    return text_answer({"column_name", "column_type", "null", "key", "default"}, rows, "DESCRIBE");
}

}  // namespace trefoil
