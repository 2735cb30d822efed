// The rows of a run as a BatchStream.

#include "engine/cursor.h"

#include <utility>

#include "arrow/array.h"
#include "base/check.h"
#include "engine/decode.h"

namespace trefoil::engine {
namespace {

class CursorStream final : public access::BatchStream {
public:
    CursorStream(CursorHandle cursor, std::unique_ptr<tf_catalog> catalog, arrow::SchemaPtr schema)
        : catalog_(std::move(catalog)), cursor_(std::move(cursor)), schema_(std::move(schema)) {}

    const arrow::SchemaPtr& schema() const override { return schema_; }

    Result<std::optional<arrow::Batch>> next() override {
        if (over_) return std::optional<arrow::Batch>();
        ArrowArray array{};
        Status status = call([&](tf_error* e) { return tf_cursor_next(cursor_.get(), &array, e); });
        over_ = !status.ok() || array.release == nullptr;
        if (!status.ok()) return status;
        if (over_) return std::optional<arrow::Batch>();
        ASSIGN_OR_RETURN(arrow::Batch batch, arrow::import_batch(&array, schema_));
        return std::optional(std::move(batch));
    }

    Result<std::vector<std::string>> analysed() const {
        StringSink lines;
        RETURN_IF_ERROR(
            call([&](tf_error* e) { return tf_cursor_analysed(cursor_.get(), lines.get(), e); }));
        return decode_strings(lines.take());
    }

private:
    std::unique_ptr<tf_catalog> catalog_;  // outlives the cursor: destroyed after it
    CursorHandle cursor_;
    arrow::SchemaPtr schema_;
    bool over_ = false;
};

}  // namespace

Result<std::unique_ptr<access::BatchStream>> open_cursor(CursorHandle cursor,
                                                         std::unique_ptr<tf_catalog> catalog) {
    SchemaStruct raw;
    RETURN_IF_ERROR(
        call([&](tf_error* e) { return tf_cursor_schema(cursor.get(), raw.get(), e); }));
    ASSIGN_OR_RETURN(arrow::Schema schema, arrow::import_schema(*raw.get()));
    return std::unique_ptr<access::BatchStream>(std::make_unique<CursorStream>(
        std::move(cursor), std::move(catalog), std::make_shared<arrow::Schema>(std::move(schema))));
}

Result<std::vector<std::string>> analysed(const access::BatchStream& stream) {
    const auto* cursor = dynamic_cast<const CursorStream*>(&stream);
    if (!cursor) return std::vector<std::string>();
    return cursor->analysed();
}

}  // namespace trefoil::engine
