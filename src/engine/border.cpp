// Errors both ways, and sinks.

#include "engine/border.h"

#include <algorithm>
#include <cstring>
#include <limits>

namespace trefoil::engine {
namespace {

struct OwnedTexts {
    std::string message, detail, hint;
};

void forget_texts(tf_error* error) {
    error->message = error->detail = error->hint = {};
    error->owner = nullptr;
    error->release = nullptr;
}

void release_texts(tf_error* error) {
    delete static_cast<OwnedTexts*>(error->owner);
    forget_texts(error);
}

void fill_head(int code, std::string_view sqlstate, tf_error* error) {
    *error = {};
    error->version = TF_BRIDGE_VERSION;
    error->size = sizeof(tf_error);
    error->code = code;
    std::memcpy(error->sqlstate, sqlstate.data(), std::min<size_t>(5, sqlstate.size()));
    error->position = -1;
}

Code code_of(int32_t number) {
    const bool known = number > static_cast<int32_t>(Code::kOk) &&
                       number <= static_cast<int32_t>(Code::kUnsupported);
    return known ? static_cast<Code>(number) : Code::kInvalidInput;
}

}  // namespace

void StringSink::append(void* context, const char* data, size_t size) {
    static_cast<std::string*>(context)->append(data, size);
}

Status take_error(tf_error* error) {
    const bool known = error->version == TF_BRIDGE_VERSION && error->size == sizeof(tf_error);
    if (!known) return internal_error("the bridge failed without saying why");
    std::string_view sqlstate(error->sqlstate, strnlen(error->sqlstate, 5));
    Status status(code_of(error->code), sqlstate.size() == 5 ? sqlstate : "XX000",
                  std::string(as_view(error->message)));
    if (error->detail.size > 0) {
        status = std::move(status).with_detail(std::string(as_view(error->detail)));
    }
    if (error->hint.size > 0) {
        status = std::move(status).with_hint(std::string(as_view(error->hint)));
    }
    if (error->position >= 0 && error->position <= std::numeric_limits<uint32_t>::max()) {
        status = std::move(status).with_position(static_cast<uint32_t>(error->position));
    }
    if (error->release) error->release(error);
    return status;
}

void give_error(const Status& status, tf_error* error) noexcept {
    if (error == nullptr) return;
    try {
        auto texts = std::make_unique<OwnedTexts>();
        texts->message = status.message();
        texts->detail = status.detail();
        texts->hint = status.hint();
        fill_head(static_cast<int>(status.code()), status.sqlstate(), error);
        if (status.position()) error->position = *status.position();
        error->message = as_text(texts->message);
        error->detail = as_text(texts->detail);
        error->hint = as_text(texts->hint);
        error->owner = texts.release();
        error->release = release_texts;
    } catch (...) {
        give_out_of_memory(error);
    }
}

void give_out_of_memory(tf_error* error) noexcept {
    if (error == nullptr) return;
    fill_head(static_cast<int>(Code::kIo), "53200", error);
    error->message = as_text("out of memory");
    error->release = forget_texts;
}

void give_exception(std::string_view what, tf_error* error) noexcept {
    try {
        give_error(internal_error("exception in C++: " + std::string(what)), error);
    } catch (...) {
        give_out_of_memory(error);
    }
}

Status internal_error(std::string message) {
    return {Code::kInvalidInput, "XX000", "internal error: " + std::move(message)};
}

Status out_of_memory() {
    return {Code::kIo, "53200", "out of memory"};
}

const access::CancelFlag* as_flag(const uint8_t* byte) {
    static const access::CancelFlag never{false};
    return byte ? reinterpret_cast<const access::CancelFlag*>(byte) : &never;
}

std::vector<access::OrderColumn> read_order(Reader& in) {
    std::vector<access::OrderColumn> order;
    const uint32_t count = in.u32();
    for (uint32_t i = 0; i < count && in.ok(); i++) {
        access::OrderColumn o;
        o.column = in.u32();
        const uint8_t flags = in.u8();
        o.descending = flags & 1;
        o.nulls_first = flags & 2;
        order.push_back(o);
    }
    return order;
}

}  // namespace trefoil::engine
