// EXPORT DATABASE and IMPORT DATABASE: a database as text and files that any program can read.
//
//     schema.sql     the statements that make schemas, tables, indexes and views, and comments
//     load.sql       a COPY for each table, then the foreign keys, which then find all rows, and
//                    where each sequence stands
//     1_person.parquet ...   its rows, or .csv
//
// All of it is one snapshot, and made of nothing but statements: export writes the data by COPY TO,
// import runs the two scripts, in one transaction. Paths in load.sql are relative to the directory,
// so it may be moved.

#include <set>

#include "base/check.h"
#include "base/text_format.h"
#include "db/session_state.h"
#include "db/sql_lexer.h"
#include "storage/open_stores.h"

namespace trefoil {
namespace {

using Answer = Session::State::Answer;

// Names of files keep to letters that every file system takes; the number keeps them apart.
std::string file_name(size_t number, std::string_view table, const std::string& format) {
    std::string name = std::to_string(number) + "_";
    for (char c : table.substr(0, 60)) {
        const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                           (c >= '0' && c <= '9') || c == '_' || c == '-';
        name += plain ? c : '_';
    }
    return name + "." + format;
}

std::string option_text(const engine::CopyOptions& options, const std::string& format) {
    std::string text = "(FORMAT " + format;
    if (format == "csv") text += ", HEADER true";
    for (const auto& [name, value] : options) {
        if (name != "format") text += ", " + name + " " + in_quotes(value, '\'');
    }
    return text + ")";
}

Result<std::string> format_of(const engine::CopyOptions& options) {
    for (const auto& [name, value] : options) {
        if (name != "format") continue;
        if (value == "parquet" || value == "csv") return value;
        return Status(Code::kInvalidInput, "22023",
                      "EXPORT DATABASE cannot write format \"" + value + "\"")
            .with_hint("Formats are parquet and csv.");
    }
    return std::string("parquet");
}

Status write_text(Vfs& vfs, const std::string& path, const std::string& text) {
    ASSIGN_OR_RETURN(auto file, vfs.open(path, OpenMode::kCreate));
    RETURN_IF_ERROR(file->write(0, text));
    return file->sync();
}

Result<std::string> read_text(Vfs& vfs, const std::string& path) {
    ASSIGN_OR_RETURN(auto file, vfs.open(path, OpenMode::kRead));
    ASSIGN_OR_RETURN(uint64_t size, file->size());
    std::string text(size, '\0');
    ASSIGN_OR_RETURN(size_t read, file->read(0, text));
    text.resize(read);
    return text;
}

// The directory, made unless it is there and empty.
Status make_directory(Vfs& vfs, const std::string& path) {
    ASSIGN_OR_RETURN(FileStat there, vfs.stat(path));
    if (there.is_directory()) {
        ASSIGN_OR_RETURN(std::vector<std::string> names, vfs.list(path));
        if (names.empty()) return {};
    }
    if (there.exists()) {
        return Status(Code::kInvalidInput, "58P02", "\"" + path + "\" exists already")
            .with_hint("Name a directory that does not exist yet, or an empty one.");
    }
    return vfs.make_dir(path);
}

// The statements of a script, without their semicolons.
Result<std::vector<std::string_view>> split(std::string_view sql) {
    std::vector<std::string_view> statements;
    size_t at = 0, begin = 0;
    bool open = false, has_tokens = false;
    while (auto token = next_token(sql, &at, &open)) {
        if (token->text != ";") {
            if (!std::exchange(has_tokens, true)) begin = token->offset;
            continue;
        }
        if (std::exchange(has_tokens, false)) {
            statements.push_back(sql.substr(begin, token->offset - begin));
        }
    }
    if (open || has_tokens) return Status::invalid("the script ends inside a statement");
    return statements;
}

// While it lives, a name without a schema is one of public.
class PublicNames {
public:
    explicit PublicNames(Session::State& session)
        : session_(session),
          search_path_(std::exchange(session.search_path, {std::string(catalog::kPublicSchema)})),
          has_temporary_(std::exchange(session.has_temporary, false)) {}
    PublicNames(const PublicNames&) = delete;
    PublicNames& operator=(const PublicNames&) = delete;
    ~PublicNames() {
        session_.search_path = std::move(search_path_);
        session_.has_temporary = session_.has_temporary || has_temporary_;
    }

private:
    Session::State& session_;
    catalog::SearchPath search_path_;
    bool has_temporary_;
};

bool is_temporary(const catalog::TableDef& relation) {
    return relation.schema_name.starts_with(catalog::kTemporaryPrefix);
}

// Always quoted: words that are reserved for some other program do no harm.
std::string sql_name(const catalog::TableDef& relation) {
    const bool plain = relation.schema_name.empty() ||  // a schema
                       relation.schema_name == catalog::kPublicSchema;
    return (plain ? "" : in_quotes(relation.schema_name, '"') + ".") +
           in_quotes(relation.name, '"');
}

std::string view_sql(const catalog::TableDef& view) {
    std::string path, columns;
    for (const std::string& schema : view.search_path) {
        path += (path.empty() ? "" : ", ") + in_quotes(schema, '"');
    }
    for (const catalog::ColumnDef& c : view.columns) {
        columns += (columns.empty() ? "" : ", ") + in_quotes(c.name, '"');
    }
    std::string create =
        "CREATE VIEW " + sql_name(view) + " (" + columns + ") AS " + view.query + "\n;\n";
    if (view.search_path == catalog::SearchPath{std::string(catalog::kPublicSchema)}) return create;
    return "SET search_path = " + (path.empty() ? "''" : path) + ";\n" + create +
           "RESET search_path;\n";
}

// A view comes after the views that it reads.
void add_view(const catalog::Catalog& catalog, const catalog::TableDef& view,
              std::set<uint32_t>* done, std::string* sql) {
    if (!done->insert(view.id).second) return;
    for (uint32_t id : view.depends_on) {
        catalog::TablePtr needed = catalog.find(id);
        if (needed && needed->kind == catalog::RelationKind::kView) {
            add_view(catalog, *needed, done, sql);
        }
    }
    *sql += view_sql(view);
}

std::string comments_sql(const catalog::TableDef& relation) {
    std::string sql;
    const std::string name = sql_name(relation);
    if (!relation.comment.empty()) {
        sql += "COMMENT ON " + std::string(catalog::kind_name(relation.kind)) + " " + name +
               " IS " + in_quotes(relation.comment, '\'') + ";\n";
    }
    for (const catalog::ColumnDef& c : relation.columns) {
        if (c.comment.empty()) continue;
        sql += "COMMENT ON column " + name + "." + in_quotes(c.name, '"') + " IS " +
               in_quotes(c.comment, '\'') + ";\n";
    }
    return sql;
}

std::string foreign_keys_sql(const catalog::Catalog& catalog) {
    std::string sql;
    for (const catalog::TablePtr& table : catalog.tables()) {
        if (is_temporary(*table)) continue;
        for (const catalog::ForeignKeyDef& key : table->foreign_keys) {
            sql += "ALTER TABLE " + sql_name(*table) + " ADD " +
                   catalog::foreign_key_sql(*table, key, catalog) + ";\n";
        }
    }
    return sql;
}

// The sequence of an identity column is made with its table.
void add_sequence(const catalog::Catalog& catalog, const catalog::TableDef& sequence,
                  std::string* create, std::string* own) {
    if (identity_table(catalog, sequence)) return;
    const std::string name = sql_name(sequence);
    *create += "CREATE SEQUENCE " + name + " AS " + std::string(type_name(sequence.sequence)) +
               " " + sequence.options_sql() + ";\n";
    if (!sequence.sequence.owner || sequence.depends_on.empty()) return;
    const catalog::TablePtr table = catalog.find(sequence.depends_on[0]);
    for (const catalog::ColumnDef& c : table->columns) {
        if (c.id != *sequence.sequence.owner) continue;
        *own += "ALTER SEQUENCE " + name + " OWNED BY " + sql_name(*table) + "." +
                in_quotes(c.name, '"') + ";\n";
    }
}

// The columns of a table that are not computed from others; "" if that is none of them.
std::string column_list(const catalog::TableDef& table) {
    std::string list;
    bool all = true;
    for (const catalog::ColumnDef& c : table.visible_columns()) {
        const bool stored = c.generated == catalog::ColumnDef::Generated::kStored;
        all &= !stored;
        if (!stored) list += (list.empty() ? "" : ", ") + in_quotes(c.name, '"');
    }
    return all ? "" : list;
}

// Where the sequences stand.
Result<std::string> places_sql(table::Sequences& sequences, const catalog::Catalog& catalog) {
    std::string sql;
    for (const catalog::TablePtr& relation : catalog.relations()) {
        if (relation->kind != catalog::RelationKind::kSequence || is_temporary(*relation)) continue;
        ASSIGN_OR_RETURN(auto place, sequences.place(*relation));
        sql += "SELECT setval(" + sequence_literal(*relation) + ", " + std::to_string(place.value) +
               (place.is_called ? "" : ", false") + ");\n";
    }
    return sql;
}

// The statements that make everything but rows and foreign keys.
std::string schema_sql(const catalog::Catalog& catalog) {
    std::string schemas, sequences, tables, owners, views, comments;
    std::set<uint32_t> done;
    for (const catalog::TablePtr& relation : catalog.relations()) {
        if (is_temporary(*relation)) continue;
        switch (relation->kind) {
            case catalog::RelationKind::kSchema:
                schemas += "CREATE SCHEMA " + in_quotes(relation->name, '"') + ";\n";
                break;
            case catalog::RelationKind::kTable:
                tables += relation->create_sql(&catalog) + "\n";
                for (const catalog::IndexDef& index : relation->indexes) {
                    if (!index.is_constraint) tables += relation->index_sql(index) + ";\n";
                }
                break;
            case catalog::RelationKind::kView:
                add_view(catalog, *relation, &done, &views);
                break;
            case catalog::RelationKind::kSequence:
                add_sequence(catalog, *relation, &sequences, &owners);
                break;
        }
        comments += comments_sql(*relation);
    }
    return schemas + sequences + tables + owners + views + comments;
}

}  // namespace

// One statement that this session makes up itself.
Result<Answer> Session::State::run_own(std::string_view sql) {
    ASSIGN_OR_RETURN(CachedStatementPtr statement, analyse(sql));
    return dispatch(*statement, {});
}

// The same; what it answers is read, since a query does nothing before.
Status Session::State::run_and_read(std::string_view sql) {
    ASSIGN_OR_RETURN(Answer answer, run_own(sql));
    while (answer->stream) {
        ASSIGN_OR_RETURN(auto batch, answer->stream->next());
        if (!batch) break;
    }
    return {};
}

Result<Answer> Session::State::export_database(const engine::House& statement) {
    ASSIGN_OR_RETURN(std::string format, format_of(statement.options));
    const std::string& directory = statement.directory;
    RETURN_IF_ERROR(make_directory(db.vfs, directory));
    const bool own_block = !txn;
    if (own_block) {
        ASSIGN_OR_RETURN(table::Transaction begun, db.tables->begin(/*read_only=*/true));
        txn.emplace(std::move(begun));
    }
    const PublicNames names(*this);
    auto work = [&]() -> Status {
        std::string load;
        size_t number = 0;
        const table::VersionPtr version = txn->view();
        for (const catalog::TablePtr& table : version->catalog->tables()) {
            if (is_temporary(*table)) continue;
            const std::string name = file_name(++number, table->name, format);
            const std::string relation = sql_name(*table);
            const std::string options = option_text(statement.options, format);
            const std::string columns = column_list(*table);
            const std::string rows =
                columns.empty() ? relation : "(SELECT " + columns + " FROM " + relation + ")";
            RETURN_IF_ERROR(run_own("COPY " + rows + " TO " +
                                    in_quotes(directory + "/" + name, '\'') + " " + options)
                                .status());
            load += "COPY " + relation + (columns.empty() ? "" : " (" + columns + ")") + " FROM " +
                    in_quotes(name, '\'') + " (FORMAT " + format +
                    (format == "csv" ? ", HEADER true" : "") + ");\n";
        }
        load += foreign_keys_sql(*version->catalog);
        ASSIGN_OR_RETURN(std::string places, places_sql(db.tables->sequences(), *version->catalog));
        load += places;
        RETURN_IF_ERROR(
            write_text(db.vfs, directory + "/schema.sql", schema_sql(*version->catalog)));
        return write_text(db.vfs, directory + "/load.sql", load);
    };
    Status exported = work();
    if (own_block) txn.reset();
    if (!exported.ok()) {
        (void)remove_tree(db.vfs, directory);
        return exported;
    }
    return done("EXPORT");
}

Result<Answer> Session::State::import_database(const std::string& directory) {
    const bool own_block = !txn;
    if (own_block) {
        ASSIGN_OR_RETURN(table::Transaction begun, db.tables->begin());
        txn.emplace(std::move(begun));
    }
    copy_directory = directory;
    const PublicNames names(*this);
    auto work = [&]() -> Status {
        for (const char* script : {"schema.sql", "load.sql"}) {
            const std::string path = directory + "/" + script;
            ASSIGN_OR_RETURN(std::string text, read_text(db.vfs, path));
            ASSIGN_OR_RETURN(auto statements, split(text));
            for (std::string_view sql : statements) {
                Status run = run_and_read(sql);
                if (run.ok()) continue;
                return Status(run.code(), run.sqlstate(), path + ": " + run.message())
                    .with_detail(run.detail().empty() ? std::string(sql.substr(0, 200))
                                                      : std::string(run.detail()))
                    .with_hint(run.hint());
            }
        }
        return {};
    };
    Status imported = work();
    copy_directory.clear();
    if (own_block) {
        table::Transaction ending = std::move(*txn);
        txn.reset();
        if (imported.ok()) imported = db.tables->commit(ending);
    }
    RETURN_IF_ERROR(std::move(imported));
    return done("IMPORT");
}

}  // namespace trefoil
