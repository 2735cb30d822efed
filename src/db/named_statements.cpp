// PREPARE, EXECUTE and DEALLOCATE: statements with a name, which the session keeps.
//
//     PREPARE name [(type, ...)] AS statement
//     EXECUTE name [(expression, ...)]
//     DEALLOCATE [PREPARE] name | ALL
//
// They are read here, token by token, because what stands in them is SQL of its own: the statement
// is kept as text (the statement cache has its plan), and the arguments are asked of the engine as
// the items of a SELECT without a table. Tested by tests/golden/sql/prepare.golden.

#include <algorithm>

#include "base/check.h"
#include "db/session_state.h"
#include "db/sql_lexer.h"

namespace trefoil {
namespace {

using Answer = Session::State::Answer;

std::string lower(std::string_view text) {
    std::string out(text);
    std::transform(out.begin(), out.end(), out.begin(), [](char c) {
        return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    });
    return out;
}

// Reads a statement from the left.
class Tokens {
public:
    explicit Tokens(std::string_view sql) : sql_(sql) { advance(); }

    const std::optional<Token>& peek() const { return next_; }
    size_t offset() const { return next_ ? next_->offset : sql_.size(); }
    std::string_view rest() const { return sql_.substr(offset()); }

    bool take(std::string_view word) {
        if (!next_ || lower(next_->text) != word) return false;
        advance();
        return true;
    }

    Result<std::string> name() {
        if (!next_ || (next_->kind != TokenKind::kWord && next_->kind != TokenKind::kQuoted)) {
            return wrong("the name of a prepared statement");
        }
        std::string name = next_->kind == TokenKind::kQuoted
                               ? std::string(next_->text.substr(1, next_->text.size() - 2))
                               : lower(next_->text);
        advance();
        return name;
    }

    // "(a, f(b, c))" as "a" and "f(b, c)"; nothing if there is no parenthesis.
    Result<std::vector<std::string_view>> list() {
        std::vector<std::string_view> items;
        if (!take("(")) return items;
        size_t begin = offset(), depth = 0;
        for (; next_; advance()) {
            const bool closes = next_->text == ")" && depth == 0;
            if (closes || (next_->text == "," && depth == 0)) {
                items.push_back(sql_.substr(begin, next_->offset - begin));
                begin = next_->offset + 1;
            }
            if (closes) {
                advance();
                return items;
            }
            if (next_->text == "(" || next_->text == "[") depth++;
            if ((next_->text == ")" || next_->text == "]") && depth > 0) depth--;
        }
        return wrong("a closing parenthesis");
    }

    Status end() {
        while (take(";")) {
        }
        return next_ ? wrong("the end of the statement") : Status();
    }

    Status wrong(const std::string& expected) const {
        const std::string found =
            next_ ? "\"" + std::string(next_->text) + "\"" : "the end of the text";
        return Status(Code::kInvalidInput, "42601",
                      "syntax error: expected " + expected + ", found " + found)
            .with_position(static_cast<uint32_t>(offset()));
    }

private:
    void advance() {
        bool open = false;
        next_ = next_token(sql_, &at_, &open);
    }

    std::string_view sql_;
    size_t at_ = 0;
    std::optional<Token> next_;
};

Status unknown(const std::string& name) {
    return Status(Code::kNotFound, "26000", "prepared statement \"" + name + "\" does not exist");
}

}  // namespace

Result<Answer> Session::State::named_statement(std::string_view sql, bool* handled) {
    Tokens tokens(sql);
    *handled = true;
    if (tokens.take("prepare")) return prepare_named(sql, tokens.offset());
    if (tokens.take("execute")) return execute_named(sql, tokens.offset());
    if (tokens.take("deallocate")) {
        tokens.take("prepare");
        if (tokens.take("all")) {
            RETURN_IF_ERROR(tokens.end());
            named.clear();
            return done("DEALLOCATE ALL");
        }
        ASSIGN_OR_RETURN(std::string name, tokens.name());
        RETURN_IF_ERROR(tokens.end());
        if (named.erase(name) == 0) return unknown(name);
        return done("DEALLOCATE");
    }
    *handled = false;
    return Answer();
}

Result<Answer> Session::State::prepare_named(std::string_view sql, size_t at) {
    Tokens tokens(sql.substr(at));
    ASSIGN_OR_RETURN(std::string name, tokens.name());
    NamedStatement made;
    ASSIGN_OR_RETURN(auto types, tokens.list());
    for (std::string_view type : types) made.types.emplace_back(type);
    if (!tokens.take("as")) return tokens.wrong("AS");
    const auto begin = static_cast<uint32_t>(at + tokens.offset());
    made.text = tokens.rest();
    if (named.contains(name)) {
        return Status(Code::kInvalidInput, "42P05",
                      "prepared statement \"" + name + "\" already exists")
            .with_hint("DEALLOCATE it first.");
    }
    const auto check = [&]() -> Status {
        ASSIGN_OR_RETURN(CachedStatementPtr statement, analyse(made.text));
        if (!wants_plan(statement->statement.kind)) {
            return Status::unsupported(
                "PREPARE of a statement that is not a query, INSERT, UPDATE, DELETE or MERGE is "
                "not "
                "supported yet");
        }
        ASSIGN_OR_RETURN(auto now, catalog());
        return plan(*statement, *now);
    };
    Status checked = check();
    if (!checked.ok()) {
        const uint32_t inside = checked.position().value_or(0);
        return std::move(checked).with_position(begin + inside);
    }
    named.emplace(std::move(name), std::move(made));
    return done("PREPARE");
}

Result<Answer> Session::State::execute_named(std::string_view sql, size_t at) {
    Tokens tokens(sql.substr(at));
    ASSIGN_OR_RETURN(std::string name, tokens.name());
    ASSIGN_OR_RETURN(auto arguments, tokens.list());
    RETURN_IF_ERROR(tokens.end());
    const auto found = named.find(name);
    if (found == named.end()) return unknown(name);
    const NamedStatement statement = found->second;
    std::vector<Value> values;
    if (!arguments.empty()) {
        ASSIGN_OR_RETURN(values, evaluate(arguments, statement.types));
    }
    ASSIGN_OR_RETURN(CachedStatementPtr cached, analyse(statement.text));
    return run(cached, values);
}

// The values of expressions without columns, as the types that PREPARE gave.
Result<std::vector<Value>> Session::State::evaluate(
    const std::vector<std::string_view>& expressions, const std::vector<std::string>& types) {
    std::string text = "SELECT ";
    for (size_t i = 0; i < expressions.size(); i++) {
        const std::string item = "(" + std::string(expressions[i]) + ")";
        text +=
            (i ? ", " : "") + (i < types.size() ? "CAST(" + item + " AS " + types[i] + ")" : item);
    }
    ASSIGN_OR_RETURN(CachedStatementPtr asked, analyse(text));
    ASSIGN_OR_RETURN(Answer answer, run(asked, {}));
    Rows rows(std::move(answer));
    ASSIGN_OR_RETURN(auto batch, rows.next());
    std::vector<Value> values;
    for (int32_t c = 0; batch && c < batch->column_count(); c++)
        values.push_back(batch->value(0, c));
    return values;
}

}  // namespace trefoil
