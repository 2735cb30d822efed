// SET, SHOW, RESET, SHOW TABLES, DESCRIBE.

#include <map>
#include <set>

#include "base/check.h"
#include "base/edit_distance.h"
#include "db/client_settings.h"
#include "db/session_state.h"
#include "db/system_tables.h"

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
    if (transaction_variable(statement.name)) return set_transaction_variable(statement);
    if (txn) {
        const size_t before = changed_settings.size();
        RETURN_IF_ERROR(remember_setting(statement));
        Status set = apply_variable(statement);
        if (!set.ok()) {
            changed_settings.resize(before);
            return set;
        }
    } else if (!statement.local) {
        // PostgreSQL, too, takes SET LOCAL outside of a block for nothing.
        RETURN_IF_ERROR(apply_variable(statement));
    }
    return done(statement.value ? "SET" : "RESET");
}

Status Session::State::apply_variable(const engine::SetVariable& statement) {
    const std::string& name = statement.name;
    if (name == "all" && !statement.value) {
        settings = Settings();
        application_name.clear();
        search_path = {std::string(catalog::kPublicSchema)};
        RETURN_IF_ERROR(engine->set("all", std::nullopt));
        cache = StatementCache();
        return {};
    }
    if (name == "search_path") {
        search_path =
            parse_search_path(statement.value.value_or(std::string(catalog::kPublicSchema)));
        return {};
    }
    if (fixed_setting(db, name)) {
        return Status(Code::kInvalidInput, "55P02", "\"" + name + "\" cannot be changed now")
            .with_hint("It is given when the database is opened.");
    }
    if (is_limit(name)) {
        if (!statement.local) return set_limit(db, name, statement.value);
        return Status::unsupported("SET LOCAL of " + name + " is not supported")
            .with_hint("It is the database's: use SET.");
    }
    if (name == "application_name") {
        application_name = statement.value.value_or("");
        return {};
    }
    if (const ClientSetting* client = find_client_setting(name)) {
        return statement.value ? check_client_setting(*client, *statement.value) : Status();
    }
    Status set = statement.value ? settings.set(name, *statement.value) : settings.reset(name);
    if (set.code() != Code::kNotFound) return set;
    set = engine->set(name, statement.value);
    // Plans depend on the engine's settings.
    if (set.ok()) cache = StatementCache();
    return set.code() == Code::kNotFound ? unknown_setting(name) : set;
}

// --- Settings in a block ------------------------------------------------------------------------

Result<std::optional<std::string>> Session::State::setting_text(const std::string& name) {
    if (auto fixed = fixed_setting(db, name)) return fixed;
    if (name == "application_name") return std::optional(application_name);
    if (name == "search_path") return std::optional(search_path_text(search_path));
    if (auto value = transaction_variable(name)) return value;
    if (is_limit(name)) return std::optional(limit_text(db, name));
    if (const ClientSetting* client = find_client_setting(name)) {
        return std::optional(std::string(client->value));
    }
    auto own = settings.get(name);
    if (!own.ok()) own = engine->get(name);
    if (!own.ok() && own.status().code() == Code::kNotFound) return std::optional<std::string>();
    RETURN_IF_ERROR(own.status());
    return std::optional(std::move(*own));
}

Status Session::State::remember_setting(const engine::SetVariable& statement) {
    std::vector<std::string> names = {statement.name};
    if (statement.name == "all") {
        names = {"application_name", "search_path"};
        for (const Settings::Description& d : settings.all()) names.push_back(d.name);
        ASSIGN_OR_RETURN(auto engines, engine->settings());
        for (const engine::Setting& s : engines) names.push_back(s.name);
    }
    for (const std::string& name : names) {
        if (is_limit(name) || find_client_setting(name)) continue;  // not the session's
        ASSIGN_OR_RETURN(std::optional<std::string> before, setting_text(name));
        if (before && before->empty() && name != "search_path") before.reset();
        changed_settings.push_back({name, std::move(before), statement.local});
    }
    return {};
}

void Session::State::restore_settings(size_t kept, bool only_local) {
    std::set<std::string> stay;  // set for the session after they were set for the block
    for (size_t i = changed_settings.size(); i-- > kept;) {
        const ChangedSetting& changed = changed_settings[i];
        if (only_local && !changed.local) stay.insert(changed.name);
        if (stay.contains(changed.name)) continue;
        (void)apply_variable({.name = changed.name, .value = changed.before});
    }
    if (!only_local) changed_settings.resize(std::min(kept, changed_settings.size()));
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

namespace {

void add_engine_settings(engine::EngineSession& engine, std::vector<Settings::Description>* all) {
    auto settings = engine.settings();
    if (!settings.ok()) return;
    for (const engine::Setting& s : *settings) all->push_back({s.name, s.value, s.about});
}

// What each setting is in a session that has set nothing, in a database that is opened as this one
// was.
std::map<std::string, std::string> default_settings(const Database::State& db) {
    std::vector<Settings::Description> all = Settings().all();
    if (auto fresh = db.engine->open_session(); fresh.ok()) add_engine_settings(**fresh, &all);
    std::map<std::string, std::string> defaults;
    for (const Settings::Description& d : all) defaults[d.name] = d.value;
    for (const auto& limit : all_limits(db)) {
        const std::string name = limit[0].to_string();
        defaults[name] = default_limit_text(db, name);
    }
    defaults["application_name"] = "";
    defaults["search_path"] = search_path_text({std::string(catalog::kPublicSchema)});
    return defaults;
}

}  // namespace

std::vector<Settings::Description> Session::State::all_settings() const {
    std::vector<Settings::Description> all = settings.all();
    for (const auto& limit : all_limits(db)) {
        all.push_back({limit[0].to_string(), limit[1].to_string(), limit[2].to_string()});
    }
    all.push_back({"threads", *fixed_setting(db, "threads"), "threads of a query"});
    all.push_back({"application_name", application_name, "what the program calls itself"});
    all.push_back(
        {"search_path", search_path_text(search_path), "schemas in which names are looked up"});
    for (const ClientSetting& s : client_settings()) {
        all.push_back({std::string(s.name), std::string(s.value), std::string(s.about)});
    }
    add_engine_settings(*engine, &all);
    return all;
}

void add_settings_table(access::VirtualTables& all, std::function<TableRows()> rows) {
    add_table(all, "trefoil_settings", {"name", "value", "default_value", "description"}, {},
              [rows = std::move(rows)](const table::Version&) { return rows(); });
}

void Session::State::add_session_settings() {
    add_settings_table(session_tables, [this] {
        const std::map<std::string, std::string> defaults = default_settings(db);
        TableRows rows;
        for (const Settings::Description& d : all_settings()) {
            // What cannot be set is always its default.
            const auto known = defaults.find(d.name);
            const std::string& otherwise = known == defaults.end() ? d.value : known->second;
            rows.push_back({d.name, d.value, otherwise, d.about});
        }
        return rows;
    });
}

Result<Answer> Session::State::show_all() {
    std::vector<std::vector<Value>> rows;
    for (const Settings::Description& d : all_settings())
        rows.push_back({d.name, d.value, d.about});
    return text_answer({"name", "setting", "description"}, rows, "SHOW");
}

Result<Answer> Session::State::show_variable(const engine::ShowVariable& statement) {
    const std::string& name = statement.name;
    if (name == "all") return show_all();
    ASSIGN_OR_RETURN(std::optional<std::string> value, setting_text(name));
    if (!value) return unknown_setting(name);
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
    for (uint32_t i = 0; i < table->visible_columns().size(); i++) {
        const catalog::ColumnDef& c = table->columns[i];
        Value key;
        const auto& columns = table->primary_key();
        for (size_t k = 0; k < columns.size(); k++) {
            if (columns[k] != i) continue;
            key = columns.size() == 1 ? "PRI" : "PRI " + std::to_string(k + 1);
        }
        for (const catalog::IndexDef& index : table->indexes) {
            const bool alone =
                index.unique && !index.is_partial() && index.key_columns().size() == 1;
            if (key.is_null() && alone && index.columns[0] == i) key = "UNI";
        }
        Value otherwise;
        if (c.default_sql) otherwise = shown_default(*c.default_sql);
        if (c.generated == catalog::ColumnDef::Generated::kStored) {
            otherwise = "generated always as (" + *c.default_sql + ") stored";
        } else if (c.is_identity()) {
            const bool always = c.generated == catalog::ColumnDef::Generated::kAlways;
            otherwise =
                std::string("generated ") + (always ? "always" : "by default") + " as identity";
        }
        rows.push_back({c.name, c.sql_type(), c.not_null ? "NO" : "YES", key, otherwise});
    }
    return text_answer({"column_name", "column_type", "null", "key", "default"}, rows, "DESCRIBE");
}

}  // namespace trefoil
