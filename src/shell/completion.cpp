// Splits what stands before the cursor into words and decides by the last of them.

#include "shell/completion.h"

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <optional>

#include "shell/renderer.h"

namespace trefoil::shell {

namespace {

constexpr std::string_view kKeywords[] = {
    "ALL",        "ANALYZE",  "AND",       "ANY",          "AS",
    "ASC",        "AVG",      "BEGIN",     "BETWEEN",      "BIGINT",
    "BOOLEAN",    "BY",       "BYTEA",     "CASE",         "CAST",
    "CHECKPOINT", "COALESCE", "COMMIT",    "COPY",         "COUNT",
    "CREATE",     "CROSS",    "CSV",       "CURRENT_DATE", "CURRENT_TIMESTAMP",
    "DATE",       "DECIMAL",  "DEFAULT",   "DELETE",       "DESC",
    "DESCRIBE",   "DISTINCT", "DOUBLE",    "DROP",         "ELSE",
    "END",        "EXCEPT",   "EXISTS",    "EXPLAIN",      "EXTRACT",
    "FALSE",      "FILTER",   "FROM",      "FULL",         "GROUP",
    "HAVING",     "HEADER",   "IF",        "ILIKE",        "IN",
    "INNER",      "INSERT",   "INTEGER",   "INTERSECT",    "INTERVAL",
    "INTO",       "IS",       "JOIN",      "KEY",          "LEFT",
    "LIKE",       "LIMIT",    "MAX",       "MIN",          "NOT",
    "NULL",       "NULLS",    "OFFSET",    "ON",           "OR",
    "ORDER",      "OUTER",    "OVER",      "PARQUET",      "PARTITION",
    "PRIMARY",    "REAL",     "RECURSIVE", "RIGHT",        "ROLLBACK",
    "ROW_NUMBER", "ROWS",     "SELECT",    "SET",          "SHOW",
    "SMALLINT",   "SUM",      "TABLE",     "TABLES",       "TEXT",
    "THEN",       "TIME",     "TIMESTAMP", "TIMESTAMPTZ",  "TO",
    "TRUE",       "UNION",    "UPDATE",    "USING",        "UUID",
    "VALUES",     "VARCHAR",  "WHEN",      "WHERE",        "WINDOW",
    "WITH",
};

constexpr std::string_view kBeforeTables[] = {"FROM",  "JOIN",     "INTO",   "UPDATE", "TABLE",
                                              "USING", "DESCRIBE", "EXISTS", "COPY"};
constexpr std::string_view kTableCommands[] = {".schema", "\\d", ".tables", "\\dt"};
constexpr std::string_view kFileCommands[] = {".read", "\\i", ".output", "\\o"};

template <typename Range>
bool contains(const Range& range, std::string_view word) {
    return std::find(std::begin(range), std::end(range), word) != std::end(range);
}

bool is_word_char(char c) {
    const auto byte = static_cast<unsigned char>(c);
    return std::isalnum(byte) != 0 || c == '_' || c == '$' || byte >= 0x80;
}

std::string upper(std::string_view text) {
    std::string out(text);
    for (char& c : out) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    return out;
}

bool starts_with_ignoring_case(std::string_view word, std::string_view prefix) {
    return word.size() >= prefix.size() && upper(word.substr(0, prefix.size())) == upper(prefix);
}

struct Token {
    std::string_view text;
    bool quoted = false;  // "in double quotes", without them
};

// The words and signs of `sql`; nullopt if it ends inside a string or comment.
std::optional<std::vector<Token>> tokens_of(std::string_view sql) {
    std::vector<Token> tokens;
    size_t i = 0;
    while (i < sql.size()) {
        const char c = sql[i];
        if (std::isspace(static_cast<unsigned char>(c)) != 0) {
            i++;
        } else if (c == '\'' || c == '"') {
            const size_t end = sql.find(c, i + 1);
            if (end == sql.npos) return std::nullopt;
            tokens.push_back({sql.substr(i + 1, end - i - 1), c == '"'});
            i = end + 1;
        } else if (sql.substr(i).starts_with("--")) {
            const size_t end = sql.find('\n', i);
            if (end == sql.npos) return std::nullopt;
            i = end + 1;
        } else if (sql.substr(i).starts_with("/*")) {
            const size_t end = sql.find("*/", i + 2);
            if (end == sql.npos) return std::nullopt;
            i = end + 2;
        } else if (is_word_char(c)) {
            const size_t begin = i;
            while (i < sql.size() && is_word_char(sql[i])) i++;
            tokens.push_back({sql.substr(begin, i - begin)});
        } else {
            tokens.push_back({sql.substr(i, 1)});
            i++;
        }
    }
    return tokens;
}

void sort_words(Completions& out) {
    std::sort(out.words.begin(), out.words.end());
    out.words.erase(std::unique(out.words.begin(), out.words.end()), out.words.end());
}

void offer(Completions& out, std::string_view word, std::string_view prefix) {
    if (starts_with_ignoring_case(word, prefix)) out.words.emplace_back(word);
}

void offer_tables(Completions& out, const Names& names, std::string_view prefix) {
    for (const Names::Table& table : names.tables) {
        if (starts_with_ignoring_case(table.name, prefix))
            out.words.push_back(quote_identifier(table.name));
    }
}

// The table that `name` means: itself, or what the statement calls by it ("person p", "person AS
// p").
const Names::Table* find_table(std::string_view name, const std::vector<Token>& tokens,
                               const Names& names) {
    const auto by_name = [&](std::string_view wanted) -> const Names::Table* {
        for (const Names::Table& table : names.tables) {
            if (upper(table.name) == upper(wanted)) return &table;
        }
        return nullptr;
    };
    if (const Names::Table* table = by_name(name)) return table;
    for (size_t i = 1; i < tokens.size(); i++) {
        if (upper(tokens[i].text) != upper(name)) continue;
        size_t table = i - 1;
        if (upper(tokens[table].text) == "AS" && table > 0) table--;
        if (const Names::Table* found = by_name(tokens[table].text)) return found;
    }
    return nullptr;
}

// The columns of the tables that the statement names so far; of all tables if it names none yet.
void offer_columns(Completions& out, const std::vector<Token>& tokens, const Names& names,
                   std::string_view prefix) {
    bool any = false;
    for (int pass = 0; pass < 2 && !any; pass++) {
        for (const Names::Table& table : names.tables) {
            const bool named = std::any_of(tokens.begin(), tokens.end(), [&](const Token& token) {
                return upper(token.text) == upper(table.name);
            });
            if (pass == 0 && !named) continue;
            any = any || named;
            for (const std::string& column : table.columns) {
                if (starts_with_ignoring_case(column, prefix)) {
                    out.words.push_back(quote_identifier(column));
                }
            }
        }
    }
}

void offer_keywords(Completions& out, std::string_view prefix) {
    const bool lower = !prefix.empty() && std::islower(static_cast<unsigned char>(prefix[0])) != 0;
    for (const std::string_view keyword : kKeywords) {
        if (!starts_with_ignoring_case(keyword, prefix)) continue;
        std::string word(keyword);
        if (lower) {
            for (char& c : word) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
        }
        out.words.push_back(std::move(word));
    }
}

void offer_files(Completions& out, std::string_view prefix) {
    namespace fs = std::filesystem;
    const size_t slash = prefix.rfind('/');
    const std::string folder(slash == prefix.npos ? "" : prefix.substr(0, slash + 1));
    const std::string_view start = slash == prefix.npos ? prefix : prefix.substr(slash + 1);
    std::error_code error;
    for (fs::directory_iterator it(folder.empty() ? "." : folder, error), end; !error && it != end;
         it.increment(error)) {
        const std::string name = it->path().filename().string();
        if (!name.starts_with(start) || (start.empty() && name.starts_with("."))) continue;
        std::error_code ignored;
        out.words.push_back(folder + name + (it->is_directory(ignored) ? "/" : ""));
    }
    out.add_space = out.words.size() == 1 && !out.words[0].ends_with("/");
}

Completions complete_command(std::string_view line, const Names& names) {
    Completions out;
    const size_t space = line.find_first_of(" \t");
    if (space == line.npos) {
        out.replaced = line.size();
        for (const std::string& command : names.commands) {
            if (command.starts_with(line)) out.words.push_back(command);
        }
        sort_words(out);
        return out;
    }
    const std::string_view command = line.substr(0, space);
    const std::string_view word = line.substr(line.find_last_of(" \t") + 1);
    out.replaced = word.size();
    if (command == ".mode") {
        for (const std::string_view mode : kModeNames) offer(out, mode, word);
    } else if (command == ".help") {
        for (const std::string& name : names.commands) offer(out, name, word);
    } else if (command == ".timer" || command == ".headers" || command == "\\timing" ||
               command == "\\x") {
        offer(out, "on", word);
        offer(out, "off", word);
    } else if (contains(kTableCommands, command)) {
        for (const Names::Table& table : names.tables) offer(out, table.name, word);
    } else if (contains(kFileCommands, command)) {
        offer_files(out, word);
    }
    sort_words(out);
    return out;
}

}  // namespace

Completions complete(std::string_view before, const Names& names) {
    if (!before.empty() && (before[0] == '.' || before[0] == '\\') &&
        before.find('\n') == before.npos) {
        return complete_command(before, names);
    }
    size_t begin = before.size();
    while (begin > 0 && is_word_char(before[begin - 1])) begin--;
    const std::string_view word = before.substr(begin);
    Completions out;
    out.replaced = word.size();

    const std::optional<std::vector<Token>> tokens = tokens_of(before.substr(0, begin));
    if (!tokens) return out;
    const size_t n = tokens->size();
    if (n >= 2 && (*tokens)[n - 1].text == "." && before[begin - 1] == '.') {
        const Names::Table* table = find_table((*tokens)[n - 2].text, *tokens, names);
        if (table == nullptr) return out;
        for (const std::string& column : table->columns) {
            if (starts_with_ignoring_case(column, word))
                out.words.push_back(quote_identifier(column));
        }
    } else if (n > 0 && !(*tokens)[n - 1].quoted &&
               contains(kBeforeTables, upper((*tokens)[n - 1].text))) {
        offer_tables(out, names, word);
        // "FROM" may also be followed by a subquery, "TABLE" by IF: only with a prefix are keywords
        // useful.
        if (!word.empty() && out.words.empty()) offer_keywords(out, word);
    } else if (!word.empty()) {
        offer_keywords(out, word);
        offer_tables(out, names, word);
        offer_columns(out, *tokens, names, word);
    } else {
        offer_columns(out, *tokens, names, word);
    }
    sort_words(out);
    return out;
}

std::string common_prefix(const std::vector<std::string>& words) {
    if (words.empty()) return "";
    std::string prefix = words.front();
    for (const std::string& word : words) {
        size_t same = 0;
        while (same < prefix.size() && same < word.size() && prefix[same] == word[same]) same++;
        prefix.resize(same);
    }
    // Never half a UTF-8 character.
    while (!prefix.empty() && prefix.size() < words.front().size() &&
           (static_cast<unsigned char>(words.front()[prefix.size()]) & 0xC0) == 0x80) {
        prefix.pop_back();
    }
    return prefix;
}

std::string quote_identifier(std::string_view name) {
    const bool plain =
        !name.empty() && std::isdigit(static_cast<unsigned char>(name[0])) == 0 &&
        std::all_of(name.begin(), name.end(),
                    [](unsigned char c) {
                        return std::islower(c) != 0 || std::isdigit(c) != 0 || c == '_';
                    }) &&
        !contains(kKeywords, upper(name));
    if (plain) return std::string(name);
    std::string out = "\"";
    for (const char c : name) {
        if (c == '"') out += '"';
        out += c;
    }
    return out + "\"";
}

}  // namespace trefoil::shell
