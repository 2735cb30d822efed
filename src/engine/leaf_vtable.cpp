// The functions that Rust calls to read stored data.
//
// Each is a guarded call of one virtual function; what comes back is checked where a mistake of a
// source would be undefined behaviour over there.

#include "engine/leaf_vtable.h"

#include <utility>
#include <vector>

#include "access/row_probe.h"
#include "arrow/array.h"
#include "base/bytes.h"
#include "base/check.h"
#include "engine/border.h"
#include "plan/expr.h"

namespace trefoil::engine {
namespace {

using access::Statistics;

using SourcePtr = std::shared_ptr<access::TableSource>;
using LeafPtr = std::shared_ptr<access::Leaf>;

const access::TableSource& source_of(void* context) {
    return **static_cast<SourcePtr*>(context);
}
const access::Leaf& leaf_of(void* context) {
    return **static_cast<LeafPtr*>(context);
}

template <typename T>
void release_box(void* context) {
    delete static_cast<T*>(context);
}

// --- Byte forms
// ------------------------------------------------------------------------------------

void write_optional(const std::optional<uint64_t>& v, Writer* out) {
    out->u8(v.has_value());
    if (v) out->u64(*v);
}

void write_bound(const Value& bound, const arrow::Type& type, Writer* out) {
    const bool crosses = !bound.is_null() && !bound.get_if<Value::List>();
    plan::encode_value(crosses ? bound : Value(), crosses ? type : arrow::Type(), out);
}

void write_statistics(const Statistics& s, const arrow::Schema& schema, Writer* out) {
    write_optional(s.row_count, out);
    write_optional(s.byte_size, out);
    if (s.columns.size() != schema.fields.size()) return out->u32(0);
    out->u32(static_cast<uint32_t>(s.columns.size()));
    for (size_t i = 0; i < s.columns.size(); i++) {
        const access::ColumnStatistics& column = s.columns[i];
        write_optional(column.null_count, out);
        write_optional(column.distinct_count, out);
        write_bound(column.min, schema.fields[i].type, out);
        write_bound(column.max, schema.fields[i].type, out);
    }
}

// u32 n, n exprs.
Result<std::vector<plan::Expr>> read_filters(Reader& reader) {
    std::vector<plan::Expr> filters;
    const uint32_t count = reader.u32();
    for (uint32_t i = 0; i < count && reader.ok(); i++) {
        ASSIGN_OR_RETURN(plan::Expr filter, plan::decode_expr(reader));
        filters.push_back(std::move(filter));
    }
    if (!reader.ok() || !reader.at_end()) return internal_error("malformed filters");
    return filters;
}

// --- Streams
// ---------------------------------------------------------------------------------------

struct StreamBox {
    std::unique_ptr<access::BatchStream> owned;
    access::BatchStream* stream;
};

Status check_batch(const arrow::Batch& batch, const arrow::Schema& schema) {
    if (batch.columns.size() != schema.fields.size()) {
        return internal_error("a scan gave " + std::to_string(batch.columns.size()) +
                              " columns where it has " + std::to_string(schema.fields.size()));
    }
    for (size_t i = 0; i < batch.columns.size(); i++) {
        const arrow::Field& field = schema.fields[i];
        if (batch.columns[i].length != batch.rows || !(batch.columns[i].type == field.type)) {
            return internal_error("a scan gave a column \"" + field.name +
                                  "\" of another type or length than it has");
        }
    }
    return {};
}

int stream_next(void* context, ArrowArray* out, tf_error* error) {
    return guarded(error, [&]() -> Status {
        access::BatchStream& stream = *static_cast<StreamBox*>(context)->stream;
        ASSIGN_OR_RETURN(std::optional<arrow::Batch> batch, stream.next());
        *out = {};
        if (!batch) return {};
        RETURN_IF_ERROR(check_batch(*batch, *stream.schema()));
        arrow::export_batch(*batch, out);
        return {};
    });
}

// Rust's tf_probe as a RowProbe.
class BridgeProbe final : public access::RowProbe {
public:
    explicit BridgeProbe(const tf_probe& raw)
        : raw_(raw), columns_(raw.columns, raw.columns + raw.column_count) {}
    BridgeProbe(const BridgeProbe&) = delete;
    BridgeProbe& operator=(const BridgeProbe&) = delete;
    ~BridgeProbe() override { raw_.release(raw_.context); }

    std::vector<uint32_t> columns() const override { return columns_; }
    uint64_t generation() const override { return raw_.generation(raw_.context); }

    Result<std::vector<plan::Expr>> ranges() const override {
        StringSink sink;
        RETURN_IF_ERROR(
            call([&](tf_error* e) { return raw_.ranges(raw_.context, sink.get(), e); }));
        const std::string bytes = sink.take();
        Reader reader(bytes);
        return read_filters(reader);
    }

    Result<bool> test(const arrow::Batch& keys, std::vector<uint64_t>* words) override {
        ArrowArray array{};
        arrow::export_batch(keys, &array);
        uint8_t useful = 1;
        RETURN_IF_ERROR(call([&](tf_error* e) {
            return raw_.test(raw_.context, &array, words->data(), &useful, e);
        }));
        return useful != 0;
    }

private:
    tf_probe raw_;
    std::vector<uint32_t> columns_;
};

void stream_set_probe(void* context, const tf_probe* probe) {
    tf_error error{};
    if (guarded(&error, [&]() -> Status {
            auto owned = std::make_shared<BridgeProbe>(*probe);
            static_cast<StreamBox*>(context)->stream->set_probe(std::move(owned));
            return {};
        }) != 0) {
        error.release(&error);  // without its probe a stream gives more rows, not other ones
    }
}

tf_stream functions_of(StreamBox box) {
    return {TF_BRIDGE_VERSION, sizeof(tf_stream), new StreamBox(std::move(box)),
            stream_next,       stream_set_probe,  release_box<StreamBox>};
}

// --- Leaves
// ----------------------------------------------------------------------------------------

int leaf_name(void* context, const tf_sink* out, tf_error* error) {
    return guarded(error, [&]() -> Status {
        write_to(out, leaf_of(context).name());
        return {};
    });
}

int leaf_explain(void* context, const tf_sink* out, tf_error* error) {
    return guarded(error, [&]() -> Status {
        write_to(out, leaf_of(context).explain());
        return {};
    });
}

int leaf_schema(void* context, ArrowSchema* out, tf_error* error) {
    return guarded(error, [&]() -> Status {
        arrow::export_schema(*leaf_of(context).schema(), out);
        return {};
    });
}

uint32_t leaf_partitions(void* context) {
    uint32_t count = 1;
    tf_error error{};
    if (guarded(&error, [&]() -> Status {
            count = leaf_of(context).partitions();
            return {};
        }) != 0) {
        error.release(&error);  // a leaf that cannot count has one
    }
    return std::max<uint32_t>(1, count);
}

uint8_t leaf_takes_probe(void* context) {
    return leaf_of(context).takes_probe();
}

uint8_t leaf_is_ordered(void* context) {
    return leaf_of(context).is_ordered();
}

int leaf_open(void* context, uint32_t partition, const uint8_t* cancel, tf_stream* out,
              tf_error* error) {
    return guarded(error, [&]() -> Status {
        ASSIGN_OR_RETURN(std::unique_ptr<access::BatchStream> stream,
                         leaf_of(context).open(partition, as_flag(cancel)));
        *out = stream_functions(std::move(stream));
        return {};
    });
}

int leaf_statistics(void* context, const tf_sink* out, tf_error* error) {
    return guarded(error, [&]() -> Status {
        const access::Leaf& leaf = leaf_of(context);
        Writer bytes;
        const Statistics statistics = leaf.statistics();
        bytes.u8(leaf.row_count_is_exact());
        bytes.u8(statistics.columns_exact);
        write_statistics(statistics, *leaf.schema(), &bytes);
        write_to(out, bytes.data());
        return {};
    });
}

int leaf_rejected(void* context, const tf_sink* out, tf_error* error) {
    return guarded(error, [&]() -> Status {
        const std::vector<std::string> lines = leaf_of(context).rejected();
        Writer bytes;
        bytes.strs(lines);
        write_to(out, bytes.data());
        return {};
    });
}

int leaf_metrics(void* context, const tf_sink* out, tf_error* error) {
    return guarded(error, [&]() -> Status {
        const std::vector<access::Metric> metrics = leaf_of(context).metrics();
        Writer bytes;
        bytes.u32(static_cast<uint32_t>(metrics.size()));
        for (const auto& [name, value] : metrics) {
            bytes.str(name);
            bytes.u64(value);
        }
        write_to(out, bytes.data());
        return {};
    });
}

tf_leaf leaf_functions(LeafPtr leaf) {
    return {TF_BRIDGE_VERSION, sizeof(tf_leaf),     new LeafPtr(std::move(leaf)),
            leaf_name,         leaf_explain,        leaf_rejected,
            leaf_schema,       leaf_partitions,     leaf_takes_probe,
            leaf_is_ordered,   leaf_open,           leaf_statistics,
            leaf_metrics,      release_box<LeafPtr>};
}

// --- Tables
// ----------------------------------------------------------------------------------------

int table_schema(void* context, ArrowSchema* out, tf_error* error) {
    return guarded(error, [&]() -> Status {
        arrow::export_schema(*source_of(context).schema(), out);
        return {};
    });
}

int table_statistics(void* context, const tf_sink* out, tf_error* error) {
    return guarded(error, [&]() -> Status {
        const access::TableSource& source = source_of(context);
        Writer bytes;
        write_statistics(source.statistics(), *source.schema(), &bytes);
        write_to(out, bytes.data());
        return {};
    });
}

int table_estimate(void* context, tf_text filters, double* rows, tf_error* error) {
    return guarded(error, [&]() -> Status {
        Reader reader(as_view(filters));
        ASSIGN_OR_RETURN(std::vector<plan::Expr> conditions, read_filters(reader));
        *rows = source_of(context).estimate(conditions).value_or(-1);
        return {};
    });
}

int table_supports(void* context, tf_text filter, uint8_t* support, tf_error* error) {
    return guarded(error, [&]() -> Status {
        Reader reader(as_view(filter));
        ASSIGN_OR_RETURN(plan::Expr expr, plan::decode_expr(reader));
        if (!reader.at_end()) return internal_error("bytes after a filter");
        const bool known = !expr.has_opaque();
        *support = known ? static_cast<uint8_t>(source_of(context).supports(expr)) : 0;
        return {};
    });
}

int table_primary_key(void* context, const tf_sink* out, tf_error* error) {
    return guarded(error, [&]() -> Status {
        const std::vector<uint32_t> key = source_of(context).primary_key();
        Writer bytes;
        bytes.u32(static_cast<uint32_t>(key.size()));
        for (uint32_t column : key) bytes.u32(column);
        write_to(out, bytes.data());
        return {};
    });
}

int table_column_default(void* context, uint32_t column, const tf_sink* out, uint8_t* has,
                         tf_error* error) {
    return guarded(error, [&]() -> Status {
        const std::optional<std::string> text = source_of(context).column_default(column);
        *has = text ? 1 + static_cast<uint8_t>(source_of(context).generated(column)) : 0;
        if (text) write_to(out, *text);
        return {};
    });
}

int table_checks(void* context, const tf_sink* out, tf_error* error) {
    return guarded(error, [&]() -> Status {
        const std::vector<access::Check> checks = source_of(context).checks();
        Writer bytes;
        bytes.u32(static_cast<uint32_t>(checks.size()));
        for (const access::Check& check : checks) {
            bytes.str(check.name);
            bytes.str(check.condition);
        }
        write_to(out, bytes.take());
        return {};
    });
}

Result<access::ScanRequest> read_request(const tf_scan_request& request) {
    if (request.version != TF_BRIDGE_VERSION || request.size != sizeof(tf_scan_request)) {
        return internal_error("the bridge is of another version");
    }
    access::ScanRequest out;
    if (request.projection_count > 0) {
        out.projection.assign(request.projection, request.projection + request.projection_count);
    }
    Reader reader(as_view(request.filters));
    ASSIGN_OR_RETURN(out.filters, read_filters(reader));
    if (request.has_limit) out.limit = request.limit;
    if (request.order.size > 0) {
        Reader order(as_view(request.order));
        out.order = read_order(order);
        if (!order.ok() || !order.at_end()) return internal_error("malformed order");
    }
    if (request.wanted != UINT64_MAX) out.wanted = request.wanted;
    out.for_join = request.for_join != 0;
    return out;
}

int table_scan(void* context, const tf_scan_request* request, tf_leaf* out, tf_error* error) {
    return guarded(error, [&]() -> Status {
        const access::TableSource& source = source_of(context);
        ASSIGN_OR_RETURN(access::ScanRequest wanted, read_request(*request));
        for (uint32_t column : wanted.projection) {
            if (column >= source.schema()->fields.size()) {
                return internal_error("a scan of a column that the table does not have");
            }
        }
        ASSIGN_OR_RETURN(LeafPtr leaf, source.scan(wanted));
        *out = leaf_functions(std::move(leaf));
        return {};
    });
}

// NOLINTNEXTLINE(readability-function-size): C has no spans.
int table_fetch(void* context, const uint32_t* columns, size_t column_count,
                const uint64_t* row_ids, size_t row_count, ArrowArray* out, tf_error* error) {
    return guarded(error, [&]() -> Status {
        ASSIGN_OR_RETURN(arrow::Batch batch,
                         source_of(context).fetch({columns, column_count}, {row_ids, row_count}));
        arrow::export_batch(batch, out);
        return {};
    });
}

tf_table table_functions(SourcePtr source) {
    return {TF_BRIDGE_VERSION,     sizeof(tf_table),  new SourcePtr(std::move(source)),
            table_schema,          table_statistics,  table_estimate,
            table_supports,        table_primary_key, table_column_default,
            table_checks,          table_scan,        table_fetch,
            release_box<SourcePtr>};
}

// --- The catalog
// -----------------------------------------------------------------------------------

const access::SourceCatalog& catalog_of(void* context) {
    return *static_cast<const access::SourceCatalog*>(context);
}

int catalog_find(void* context, tf_text name, uint8_t row_ids, tf_table* out, tf_error* error) {
    return guarded(error, [&]() -> Status {
        ASSIGN_OR_RETURN(SourcePtr source, catalog_of(context).find(as_view(name), row_ids != 0));
        *out = {};
        if (source) *out = table_functions(std::move(source));
        return {};
    });
}

void write_names(const std::vector<std::string>& names, const tf_sink* out) {
    Writer bytes;
    bytes.strs(names);
    write_to(out, bytes.data());
}

int catalog_table_names(void* context, const tf_sink* out, tf_error* error) {
    return guarded(error, [&]() -> Status {
        write_names(catalog_of(context).table_names(), out);
        return {};
    });
}

int catalog_schemas(void* context, const tf_sink* out, tf_error* error) {
    return guarded(error, [&]() -> Status {
        write_names(catalog_of(context).schemas(), out);
        return {};
    });
}

int catalog_relation(void* context, tf_text name, const tf_sink* out, uint8_t* has,
                     tf_error* error) {
    return guarded(error, [&]() -> Status {
        const auto found = catalog_of(context).relation_name(as_view(name));
        *has = found.has_value();
        if (found) write_to(out, *found);
        return {};
    });
}

int catalog_view(void* context, tf_text name, const tf_sink* out, uint8_t* has, tf_error* error) {
    return guarded(error, [&]() -> Status {
        const auto view = catalog_of(context).find_view(as_view(name));
        *has = view.has_value();
        if (!view) return {};
        Writer bytes;
        bytes.str(view->name);
        bytes.strs(view->path);
        bytes.str(view->query);
        bytes.strs(view->columns);
        write_to(out, bytes.data());
        return {};
    });
}

// NOLINTNEXTLINE(readability-function-size): C has no spans.
int catalog_sequence(void* context, uint8_t function, tf_text name, int64_t value,
                     uint8_t is_called, int64_t* out, size_t count, tf_error* error) {
    return guarded(error, [&]() -> Status {
        using Function = access::SequenceCall::Function;
        if (function > static_cast<uint8_t>(Function::kCancel)) {
            return internal_error("an unknown function of sequences");
        }
        return catalog_of(context).call_sequence(
            {static_cast<Function>(function), as_view(name), value, is_called != 0}, {out, count});
    });
}

}  // namespace

tf_catalog catalog_functions(const access::SourceCatalog& catalog) {
    return {TF_BRIDGE_VERSION,
            sizeof(tf_catalog),
            const_cast<void*>(static_cast<const void*>(&catalog)),
            catalog_find,
            catalog_table_names,
            catalog_view,
            catalog_sequence,
            catalog_schemas,
            catalog_relation};
}

tf_stream stream_functions(std::unique_ptr<access::BatchStream> stream) {
    access::BatchStream* raw = stream.get();
    return functions_of({std::move(stream), raw});
}

tf_stream borrowed_stream_functions(access::BatchStream* stream) {
    return functions_of({nullptr, stream});
}

}  // namespace trefoil::engine
