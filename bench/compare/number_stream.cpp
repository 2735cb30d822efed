// The callbacks of the Arrow C interfaces for plain numbers.

#include "number_stream.h"

#include <algorithm>

namespace trefoil::compare {

namespace {

constexpr uint64_t kBatchRows = 65536;

struct Source {
    std::vector<NumberColumn> columns;
    uint64_t rows;
    uint64_t next_row = 0;
};

// A column or the struct around the columns; a parent owns its children.
struct Schema {
    std::string name;
    std::vector<ArrowSchema> children;
    std::vector<ArrowSchema*> pointers;
};

struct Array {
    std::shared_ptr<const void> owner;
    std::vector<const void*> buffers;
    std::vector<ArrowArray> children;
    std::vector<ArrowArray*> pointers;
};

template <typename C, typename Private>
void release(C* self) {
    auto* mine = static_cast<Private*>(self->private_data);
    for (C& child : mine->children) {
        if (child.release != nullptr) child.release(&child);
    }
    delete mine;
    self->release = nullptr;
}

ArrowSchema make_schema(std::string name, const char* format, std::vector<ArrowSchema> children) {
    auto* mine = new Schema{std::move(name), std::move(children), {}};
    for (ArrowSchema& child : mine->children) mine->pointers.push_back(&child);
    ArrowSchema schema{};
    schema.format = format;
    schema.name = mine->name.c_str();
    schema.n_children = static_cast<int64_t>(mine->children.size());
    schema.children = mine->pointers.data();
    schema.release = release<ArrowSchema, Schema>;
    schema.private_data = mine;
    return schema;
}

ArrowArray make_array(int64_t rows, Array content) {
    auto* mine = new Array(std::move(content));
    for (ArrowArray& child : mine->children) mine->pointers.push_back(&child);
    ArrowArray array{};
    array.length = rows;
    array.n_buffers = static_cast<int64_t>(mine->buffers.size());
    array.buffers = mine->buffers.data();
    array.n_children = static_cast<int64_t>(mine->children.size());
    array.children = mine->pointers.data();
    array.release = release<ArrowArray, Array>;
    array.private_data = mine;
    return array;
}

int get_schema(ArrowArrayStream* stream, ArrowSchema* out) {
    std::vector<ArrowSchema> fields;
    for (const NumberColumn& c : static_cast<Source*>(stream->private_data)->columns) {
        fields.push_back(make_schema(c.name, c.format, {}));
    }
    *out = make_schema("", "+s", std::move(fields));
    return 0;
}

int get_next(ArrowArrayStream* stream, ArrowArray* out) {
    auto* source = static_cast<Source*>(stream->private_data);
    *out = ArrowArray{};
    if (source->next_row == source->rows) return 0;
    const uint64_t rows = std::min(kBatchRows, source->rows - source->next_row);
    Array batch{nullptr, {nullptr}, {}, {}};
    for (const NumberColumn& c : source->columns) {
        const char* first = static_cast<const char*>(c.numbers) + source->next_row * 8;
        batch.children.push_back(
            make_array(static_cast<int64_t>(rows), Array{c.owner, {nullptr, first}, {}, {}}));
    }
    *out = make_array(static_cast<int64_t>(rows), std::move(batch));
    source->next_row += rows;
    return 0;
}

}  // namespace

ArrowArrayStream number_stream(std::vector<NumberColumn> columns, uint64_t rows) {
    ArrowArrayStream stream{};
    stream.get_schema = get_schema;
    stream.get_next = get_next;
    stream.get_last_error = [](ArrowArrayStream*) -> const char* { return nullptr; };
    stream.release = [](ArrowArrayStream* self) {
        delete static_cast<Source*>(self->private_data);
        self->release = nullptr;
    };
    stream.private_data = new Source{std::move(columns), rows};
    return stream;
}

}  // namespace trefoil::compare
