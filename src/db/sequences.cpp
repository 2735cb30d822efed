// Sequences: what functions ask, and what options mean.

#include "db/sequences.h"

#include <algorithm>

#include "base/check.h"
#include "base/text_format.h"
#include "db/sql_lexer.h"

namespace trefoil {
namespace {

using catalog::SequenceDef;
using engine::SequenceOption;
using engine::SequenceOptions;
using Kind = SequenceOption::Kind;
using Place = table::Sequences::Place;

std::string without_quotes(std::string_view literal) {
    std::string out;
    for (size_t i = 1; i + 1 < literal.size(); i++) {
        if (literal[i] == '\'') i++;
        out += literal[i];
    }
    return out;
}

bool is_sequence_function(std::string_view word) {
    auto is = [&](std::string_view name) {
        return std::equal(word.begin(), word.end(), name.begin(), name.end(),
                          [](char a, char b) { return (a | 0x20) == b; });
    };
    return is("nextval") || is("currval") || is("setval");
}

}  // namespace

// --- What a session knows ------------------------------------------------------------------------

Status SessionSequences::call(const access::SequenceCall& call, const catalog::TableDef* sequence,
                              std::span<int64_t> out) {
    using Function = access::SequenceCall::Function;
    if (out.empty()) return {};
    switch (call.function) {
        case Function::kNextval: {
            RETURN_IF_ERROR(all_.next(*sequence, out));
            std::lock_guard lock(mutex_);
            numbers_[sequence->id] = out.back();
            last_ = sequence->id;
            return {};
        }
        case Function::kCurrval: {
            std::lock_guard lock(mutex_);
            auto known = numbers_.find(sequence->id);
            if (known == numbers_.end()) {
                return Status(Code::kInvalidInput, "55000",
                              "currval of sequence \"" + sequence->name +
                                  "\" is not yet defined in this session");
            }
            std::fill(out.begin(), out.end(), known->second);
            return {};
        }
        case Function::kLastval: {
            ASSIGN_OR_RETURN(int64_t number, last());
            std::fill(out.begin(), out.end(), number);
            return {};
        }
        case Function::kSetval: {
            RETURN_IF_ERROR(all_.set(*sequence, {call.value, call.is_called}));
            std::fill(out.begin(), out.end(), call.value);
            std::lock_guard lock(mutex_);
            if (call.is_called) numbers_[sequence->id] = call.value;
            return {};
        }
        case Function::kCancel:
            for (int64_t& done : out) done = sessions_.cancel(static_cast<uint64_t>(call.value));
            return {};
    }
    return {};
}

Result<int64_t> SessionSequences::last() const {
    std::lock_guard lock(mutex_);
    if (last_) return numbers_.at(*last_);
    return Status(Code::kInvalidInput, "55000", "lastval is not yet defined in this session");
}

void SessionSequences::forget() {
    std::lock_guard lock(mutex_);
    numbers_.clear();
    last_.reset();
}

// --- Names in expressions ------------------------------------------------------------------------

Result<std::string> replace_sequences(
    std::string_view sql, const std::function<Result<std::string>(const std::string&)>& replace) {
    std::string out;
    size_t at = 0, copied = 0;
    bool open = false;
    int matched = 0;  // how much of nextval ( has been seen
    while (auto token = next_token(sql, &at, &open)) {
        if (matched == 2 && token->kind == TokenKind::kString && token->text[0] == '\'') {
            ASSIGN_OR_RETURN(std::string other, replace(without_quotes(token->text)));
            out += sql.substr(copied, token->offset - copied);
            out += other;
            copied = token->offset + token->text.size();
        }
        const bool opens = matched == 1 && token->text == "(";
        matched = opens                                                                  ? 2
                  : token->kind == TokenKind::kWord && is_sequence_function(token->text) ? 1
                                                                                         : 0;
    }
    return out + std::string(sql.substr(copied));
}

std::vector<std::string> sequences_in(std::string_view sql) {
    std::vector<std::string> names;
    (void)replace_sequences(sql, [&](const std::string& name) -> Result<std::string> {
        names.push_back(name);
        return name;
    });
    return names;
}

std::string sequence_literal(const catalog::TableDef& sequence) {
    return in_quotes(catalog::quoted_reference(sequence.schema_name, sequence.name), '\'');
}

std::string shown_default(const std::string& sql) {
    auto shown = [](std::string name) -> Result<std::string> {
        const std::string schema = std::string(catalog::kPublicSchema) + ".";
        if (name.starts_with(schema)) name.erase(0, schema.size());
        return in_quotes(name, '\'') + "::regclass";
    };
    auto replaced = replace_sequences(sql, shown);
    return replaced.ok() ? *replaced : sql;
}

bool uses(const catalog::ColumnDef& column, const catalog::TableDef& sequence) {
    const std::string wanted = catalog::reference(sequence.schema_name, sequence.name);
    const auto names = sequences_in(column.default_sql.value_or(""));
    return std::any_of(names.begin(), names.end(), [&](const std::string& name) {
        return catalog::fold_reference(name) == wanted;
    });
}

std::vector<uint32_t> columns_using(const catalog::TableDef& table,
                                    const catalog::TableDef& sequence) {
    std::vector<uint32_t> columns;
    for (uint32_t i = 0; i < table.columns.size(); i++) {
        if (uses(table.columns[i], sequence)) columns.push_back(i);
    }
    return columns;
}

std::optional<OwningColumn> owner_of(const catalog::Catalog& catalog,
                                     const catalog::TableDef& sequence) {
    if (!sequence.sequence.owner || sequence.depends_on.empty()) return std::nullopt;
    const catalog::TablePtr table = catalog.find(sequence.depends_on[0]);
    const auto position = table ? table->find_column_id(*sequence.sequence.owner) : std::nullopt;
    if (!position) return std::nullopt;
    return OwningColumn{table, *position};
}

catalog::TablePtr identity_table(const catalog::Catalog& catalog,
                                 const catalog::TableDef& sequence) {
    const auto owner = owner_of(catalog, sequence);
    return owner && owner->def().is_identity() ? owner->table : nullptr;
}

void depend_on_sequences(const catalog::Catalog& catalog, catalog::TableDef* table) {
    std::erase_if(table->depends_on, [&](uint32_t id) {
        catalog::TablePtr other = catalog.find(id);
        return other && other->kind == catalog::RelationKind::kSequence;
    });
    for (const catalog::ColumnDef& column : table->columns) {
        if (!column.default_sql) continue;
        for (const std::string& name : sequences_in(*column.default_sql)) {
            const catalog::TablePtr sequence = catalog.resolve(catalog::fold_reference(name), {});
            if (!sequence) continue;
            auto& ids = table->depends_on;
            if (std::find(ids.begin(), ids.end(), sequence->id) == ids.end()) {
                ids.push_back(sequence->id);
            }
        }
    }
}

// --- Options -------------------------------------------------------------------------------------

const SequenceOption* find_option(const SequenceOptions& options, Kind kind) {
    for (const SequenceOption& o : options) {
        if (o.kind == kind) return &o;
    }
    return nullptr;
}

std::string_view type_name(const SequenceDef& sequence) {
    return sequence.bytes == 2 ? "smallint" : sequence.bytes == 4 ? "integer" : "bigint";
}

namespace {

int64_t type_max(uint8_t bytes) {
    return static_cast<int64_t>((uint64_t{1} << (8 * bytes - 1)) - 1);
}
int64_t type_min(uint8_t bytes) {
    return -type_max(bytes) - 1;
}

Status wrong(const SequenceOption* option, const std::string& message) {
    Status status(Code::kInvalidInput, "22023", message);
    return option ? std::move(status).with_position(option->position) : status;
}

std::string in_parentheses(int64_t number) {
    return "(" + std::to_string(number) + ")";
}

// The bounds: as given, or those of the type.
Status apply_bounds(const SequenceOptions& options, bool is_new, uint8_t bytes_before,
                    SequenceDef& s) {
    const bool up = s.increment > 0;
    const SequenceOption* max = find_option(options, Kind::kMax);
    const SequenceOption* min = find_option(options, Kind::kMin);
    const bool resize = s.bytes != bytes_before;
    if (max && max->value) {
        s.max = *max->value;
    } else if (is_new || max || (resize && s.max == type_max(bytes_before))) {
        s.max = up ? type_max(s.bytes) : -1;
    }
    if (min && min->value) {
        s.min = *min->value;
    } else if (is_new || min || (resize && s.min == type_min(bytes_before))) {
        s.min = up ? 1 : type_min(s.bytes);
    }
    auto fits = [&](int64_t v) { return v >= type_min(s.bytes) && v <= type_max(s.bytes); };
    const std::string type = " is out of range for sequence data type " + std::string(type_name(s));
    if (!fits(s.max)) return wrong(max, "MAXVALUE " + in_parentheses(s.max) + type);
    if (!fits(s.min)) return wrong(min, "MINVALUE " + in_parentheses(s.min) + type);
    if (s.min >= s.max) {
        return wrong(min ? min : max, "MINVALUE " + in_parentheses(s.min) +
                                          " must be less than MAXVALUE " + in_parentheses(s.max));
    }
    return {};
}

Status check_within(const char* what, int64_t value, const SequenceDef& s,
                    const SequenceOption* option) {
    const std::string start = std::string(what) + " value " + in_parentheses(value);
    if (value < s.min) {
        return wrong(option, start + " cannot be less than MINVALUE " + in_parentheses(s.min));
    }
    if (value > s.max) {
        return wrong(option, start + " cannot be greater than MAXVALUE " + in_parentheses(s.max));
    }
    return {};
}

}  // namespace

Status apply_options(const SequenceOptions& options, bool is_new, SequenceDef* sequence,
                     Place* at) {
    SequenceDef& s = *sequence;
    const uint8_t bytes_before = s.bytes;
    if (auto* type = find_option(options, Kind::kType))
        s.bytes = static_cast<uint8_t>(*type->value);
    if (auto* increment = find_option(options, Kind::kIncrement)) {
        s.increment = *increment->value;
        if (s.increment == 0) return wrong(increment, "INCREMENT must not be zero");
    }
    if (auto* cycle = find_option(options, Kind::kCycle)) s.cycle = *cycle->value != 0;
    RETURN_IF_ERROR(apply_bounds(options, is_new, bytes_before, s));
    const SequenceOption* start = find_option(options, Kind::kStart);
    if (start) {
        s.start = *start->value;
    } else if (is_new) {
        s.start = s.increment > 0 ? s.min : s.max;
    }
    RETURN_IF_ERROR(check_within("START", s.start, s, start));
    if (auto* cache = find_option(options, Kind::kCache)) {
        s.cache = *cache->value;
        if (s.cache <= 0) {
            return wrong(cache, "CACHE " + in_parentheses(s.cache) + " must be greater than zero");
        }
    }
    const SequenceOption* restart = find_option(options, Kind::kRestart);
    if (restart) *at = {restart->value.value_or(s.start), false};
    if (is_new) *at = {s.start, false};
    return check_within("RESTART", at->value, s, restart);
}

}  // namespace trefoil
