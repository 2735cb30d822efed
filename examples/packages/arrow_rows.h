// ArrowRows: builds rows column by column and hands them on as an Arrow C stream.
//
//     ArrowRows rows;
//     auto& id = rows.int64("id");
//     auto& name = rows.text("name");
//     for (const Person& p : people) {
//         id.add(p.id);
//         p.name.empty() ? name.add_null() : name.add(p.name);
//         rows.end_row();
//     }
//     ArrowArrayStream stream;
//     rows.export_stream(&stream);
//     session.append("person", &stream);
//
// It shows all that there is to the Arrow C interfaces for a producer: a schema is a tree of format
// strings, an array is a tree of buffers, and whoever holds one calls its release function once.

#pragma once

#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "trefoil/arrow_c.h"

// One column of one batch, while it grows. Arrow keeps a bit per row that says "not NULL", and
// beside it the values: fixed-size ones one after the other, texts as one run of bytes and the
// offsets into it.
class ArrowColumn {
public:
    ArrowColumn(std::string name, const char* format) : name_(std::move(name)), format_(format) {
        if (is_text()) append_bytes(int32_t{0});
    }

    void add(int64_t value) {  // REQUIRES: an int64 column
        append_bytes(value);
        end_value(true);
    }
    void add(bool value) {  // REQUIRES: a boolean column
        append_bit(values_, value);
        end_value(true);
    }
    void add(std::string_view value) {  // REQUIRES: a text column
        text_.insert(text_.end(), value.begin(), value.end());
        append_bytes(static_cast<int32_t>(text_.size()));
        end_value(true);
    }
    void add(const char* value) { add(std::string_view(value)); }
    void add(std::optional<int64_t> value) { value ? add(*value) : add_null(); }
    void add_text_or_null(std::string_view value) { value.empty() ? add_null() : add(value); }
    void add_null() {
        if (is_text()) {
            append_bytes(static_cast<int32_t>(text_.size()));
        } else if (format_ == std::string_view("b")) {
            append_bit(values_, false);
        } else {
            append_bytes(int64_t{0});
        }
        end_value(false);
    }

    const std::string& name() const { return name_; }
    const char* format() const { return format_; }

private:
    friend class ArrowRows;

    bool is_text() const { return format_ == std::string_view("u"); }
    template <typename T>
    void append_bytes(T value) {
        const auto* bytes = reinterpret_cast<const uint8_t*>(&value);
        values_.insert(values_.end(), bytes, bytes + sizeof value);
    }
    void append_bit(std::vector<uint8_t>& bits, bool bit) const {
        if (count_ % 8 == 0) bits.push_back(0);
        if (bit) bits.back() |= static_cast<uint8_t>(1 << (count_ % 8));
    }
    void end_value(bool valid) {
        append_bit(valid_, valid);
        if (!valid) null_count_++;
        count_++;
    }

    std::string name_;
    const char* format_;  // "l" int64, "b" boolean, "u" UTF-8 text
    int64_t count_ = 0;
    int64_t null_count_ = 0;
    std::vector<uint8_t> valid_, values_, text_;
};

class ArrowRows {
public:
    static constexpr int64_t kBatchRows = 8192;

    // Columns are declared before the first row; the references stay valid.
    ArrowColumn& int64(std::string name) { return declare(std::move(name), "l"); }
    ArrowColumn& boolean(std::string name) { return declare(std::move(name), "b"); }
    ArrowColumn& text(std::string name) { return declare(std::move(name), "u"); }

    // REQUIRES: one value was added to every column.
    void end_row() {
        row_count_++;
        if (columns_.front()->count_ == kBatchRows) end_batch();
    }
    int64_t row_count() const { return row_count_; }

    // Moves all rows into `out`. The ArrowRows is empty after that and may be destroyed.
    void export_stream(ArrowArrayStream* out) {
        if (columns_.front()->count_ > 0) end_batch();
        auto* source = new Source;
        for (const auto& column : columns_)
            source->columns.emplace_back(column->name_, column->format_);
        source->batches = std::move(batches_);
        out->get_schema = [](ArrowArrayStream* s, ArrowSchema* schema) {
            export_schema(static_cast<Source*>(s->private_data)->columns, schema);
            return 0;
        };
        out->get_next = [](ArrowArrayStream* s, ArrowArray* array) {
            auto* from = static_cast<Source*>(s->private_data);
            if (from->next == from->batches.size()) {
                *array = ArrowArray{};  // a released array marks the end
            } else {
                export_batch(std::move(from->batches[from->next++]), array);
            }
            return 0;
        };
        out->get_last_error = [](ArrowArrayStream*) -> const char* { return nullptr; };
        out->release = [](ArrowArrayStream* s) {
            delete static_cast<Source*>(s->private_data);
            s->release = nullptr;
        };
        out->private_data = source;
    }

private:
    using Batch = std::vector<ArrowColumn>;
    using Columns = std::vector<std::pair<std::string, const char*>>;  // name, format
    struct Source {
        Columns columns;
        std::vector<Batch> batches;
        size_t next = 0;
    };

    // What an exported ArrowArray or ArrowSchema owns.
    struct OwnedArray {
        std::unique_ptr<ArrowColumn> column;  // null for the struct around the columns
        const void* buffers[3] = {nullptr, nullptr, nullptr};
        std::vector<ArrowArray> children;
        std::vector<ArrowArray*> child_pointers;
    };
    struct OwnedSchema {
        std::string name;
        std::vector<ArrowSchema> children;
        std::vector<ArrowSchema*> child_pointers;
    };

    ArrowColumn& declare(std::string name, const char* format) {
        columns_.push_back(std::make_unique<ArrowColumn>(std::move(name), format));
        return *columns_.back();
    }

    void end_batch() {
        Batch batch;
        for (const auto& column : columns_) {
            ArrowColumn empty(column->name_, column->format_);
            batch.push_back(std::exchange(*column, std::move(empty)));
        }
        batches_.push_back(std::move(batch));
    }

    // A consumer may move a child out of its parent; what it moved has a null release and is its
    // own.
    template <typename T, typename Owned>
    static void release(T* what) {
        auto* owned = static_cast<Owned*>(what->private_data);
        for (T& child : owned->children) {
            if (child.release != nullptr) child.release(&child);
        }
        delete owned;
        what->release = nullptr;
    }

    static void export_schema(const Columns& columns, ArrowSchema* out) {
        auto* owned = new OwnedSchema;
        for (const auto& [name, format] : columns) {
            auto* child = new OwnedSchema{name, {}, {}};
            owned->children.push_back(make_schema(child, format));
        }
        for (ArrowSchema& child : owned->children) owned->child_pointers.push_back(&child);
        *out = make_schema(owned, "+s");
    }

    static ArrowSchema make_schema(OwnedSchema* owned, const char* format) {
        ArrowSchema schema{};
        schema.format = format;
        schema.name = owned->name.c_str();
        schema.flags = ARROW_FLAG_NULLABLE;
        schema.n_children = static_cast<int64_t>(owned->children.size());
        schema.children = owned->child_pointers.data();
        schema.release = release<ArrowSchema, OwnedSchema>;
        schema.private_data = owned;
        return schema;
    }

    static void export_batch(Batch batch, ArrowArray* out) {
        const int64_t rows = batch.front().count_;
        auto* owned = new OwnedArray;
        for (ArrowColumn& column : batch) {
            auto* child = new OwnedArray;
            child->column = std::make_unique<ArrowColumn>(std::move(column));
            child->buffers[0] = child->column->valid_.data();
            child->buffers[1] = child->column->values_.data();
            child->buffers[2] = child->column->text_.data();
            const int64_t buffers = child->column->is_text() ? 3 : 2;
            owned->children.push_back(make_array(child, rows, child->column->null_count_, buffers));
        }
        for (ArrowArray& child : owned->children) owned->child_pointers.push_back(&child);
        *out = make_array(owned, rows, 0, 1);
    }

    static ArrowArray make_array(OwnedArray* owned, int64_t rows, int64_t nulls, int64_t buffers) {
        ArrowArray array{};
        array.length = rows;
        array.null_count = nulls;
        array.n_buffers = buffers;
        array.buffers = owned->buffers;
        array.n_children = static_cast<int64_t>(owned->children.size());
        array.children = owned->child_pointers.data();
        array.release = release<ArrowArray, OwnedArray>;
        array.private_data = owned;
        return array;
    }

    std::vector<std::unique_ptr<ArrowColumn>> columns_;
    std::vector<Batch> batches_;
    int64_t row_count_ = 0;
};
