// The Arrow C data interface: how arrays and schemas cross to and from another language.
//
// An exported struct owns a copy of the Array value (which shares the buffers), so releasing it
// lets go of exactly one reference. An imported struct is kept whole by a shared owner that all its
// buffers name.

#include <utility>

#include "arrow/array.h"
#include "base/check.h"

namespace trefoil::arrow {
namespace {

// --- export
// -------------------------------------------------------------------------------------------

struct ExportedSchema {
    std::string format, name;
    std::vector<ArrowSchema> children;
    std::vector<ArrowSchema*> pointers;
    ArrowSchema dictionary;
};

void release_schema(ArrowSchema* s) {
    for (int64_t i = 0; i < s->n_children; i++) {
        if (s->children[i]->release) s->children[i]->release(s->children[i]);
    }
    if (s->dictionary && s->dictionary->release) s->dictionary->release(s->dictionary);
    delete static_cast<ExportedSchema*>(s->private_data);
    s->release = nullptr;
}

struct ExportedArray {
    std::vector<std::shared_ptr<const void>> owners;
    std::vector<const void*> buffers;
    std::vector<int64_t> variadic_sizes;
    std::vector<ArrowArray> children;
    std::vector<ArrowArray*> pointers;
    ArrowArray dictionary;
};

void release_array(ArrowArray* a) {
    for (int64_t i = 0; i < a->n_children; i++) {
        if (a->children[i]->release) a->children[i]->release(a->children[i]);
    }
    if (a->dictionary && a->dictionary->release) a->dictionary->release(a->dictionary);
    delete static_cast<ExportedArray*>(a->private_data);
    a->release = nullptr;
}

void finish_export(ExportedArray* e, ArrowArray* out) {
    for (ArrowArray& c : e->children) e->pointers.push_back(&c);
    out->n_buffers = static_cast<int64_t>(e->buffers.size());
    out->buffers = e->buffers.data();
    out->n_children = static_cast<int64_t>(e->children.size());
    out->children = e->pointers.data();
    out->release = release_array;
    out->private_data = e;
}

// --- import
// -------------------------------------------------------------------------------------------

// Holds an imported struct until nobody needs it.
std::shared_ptr<const void> adopt(ArrowArray* array) {
    auto* held = new ArrowArray(*array);
    array->release = nullptr;
    return {held, [](const void* p) {
                auto* a = static_cast<ArrowArray*>(const_cast<void*>(p));
                if (a->release) a->release(a);
                delete a;
            }};
}

size_t bitmap_bytes(int64_t values) {
    return static_cast<size_t>((values + 7) / 8);
}

// The size of a buffer, which the interface does not carry.
size_t buffer_bytes(const ArrowArray& a, const Type& type, int64_t index,
                    const void* const* buffers) {
    const int64_t n = a.offset + a.length;
    if (index == 0) return bitmap_bytes(n);
    switch (type.id) {
        case TypeId::kBool:
            return bitmap_bytes(n);
        case TypeId::kUtf8:
        case TypeId::kBinary:
            if (index == 1) return static_cast<size_t>(n + 1) * 4;
            return buffers[1] ? static_cast<size_t>(static_cast<const int32_t*>(buffers[1])[n]) : 0;
        case TypeId::kLargeUtf8:
        case TypeId::kLargeBinary:
            if (index == 1) return static_cast<size_t>(n + 1) * 8;
            return buffers[1] ? static_cast<size_t>(static_cast<const int64_t*>(buffers[1])[n]) : 0;
        case TypeId::kUtf8View:
        case TypeId::kBinaryView: {
            if (index == 1) return static_cast<size_t>(n) * 16;
            const auto* sizes = static_cast<const int64_t*>(buffers[a.n_buffers - 1]);
            return static_cast<size_t>(sizes[index - 2]);
        }
        case TypeId::kList:
        case TypeId::kMap:
            return static_cast<size_t>(n + 1) * 4;
        case TypeId::kLargeList:
            return static_cast<size_t>(n + 1) * 8;
        default:
            return static_cast<size_t>(n) * type.byte_width();
    }
}

// How many buffers an array of this type has at least.
int64_t least_buffers(const Type& type) {
    switch (type.id) {
        case TypeId::kNull:
            return 0;
        case TypeId::kStruct:
        case TypeId::kFixedSizeList:
            return 1;
        case TypeId::kUtf8:
        case TypeId::kLargeUtf8:
        case TypeId::kBinary:
        case TypeId::kLargeBinary:
        case TypeId::kUtf8View:
        case TypeId::kBinaryView:
            return 3;
        default:
            return 2;
    }
}

Result<Array> import_shared(const ArrowArray& a, const Type& type,
                            const std::shared_ptr<const void>& owner) {
    Array out;
    out.type = type;
    out.length = a.length;
    out.offset = a.offset;
    out.null_count = a.null_count;
    if (a.length < 0 || a.offset < 0 || a.n_buffers < least_buffers(type)) {
        return Status::invalid("an Arrow array that does not fit its type \"" + type.format() +
                               "\"");
    }
    // The last buffer of a view array lists the sizes of its data buffers; we keep them in the
    // Buffers.
    int64_t n_buffers = type.is_view() ? a.n_buffers - 1 : a.n_buffers;
    for (int64_t i = 0; i < n_buffers; i++) {
        const auto* data = static_cast<const uint8_t*>(a.buffers[i]);
        out.buffers.push_back({data, data ? buffer_bytes(a, type, i, a.buffers) : 0, owner});
    }
    if (type.id == TypeId::kDictionary) {
        if (!a.dictionary)
            return Status::invalid("an Arrow dictionary array without its dictionary");
        ASSIGN_OR_RETURN(Array values, import_shared(*a.dictionary, type.children[1].type, owner));
        out.dictionary = std::make_shared<Array>(std::move(values));
        return out;
    }
    if (a.n_children != static_cast<int64_t>(type.children.size())) {
        return Status::invalid("an Arrow array whose children do not fit its type");
    }
    for (int64_t i = 0; i < a.n_children; i++) {
        ASSIGN_OR_RETURN(
            Array child,
            import_shared(*a.children[i], type.children[static_cast<size_t>(i)].type, owner));
        out.children.push_back(std::move(child));
    }
    return out;
}

}  // namespace

void export_type(const Field& field, ArrowSchema* out) {
    auto* e = new ExportedSchema;
    const Type& type = field.type;
    const bool dictionary = type.id == TypeId::kDictionary;
    e->format = type.format();
    e->name = field.name;
    *out = {};
    if (dictionary) {
        export_type(type.children[1], &e->dictionary);
        out->dictionary = &e->dictionary;
    } else {
        e->children.resize(type.children.size());
        for (size_t i = 0; i < type.children.size(); i++) {
            export_type(type.children[i], &e->children[i]);
            e->pointers.push_back(&e->children[i]);
        }
    }
    out->format = e->format.c_str();
    out->name = e->name.c_str();
    out->flags = field.nullable ? ARROW_FLAG_NULLABLE : 0;
    out->n_children = static_cast<int64_t>(e->children.size());
    out->children = e->pointers.data();
    out->release = release_schema;
    out->private_data = e;
}

void export_schema(const Schema& schema, ArrowSchema* out) {
    Type type;
    type.id = TypeId::kStruct;
    type.children = schema.fields;
    export_type({"", std::move(type), false}, out);
}

void export_array(const Array& array, ArrowArray* out) {
    auto* e = new ExportedArray;
    *out = {};
    out->length = array.length;
    out->offset = array.offset;
    out->null_count = array.null_count;
    for (const Buffer& b : array.buffers) {
        e->buffers.push_back(b.data);
        if (b.owner) e->owners.push_back(b.owner);
    }
    if (array.type.is_view()) {
        for (size_t i = 2; i < array.buffers.size(); i++) {
            e->variadic_sizes.push_back(static_cast<int64_t>(array.buffers[i].size));
        }
        e->variadic_sizes.reserve(1);
        e->buffers.push_back(e->variadic_sizes.data());
    }
    e->children.resize(array.children.size());
    for (size_t i = 0; i < array.children.size(); i++) {
        export_array(array.children[i], &e->children[i]);
    }
    if (array.dictionary) {
        export_array(*array.dictionary, &e->dictionary);
        out->dictionary = &e->dictionary;
    }
    finish_export(e, out);
}

void export_batch(const Batch& batch, ArrowArray* out) {
    auto* e = new ExportedArray;
    *out = {};
    out->length = batch.rows;
    e->buffers.push_back(nullptr);
    e->children.resize(batch.columns.size());
    for (size_t i = 0; i < batch.columns.size(); i++) {
        export_array(batch.columns[i], &e->children[i]);
    }
    finish_export(e, out);
}

Result<Field> import_field(const ArrowSchema& schema) {
    Field field;
    field.name = schema.name ? schema.name : "";
    field.nullable = schema.flags & ARROW_FLAG_NULLABLE;
    ASSIGN_OR_RETURN(field.type, Type::from_format(schema.format));
    if (schema.dictionary) {
        Type indices = std::move(field.type);
        field.type = Type();
        field.type.id = TypeId::kDictionary;
        field.type.children.push_back({"indices", std::move(indices), true});
        ASSIGN_OR_RETURN(Field values, import_field(*schema.dictionary));
        field.type.children.push_back(std::move(values));
        return field;
    }
    for (int64_t i = 0; i < schema.n_children; i++) {
        ASSIGN_OR_RETURN(Field child, import_field(*schema.children[i]));
        field.type.children.push_back(std::move(child));
    }
    return field;
}

Result<Schema> import_schema(const ArrowSchema& schema) {
    ASSIGN_OR_RETURN(Field field, import_field(schema));
    if (field.type.id != TypeId::kStruct)
        return Status::invalid("an Arrow schema must be a struct");
    return Schema{std::move(field.type.children)};
}

Result<Array> import_array(ArrowArray* array, const Type& type) {
    auto owner = adopt(array);
    return import_shared(*static_cast<const ArrowArray*>(owner.get()), type, owner);
}

Result<Batch> import_batch(ArrowArray* array, const SchemaPtr& schema) {
    auto owner = adopt(array);
    const auto& a = *static_cast<const ArrowArray*>(owner.get());
    if (a.n_children != static_cast<int64_t>(schema->fields.size())) {
        return Status::invalid("an Arrow batch whose columns do not fit its schema");
    }
    Batch batch{schema, a.length, {}};
    for (int64_t i = 0; i < a.n_children; i++) {
        ASSIGN_OR_RETURN(
            Array column,
            import_shared(*a.children[i], schema->fields[static_cast<size_t>(i)].type, owner));
        if (a.offset != 0 || column.length != a.length) column = column.slice(a.offset, a.length);
        batch.columns.push_back(std::move(column));
    }
    return batch;
}

}  // namespace trefoil::arrow
