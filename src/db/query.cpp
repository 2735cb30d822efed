// Queries: on the fast path by the access operators alone, or through the engine. And EXPLAIN.

#include <algorithm>
#include <array>
#include <cstdio>

#include "access/given_rows.h"
#include "base/check.h"
#include "db/change_sink.h"
#include "db/session_state.h"

namespace trefoil {
namespace {

using Answer = Session::State::Answer;

// Reads the partitions of a leaf one after the other, on the caller's thread.
class LeafStream final : public access::BatchStream {
public:
    LeafStream(std::shared_ptr<access::Leaf> leaf, arrow::SchemaPtr schema, uint64_t offset,
               const access::CancelFlag* cancel)
        : leaf_(std::move(leaf)), schema_(std::move(schema)), skip_(offset), cancel_(cancel) {}

    const arrow::SchemaPtr& schema() const override { return schema_; }

    Result<std::optional<arrow::Batch>> next() override {
        while (partition_ < leaf_->partitions()) {
            if (!stream_) {
                ASSIGN_OR_RETURN(stream_, leaf_->open(partition_, cancel_));
            }
            ASSIGN_OR_RETURN(auto batch, stream_->next());
            if (!batch) {
                stream_.reset();
                partition_++;
                continue;
            }
            batch->schema = schema_;  // names as the statement wants them
            if (skip_ == 0) return batch;
            const auto skipped = std::min<uint64_t>(skip_, static_cast<uint64_t>(batch->rows));
            skip_ -= skipped;
            if (skipped == static_cast<uint64_t>(batch->rows)) continue;
            return std::optional(batch->slice(static_cast<int64_t>(skipped),
                                              batch->rows - static_cast<int64_t>(skipped)));
        }
        return std::optional<arrow::Batch>();
    }

private:
    std::shared_ptr<access::Leaf> leaf_;
    arrow::SchemaPtr schema_;
    uint64_t skip_;
    const access::CancelFlag* cancel_;
    uint32_t partition_ = 0;
    std::unique_ptr<access::BatchStream> stream_;
};

// The number of LIMIT or OFFSET. Errors: 2201W, 2201X if it is none.
Result<std::optional<uint64_t>> row_number(const std::optional<plan::Expr>& expr,
                                           std::span<const Value> parameters, const char* clause) {
    if (!expr) return std::optional<uint64_t>();
    ASSIGN_OR_RETURN(plan::Expr bound, plan::bind(*expr, parameters));
    if (bound.value.is_null()) return std::optional<uint64_t>();
    const int64_t* n = bound.value.get_if<int64_t>();
    if (!n || *n < 0) {
        return Status(Code::kInvalidInput, std::string_view(clause) == "LIMIT" ? "2201W" : "2201X",
                      std::string(clause) + (n ? " must not be negative" : " must be a number"));
    }
    return std::optional(static_cast<uint64_t>(*n));
}

// LIMIT counts across partitions; each partition's stream stops by itself, the whole is cut here.
class LimitStream final : public access::BatchStream {
public:
    LimitStream(std::unique_ptr<access::BatchStream> input, uint64_t limit)
        : input_(std::move(input)), left_(limit) {}
    const arrow::SchemaPtr& schema() const override { return input_->schema(); }
    Result<std::optional<arrow::Batch>> next() override {
        if (left_ == 0) return std::optional<arrow::Batch>();
        ASSIGN_OR_RETURN(auto batch, input_->next());
        if (!batch) return batch;
        if (static_cast<uint64_t>(batch->rows) > left_) {
            batch = batch->slice(0, static_cast<int64_t>(left_));
        }
        left_ -= static_cast<uint64_t>(batch->rows);
        return batch;
    }

private:
    std::unique_ptr<access::BatchStream> input_;
    uint64_t left_;
};

// The rows of an answer while its time runs, or inside BEGIN ... COMMIT: if they cannot be read,
// the block has failed.
class AnswerStream final : public access::BatchStream {
public:
    AnswerStream(std::unique_ptr<access::BatchStream> input, Session::State& session,
                 std::string_view statement)
        : input_(std::move(input)),
          session_(session),
          block_(session.blocks),
          deadline_(session.deadline),
          activity_(session.activity) {
        activity_->open_answer(statement);
    }
    ~AnswerStream() override { activity_->close_answer(); }
    const arrow::SchemaPtr& schema() const override { return input_->schema(); }
    Result<std::optional<arrow::Batch>> next() override {
        auto batch = input_->next();
        if (batch.ok() && batch->has_value()) return batch;
        deadline_.reset();
        if (batch.ok()) return batch;
        session_.reading_failed(block_);
        return session_.explain_cancel(batch.status());
    }

private:
    std::unique_ptr<access::BatchStream> input_;
    Session::State& session_;
    uint64_t block_;
    std::shared_ptr<Alarms::Alarm> deadline_;
    std::shared_ptr<Activity> activity_;
};

// Whether a value is of just the type that its parameter was inferred to have. Others are
// converted, or refused, by the engine, so that both tiers say the same.
bool fits(const Value& value, const std::optional<arrow::Type>& type) {
    if (value.is_null() || !type) return true;
    switch (type->id) {
        case arrow::TypeId::kInt16:
        case arrow::TypeId::kInt32:
        case arrow::TypeId::kInt64: {
            const int64_t* v = value.get_if<int64_t>();
            if (!v) return false;
            const int bits = static_cast<int>(type->byte_width()) * 8 - 1;
            return bits == 63 || (*v >> bits == 0 || *v >> bits == -1);
        }
        case arrow::TypeId::kFloat64:
            return value.get_if<double>() != nullptr;
        case arrow::TypeId::kBool:
            return value.get_if<bool>() != nullptr;
        case arrow::TypeId::kUtf8:
        case arrow::TypeId::kLargeUtf8:
        case arrow::TypeId::kUtf8View:
            return value.get_if<std::string>() != nullptr;
        case arrow::TypeId::kDate32:
            return value.get_if<Date>() != nullptr;
        case arrow::TypeId::kTimestamp:
            return value.get_if<Timestamp>() != nullptr;
        case arrow::TypeId::kFixedSizeBinary:
            return value.get_if<Uuid>() != nullptr;
        default:
            return false;
    }
}

std::vector<std::vector<Value>> as_rows(const std::vector<std::string>& lines) {
    std::vector<std::vector<Value>> rows;
    for (const std::string& line : lines) rows.push_back({Value(line)});
    return rows;
}

// "1.27ms", as the engine writes times.
std::string time_text(uint64_t ns) {
    static constexpr std::array kUnits = {"ns", "µs", "ms", "s"};
    size_t unit = 0;
    auto number = static_cast<double>(ns);
    for (; number >= 1000 && unit + 1 < kUnits.size(); unit++) number /= 1000;
    std::array<char, 32> text{};
    std::snprintf(text.data(), text.size(), unit == 0 ? "%.0f%s" : "%.2f%s", number, kUnits[unit]);
    return text.data();
}

std::string metrics_text(const access::Leaf& leaf) {
    std::string text;
    for (const auto& [name, value] : leaf.metrics()) {
        if (!text.empty()) text += ", ";
        const bool time = name.ends_with(access::kTimeSuffix);
        text += name.substr(0, name.size() - (time ? access::kTimeSuffix.size() : 0)) + "=";
        text += time ? time_text(value) : std::to_string(value);
    }
    return text;
}

}  // namespace

Result<std::shared_ptr<access::Leaf>> Session::State::access_leaf(
    const engine::AccessQuery& query, std::span<const Value> parameters,
    const access::SnapshotCatalog& catalog, uint64_t* offset) {
    std::shared_ptr<access::Leaf> none;
    ASSIGN_OR_RETURN(auto source, catalog.find(query.table, /*row_ids=*/false));
    if (!source) return none;
    access::ScanRequest request;
    request.projection = query.projection;
    for (const plan::Expr& f : query.filters) {
        ASSIGN_OR_RETURN(plan::Expr bound, plan::bind(f, parameters));
        if (source->supports(bound) != access::FilterSupport::kExact) return none;
        request.filters.push_back(std::move(bound));
    }
    ASSIGN_OR_RETURN(auto limit, row_number(query.limit, parameters, "LIMIT"));
    ASSIGN_OR_RETURN(auto skip, row_number(query.offset, parameters, "OFFSET"));
    *offset = skip.value_or(0);
    if (limit) request.limit = *limit + *offset;
    request.order = query.order;
    ASSIGN_OR_RETURN(auto leaf, source->scan(request));
    return query.order.empty() || leaf->is_ordered() ? leaf : none;
}

// Runs the statement without the engine. `understood` is cleared if a value turns out to be of a
// kind that the access operators do not compare as SQL would.
Result<Answer> Session::State::access_query(const CachedStatement& statement,
                                            std::span<const Value> parameters,
                                            const std::shared_ptr<access::SnapshotCatalog>& now,
                                            bool* understood) {
    *understood = true;
    const auto& types = statement.plan->parameters;
    for (size_t i = 0; i < parameters.size() && i < types.size(); i++) {
        if (fits(parameters[i], types[i])) continue;
        *understood = false;
        return Answer();
    }
    if (statement.point && settings.use_indexes) {
        const auto& table = now->version()->tables.at(statement.point->table_id());
        ASSIGN_OR_RETURN(auto row, statement.point->run(*table, parameters, understood));
        if (!*understood) return Answer();
        auto answer = row ? answer_of(std::move(*row), "SELECT")
                          : answer_of(arrow::Batch{statement.plan->schema, 0, {}}, "SELECT");
        answer->tier = "access";
        db.statement_counters.access_tier.fetch_add(1, std::memory_order_relaxed);
        return answer;
    }
    uint64_t offset = 0;
    ASSIGN_OR_RETURN(auto leaf, access_leaf(*statement.plan->access, parameters, *now, &offset));
    if (!leaf) {
        *understood = false;
        return Answer();
    }
    ASSIGN_OR_RETURN(auto limit, row_number(statement.plan->access->limit, parameters, "LIMIT"));
    std::unique_ptr<access::BatchStream> stream =
        std::make_unique<LeafStream>(leaf, statement.plan->schema, offset, &cancel);
    if (limit) stream = std::make_unique<LimitStream>(std::move(stream), *limit);
    auto answer = answer_of(
        std::make_unique<AnswerStream>(std::move(stream), *this, statement.text), now, "SELECT");
    answer->tier = "access";
    db.statement_counters.access_tier.fetch_add(1, std::memory_order_relaxed);
    return answer;
}

Status check_parameter_count(const engine::QueryPlan& plan, std::span<const Value> parameters) {
    if (parameters.size() == plan.parameters.size()) return Status();
    return Status(Code::kInvalidInput, "08P01",
                  "the statement has " + std::to_string(plan.parameters.size()) +
                      " parameters, but " + std::to_string(parameters.size()) +
                      " values were given");
}

Result<Answer> Session::State::query(CachedStatement& statement,
                                     std::span<const Value> parameters) {
    ASSIGN_OR_RETURN(auto now, catalog());
    RETURN_IF_ERROR(plan(statement, *now));
    if (statement.plan->access && settings.fast_path) {
        RETURN_IF_ERROR(check_parameter_count(*statement.plan, parameters));
        bool understood = false;
        ASSIGN_OR_RETURN(Answer answer, access_query(statement, parameters, now, &understood));
        if (understood) return answer;
    }
    ASSIGN_OR_RETURN(auto stream, engine->run(*statement.plan, parameters, *now, &cancel));
    auto answer = answer_of(
        std::make_unique<AnswerStream>(std::move(stream), *this, statement.text), now, "SELECT");
    answer->tier = "engine";
    db.statement_counters.engine_tier.fetch_add(1, std::memory_order_relaxed);
    return answer;
}

Result<Answer> Session::State::explain(CachedStatement& statement,
                                       std::span<const Value> parameters) {
    const engine::Explain& how = *statement.statement.explain;
    if (!statement.plan) {
        return Status::unsupported(
            "EXPLAIN of a statement that is not a query, INSERT, UPDATE, DELETE or MERGE is not "
            "supported yet");
    }
    ASSIGN_OR_RETURN(auto now, catalog());
    std::vector<std::string> lines;
    if (statement.plan->access && settings.fast_path && how.format.empty()) {
        uint64_t offset = 0;
        ASSIGN_OR_RETURN(auto leaf,
                         access_leaf(*statement.plan->access, parameters, *now, &offset));
        if (leaf) {
            lines.push_back("Access (fast path, no engine)");
            lines.push_back("  " + leaf->name() + " " + leaf->explain());
            if (how.analyze) {
                LeafStream stream(leaf, leaf->schema(), offset, &cancel);
                for (;;) {
                    ASSIGN_OR_RETURN(auto batch, stream.next());
                    if (!batch) break;
                }
                lines.push_back("    metrics=[" + metrics_text(*leaf) + "]");
            }
            for (const std::string& line :
                 how.verbose ? leaf->rejected() : std::vector<std::string>()) {
                lines.push_back("    rejected: " + line);
            }
            return text_answer({"plan"}, as_rows(lines), "EXPLAIN");
        }
    }
    if (goes_directly(statement, parameters) && !how.analyze && !how.verbose &&
        how.format.empty()) {
        lines.push_back("Access (fast path, no engine)");
        lines.push_back("  " + statement.direct->explain());
        return text_answer({"plan"}, as_rows(lines), "EXPLAIN");
    }
    if (how.analyze && (statement.plan->change || !statement.plan->children.empty())) {
        RETURN_IF_ERROR(modify(statement, parameters, &lines).status());
        return text_answer({"plan"}, as_rows(lines), "EXPLAIN");
    }
    // Of the parts of WITH it need only be known which rows they would return.
    access::GivenRows given(*now);
    for (const engine::QueryPlan& part : statement.plan->children) {
        const std::string& name = part.locking ? part.locking->given : part.change->given;
        if (!name.empty()) given.set(name, returned_schema(part), {});
    }
    ASSIGN_OR_RETURN(lines, engine->explain(*statement.plan, how, parameters, given, &cancel));
    return text_answer({"plan"}, as_rows(lines), "EXPLAIN");
}

}  // namespace trefoil
