// Expr: building, taking apart, putting parameters in, and printing.

#include "plan/expr.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/check.h"
#include "base/text_format.h"
#include "catalog/catalog.h"

namespace trefoil::plan {
namespace {

using arrow::Type;

// The type that a value has by itself.
struct NaturalType {
    Type operator()(std::monostate) const { return {}; }
    Type operator()(bool) const { return arrow::boolean(); }
    Type operator()(int64_t) const { return arrow::int64(); }
    Type operator()(double) const { return arrow::float64(); }
    Type operator()(const std::string&) const { return arrow::utf8_view(); }
    Type operator()(const Decimal& v) const { return arrow::decimal(38, v.scale); }
    Type operator()(const Date&) const { return arrow::date32(); }
    Type operator()(const Time&) const { return arrow::time64(); }
    Type operator()(const Timestamp& v) const { return arrow::timestamp(v.utc ? "UTC" : ""); }
    Type operator()(const Interval&) const { return arrow::interval(); }
    Type operator()(const Uuid&) const { return arrow::fixed_size_binary(16); }
    Type operator()(const Blob&) const { return arrow::binary_view(); }
    Type operator()(const Value::List& v) const {
        for (const Value& element : v) {
            if (!element.is_null()) return arrow::list(std::visit(*this, element.storage()));
        }
        return arrow::list({});
    }
};

struct LiteralText {
    const Value& value;
    std::string with_type(const char* type) const {
        return std::string(type) + " " + in_quotes(value.to_string(), '\'');
    }
    std::string operator()(std::monostate) const { return "NULL"; }
    std::string operator()(bool v) const { return v ? "true" : "false"; }
    std::string operator()(int64_t v) const { return std::to_string(v); }
    std::string operator()(double v) const {
        return std::isfinite(v) ? value.to_string() : with_type("DOUBLE");
    }
    std::string operator()(const std::string& v) const { return in_quotes(v, '\''); }
    std::string operator()(const Decimal&) const { return value.to_string(); }
    std::string operator()(const Date&) const { return with_type("DATE"); }
    std::string operator()(const Time&) const { return with_type("TIME"); }
    std::string operator()(const Timestamp& v) const {
        return with_type(v.utc ? "TIMESTAMPTZ" : "TIMESTAMP");
    }
    std::string operator()(const Interval&) const { return with_type("INTERVAL"); }
    std::string operator()(const Uuid&) const { return with_type("UUID"); }
    std::string operator()(const Blob&) const { return with_type("BYTEA"); }
    std::string operator()(const Value::List& v) const {
        std::string out = "ARRAY[";
        for (const Value& element : v) {
            if (out.back() != '[') out += ", ";
            out += std::visit(LiteralText{element}, element.storage());
        }
        return out + "]";
    }
};

const char* symbol(CompareOp op) {
    switch (op) {
        case CompareOp::kEqual:
            return "=";
        case CompareOp::kNotEqual:
            return "<>";
        case CompareOp::kLess:
            return "<";
        case CompareOp::kLessEqual:
            return "<=";
        case CompareOp::kGreater:
            return ">";
        case CompareOp::kGreaterEqual:
            return ">=";
    }
    return "?";
}

// True if nothing can bind to a part of `text`: a name, a call, a quoted string.
bool is_one_term(std::string_view text) {
    int depth = 0;
    char quote = 0;
    for (char c : text) {
        if (quote != 0) {
            if (c == quote) quote = 0;
        } else if (c == '\'' || c == '"') {
            quote = c;
        } else if (c == '(' || c == '[') {
            depth++;
        } else if (c == ')' || c == ']') {
            depth--;
        } else if (c == ' ' && depth == 0) {
            return false;
        }
    }
    return true;
}

// How tightly a form holds together; a child that holds less tightly goes in parentheses.
enum Binding { kOrBinding, kAndBinding, kNotBinding, kCompareBinding, kTermBinding };

Binding binding(const Expr& e) {
    switch (e.kind) {
        case Expr::Kind::kOr:
            return kOrBinding;
        case Expr::Kind::kAnd:
            return kAndBinding;
        case Expr::Kind::kNot:
            return kNotBinding;
        case Expr::Kind::kCompare:
        case Expr::Kind::kIsNull:
        case Expr::Kind::kInList:
        case Expr::Kind::kLike:
            return kCompareBinding;
        case Expr::Kind::kOpaque:
            return is_one_term(e.text) ? kTermBinding : kOrBinding;
        default:
            return kTermBinding;
    }
}

class Printer {
public:
    explicit Printer(const arrow::Schema& schema) : schema_(schema) {}

    // `e`, in parentheses if it holds together less tightly than `least`.
    void print(const Expr& e, Binding least) {
        const bool parentheses = binding(e) < least;
        if (parentheses) out_ += '(';
        print_plain(e);
        if (parentheses) out_ += ')';
    }
    std::string take() { return std::move(out_); }

    void print_all(std::span<const Expr> all, std::string_view separator, Binding least) {
        for (const Expr& e : all) {
            if (&e != all.data()) out_ += separator;
            print(e, least);
        }
    }

private:
    std::string column(uint32_t index) const {
        if (index >= schema_.fields.size()) return "#" + std::to_string(index);
        const std::string& name = schema_.fields[index].name;
        const std::string_view shown = catalog::shown_name(name);
        return shown.size() < name.size() ? std::string(shown) : catalog::quoted(name);
    }

    // A condition that the table keeps as a column.
    bool is_hidden_condition(const Expr& e) const {
        const Expr &left = e.children[0], &right = e.children[1];
        return e.op == CompareOp::kEqual && left.kind == Expr::Kind::kColumn &&
               left.index < schema_.fields.size() &&
               schema_.fields[left.index].name.starts_with(catalog::kHiddenPrefix) &&
               right.kind == Expr::Kind::kLiteral && right.value == Value(true);
    }

    void print_plain(const Expr& e) {
        switch (e.kind) {
            case Expr::Kind::kColumn:
                out_ += column(e.index);
                return;
            case Expr::Kind::kLiteral:
                out_ += std::visit(LiteralText{e.value}, e.value.storage());
                return;
            case Expr::Kind::kParameter:
                out_ += "$" + std::to_string(e.index + 1);
                return;
            case Expr::Kind::kOpaque:
                out_ += e.text;
                return;
            case Expr::Kind::kAnd:
                print_all(e.children, " AND ", kNotBinding);
                return;
            case Expr::Kind::kOr:
                print_all(e.children, " OR ", kAndBinding);
                return;
            case Expr::Kind::kNot:
                print_not(e.children[0]);
                return;
            case Expr::Kind::kIsNull:
                print_operand(e, " IS NULL");
                return;
            case Expr::Kind::kCompare:
                if (is_hidden_condition(e)) {
                    out_ += column(e.children[0].index);
                    return;
                }
                print_operand(e, std::string(" ") + symbol(e.op) + " ");
                print(e.children[1], kTermBinding);
                return;
            case Expr::Kind::kLike:
                print_operand(e, std::string(e.negated ? " NOT" : "") +
                                     (e.ignore_case ? " ILIKE " : " LIKE "));
                print(e.children[1], kTermBinding);
                return;
            case Expr::Kind::kInList:
                print_operand(e, e.negated ? " NOT IN (" : " IN (");
                print_list(e);
                out_ += ')';
                return;
        }
    }

    void print_operand(const Expr& e, std::string_view then) {
        print(e.children[0], kTermBinding);
        out_ += then;
    }

    void print_not(const Expr& child) {
        if (child.kind == Expr::Kind::kIsNull) {
            print_operand(child, " IS NOT NULL");
            return;
        }
        out_ += "NOT ";
        print(child, kTermBinding);
    }

    // Children first .. end.
    void print_list(const Expr& e) {
        const size_t end = std::min(e.children.size(), 1 + kPrintedListMax);
        print_all(std::span(e.children).subspan(1, end - 1), ", ", kOrBinding);
        if (end < e.children.size()) {
            out_ += ", ... " + std::to_string(e.children.size() - end) + " more";
        }
    }

    const arrow::Schema& schema_;
    std::string out_;
};

Status bind_in_place(Expr* e, std::span<const Value> parameters) {
    if (e->kind == Expr::Kind::kParameter) {
        if (e->index >= parameters.size()) {
            return Status(Code::kInvalidInput, "08P01",
                          "there is no value for parameter $" + std::to_string(e->index + 1) +
                              ": " + std::to_string(parameters.size()) + " were given");
        }
        Expr literal = Expr::literal(parameters[e->index]);
        if (literal.value.is_null()) literal.type = e->type;
        *e = std::move(literal);
    }
    for (Expr& child : e->children) RETURN_IF_ERROR(bind_in_place(&child, parameters));
    return {};
}

}  // namespace

CompareOp mirrored(CompareOp op) {
    switch (op) {
        case CompareOp::kLess:
            return CompareOp::kGreater;
        case CompareOp::kLessEqual:
            return CompareOp::kGreaterEqual;
        case CompareOp::kGreater:
            return CompareOp::kLess;
        case CompareOp::kGreaterEqual:
            return CompareOp::kLessEqual;
        default:
            return op;
    }
}

CompareOp inverse(CompareOp op) {
    switch (op) {
        case CompareOp::kEqual:
            return CompareOp::kNotEqual;
        case CompareOp::kNotEqual:
            return CompareOp::kEqual;
        case CompareOp::kLess:
            return CompareOp::kGreaterEqual;
        case CompareOp::kLessEqual:
            return CompareOp::kGreater;
        case CompareOp::kGreater:
            return CompareOp::kLessEqual;
        case CompareOp::kGreaterEqual:
            return CompareOp::kLess;
    }
    return op;
}

Expr Expr::column(uint32_t index) {
    Expr e;
    e.kind = Kind::kColumn;
    e.index = index;
    return e;
}

Expr Expr::literal(Value value) {
    Expr e;
    e.kind = Kind::kLiteral;
    e.type = std::visit(NaturalType(), value.storage());
    e.value = std::move(value);
    return e;
}

Expr Expr::parameter(uint32_t index) {
    Expr e;
    e.kind = Kind::kParameter;
    e.index = index;
    return e;
}

Expr Expr::compare(CompareOp op, Expr left, Expr right) {
    Expr e;
    e.kind = Kind::kCompare;
    e.op = op;
    e.children.push_back(std::move(left));
    e.children.push_back(std::move(right));
    return e;
}

Expr Expr::both(Expr left, Expr right) {
    Expr e;
    e.kind = Kind::kAnd;
    e.children.push_back(std::move(left));
    e.children.push_back(std::move(right));
    return e;
}

bool Expr::has_opaque() const {
    if (kind == Kind::kOpaque) return true;
    for (const Expr& child : children) {
        if (child.has_opaque()) return true;
    }
    return false;
}

void flatten_and(const Expr& filter, std::vector<Expr>* conditions) {
    if (filter.kind != Expr::Kind::kAnd) {
        conditions->push_back(filter);
        return;
    }
    for (const Expr& child : filter.children) flatten_and(child, conditions);
}

Result<Expr> bind(const Expr& expr, std::span<const Value> parameters) {
    Expr bound = expr;
    RETURN_IF_ERROR(bind_in_place(&bound, parameters));
    return bound;
}

std::string to_string(const Expr& expr, const arrow::Schema& schema) {
    Printer printer(schema);
    printer.print(expr, kOrBinding);
    return printer.take();
}

std::string to_string(std::span<const Expr> conditions, const arrow::Schema& schema) {
    Printer printer(schema);
    printer.print_all(conditions, " AND ", conditions.size() > 1 ? kNotBinding : kOrBinding);
    return printer.take();
}

}  // namespace trefoil::plan
