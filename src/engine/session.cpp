// EngineSession over the bridge: each function is one call of bridge.h.

#include "engine/session.h"

#include <utility>

#include "arrow/array.h"
#include "arrow/value.h"
#include "base/check.h"
#include "catalog/catalog.h"
#include "engine/cursor.h"
#include "engine/decode.h"
#include "engine/leaf_vtable.h"

namespace trefoil::engine {

struct Parsed {
    StatementHandle handle;
};

namespace {

// u32 n, n values; of the inferred types where they fit, so that NULL has one.
std::string encode_parameters(std::span<const Value> parameters, const QueryPlan& plan) {
    Writer out;
    out.u32(static_cast<uint32_t>(parameters.size()));
    for (size_t i = 0; i < parameters.size(); i++) {
        const bool known = i < plan.parameters.size() && plan.parameters[i];
        plan::encode_value(parameters[i], known ? *plan.parameters[i] : arrow::Type(), &out);
    }
    return out.take();
}

std::string encode_options(const CopyOptions& options) {
    Writer out;
    out.u32(static_cast<uint32_t>(options.size()));
    for (const auto& [name, value] : options) {
        out.str(name);
        out.str(value);
    }
    return out.take();
}

const tf_plan* plan_of(const QueryPlan& plan) {
    return static_cast<const tf_plan*>(plan.handle.get());
}

class BridgeSession final : public EngineSession {
public:
    explicit BridgeSession(SessionHandle session) : session_(std::move(session)) {}

    Result<Statement> parse(std::string_view sql) override {
        tf_statement* raw = nullptr;
        RETURN_IF_ERROR(call(
            [&](tf_error* e) { return tf_session_parse(session_.get(), as_text(sql), &raw, e); }));
        StatementHandle handle(raw);
        StringSink bytes;
        RETURN_IF_ERROR(
            call([&](tf_error* e) { return tf_statement_describe(raw, bytes.get(), e); }));
        ASSIGN_OR_RETURN(Statement statement, decode_statement(bytes.take()));
        statement.parsed = std::make_shared<Parsed>(Parsed{std::move(handle)});
        return statement;
    }

    Result<QueryPlan> plan(const Statement& statement,
                           const access::SourceCatalog& catalog) override {
        const tf_catalog functions = catalog_functions(catalog);
        tf_plan* raw = nullptr;
        RETURN_IF_ERROR(call([&](tf_error* e) {
            return tf_session_plan(session_.get(), statement.parsed->handle.get(), &functions, &raw,
                                   e);
        }));
        return describe(std::shared_ptr<tf_plan>(PlanHandle(raw)));
    }

    Result<std::unique_ptr<access::BatchStream>> run(const QueryPlan& plan,
                                                     std::span<const Value> parameters,
                                                     const access::SourceCatalog& catalog,
                                                     const access::CancelFlag* cancel) override {
        const std::string values = encode_parameters(parameters, plan);
        auto functions = std::make_unique<tf_catalog>(catalog_functions(catalog));
        return open(
            [&](tf_cursor** out, tf_error* e) {
                return tf_session_run(session_.get(), plan_of(plan), as_text(values),
                                      functions.get(), as_byte(cancel), out, e);
            },
            &functions);
    }

    Result<std::vector<std::string>> explain(const QueryPlan& plan, const Explain& how,
                                             std::span<const Value> parameters,
                                             const access::SourceCatalog& catalog,
                                             const access::CancelFlag* cancel) override {
        const std::string values = encode_parameters(parameters, plan);
        const tf_catalog functions = catalog_functions(catalog);
        StringSink lines;
        RETURN_IF_ERROR(call([&](tf_error* e) {
            return tf_session_explain(session_.get(), plan_of(plan), how.analyze, how.verbose,
                                      as_text(how.format), as_text(values), &functions,
                                      as_byte(cancel), lines.get(), e);
        }));
        return decode_strings(lines.take());
    }

    Result<std::vector<std::string>> analysed(const access::BatchStream& stream) override {
        return engine::analysed(stream);
    }

    Result<Value> evaluate(std::string_view expression, const arrow::Type& type) override {
        auto schema = std::make_shared<arrow::Schema>();
        schema->fields.push_back({"value", type, true});
        SchemaStruct wanted;
        arrow::export_type(schema->fields[0], wanted.get());
        ArrowArray array{};
        RETURN_IF_ERROR(call([&](tf_error* e) {
            return tf_session_evaluate(session_.get(), as_text(expression), wanted.get(), &array,
                                       e);
        }));
        ASSIGN_OR_RETURN(arrow::Batch batch, arrow::import_batch(&array, schema));
        if (batch.rows != 1) return internal_error("a constant of more or less than one row");
        return arrow::value_at(batch.columns[0], 0);
    }

    Result<std::string> rename_column(std::string_view expression, std::string_view column,
                                      std::string_view to) override {
        const std::string from = catalog::quoted(column), name = catalog::quoted(to);
        StringSink text;
        RETURN_IF_ERROR(call([&](tf_error* e) {
            return tf_rename_column(as_text(expression), as_text(from), as_text(name), text.get(),
                                    e);
        }));
        return text.take();
    }

    Result<std::string> rename_in_query(std::string_view query,
                                        const std::vector<std::string>& tables,
                                        std::string_view column, std::string_view to) override {
        const std::string name = catalog::quoted(to);
        Writer references;
        references.strs(tables);
        StringSink text;
        RETURN_IF_ERROR(call([&](tf_error* e) {
            return tf_rename_in_query(as_text(query), as_text(references.data()), as_text(column),
                                      as_text(name), text.get(), e);
        }));
        return text.take();
    }

    Result<std::unique_ptr<access::BatchStream>> cast_stream(
        ArrowArrayStream* rows, const arrow::SchemaPtr& target,
        const access::CancelFlag* cancel) override {
        SchemaStruct schema;
        arrow::export_schema(*target, schema.get());
        return open([&](tf_cursor** out, tf_error* e) {
            return tf_session_cast_stream(session_.get(), rows, schema.get(), as_byte(cancel), out,
                                          e);
        });
    }

    Result<std::unique_ptr<access::BatchStream>> read_parquet(
        const std::string& path, const access::CancelFlag* cancel) override {
        return open([&](tf_cursor** out, tf_error* e) {
            return tf_session_read_parquet(session_.get(), as_text(path), as_byte(cancel), out, e);
        });
    }

    Result<uint64_t> write_parquet(access::BatchStream& rows, const std::string& path,
                                   const CopyOptions& options) override {
        SchemaStruct schema;
        arrow::export_schema(*rows.schema(), schema.get());
        tf_stream stream = borrowed_stream_functions(&rows);
        const std::string encoded = encode_options(options);
        uint64_t count = 0;
        RETURN_IF_ERROR(call([&](tf_error* e) {
            return tf_session_write_parquet(session_.get(), &stream, schema.get(), as_text(path),
                                            as_text(encoded), &count, e);
        }));
        return count;
    }

    Status set(std::string_view name, std::optional<std::string_view> value) override {
        return call([&](tf_error* e) {
            return tf_session_set(session_.get(), as_text(name), value.has_value(),
                                  as_text(value.value_or("")), e);
        });
    }

    Result<std::string> get(std::string_view name) override {
        StringSink value;
        RETURN_IF_ERROR(call([&](tf_error* e) {
            return tf_session_get(session_.get(), as_text(name), value.get(), e);
        }));
        return value.take();
    }

    Result<std::vector<Setting>> settings() override {
        StringSink bytes;
        RETURN_IF_ERROR(
            call([&](tf_error* e) { return tf_session_settings(session_.get(), bytes.get(), e); }));
        return decode_settings(bytes.take());
    }

private:
    // What the engine says of a plan and its children, all of which keep the plan alive.
    static Result<QueryPlan> describe(const std::shared_ptr<const tf_plan>& raw) {
        QueryPlan plan;
        plan.handle = raw;
        SchemaStruct schema;
        RETURN_IF_ERROR(
            call([&](tf_error* e) { return tf_plan_schema(raw.get(), schema.get(), e); }));
        ASSIGN_OR_RETURN(arrow::Schema imported, arrow::import_schema(*schema.get()));
        plan.schema = std::make_shared<arrow::Schema>(std::move(imported));
        StringSink bytes;
        RETURN_IF_ERROR(
            call([&](tf_error* e) { return tf_plan_describe(raw.get(), bytes.get(), e); }));
        RETURN_IF_ERROR(decode_plan(bytes.take(), &plan));
        for (size_t i = 0; const tf_plan* child = tf_plan_child(raw.get(), i); i++) {
            ASSIGN_OR_RETURN(auto described, describe(std::shared_ptr<const tf_plan>(raw, child)));
            plan.children.push_back(std::move(described));
        }
        return plan;
    }

    // The stream of the cursor that `start(tf_cursor**, tf_error*)` makes.
    template <typename F>
    Result<std::unique_ptr<access::BatchStream>> open(
        F&& start, std::unique_ptr<tf_catalog>* catalog = nullptr) {
        tf_cursor* raw = nullptr;
        RETURN_IF_ERROR(call([&](tf_error* e) { return start(&raw, e); }));
        return open_cursor(CursorHandle(raw), catalog ? std::move(*catalog) : nullptr);
    }

    SessionHandle session_;
};

}  // namespace

std::unique_ptr<EngineSession> make_session(SessionHandle session) {
    return std::make_unique<BridgeSession>(std::move(session));
}

}  // namespace trefoil::engine
