// What every crossing of the border needs: texts, sinks, errors both ways, and owners of handles.
//
// bridge.h is the border itself, in C; here it gets the manners of C++. Two kinds of calls cross:
//
//     ours into Rust:    RETURN_IF_ERROR(call([&](tf_error* e) { return tf_session_get(..., e);
//     })); Rust's into ours:  return guarded(error, [&]() -> Status { ... });
//
// An error loses nothing on its way: code, SQLSTATE, message, detail, hint and position arrive as
// they left. No exception leaves guarded().

#pragma once

#include <exception>
#include <memory>
#include <new>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "access/source.h"
#include "base/bytes.h"
#include "engine/bridge.h"
#include "trefoil/status.h"

namespace trefoil::engine {

inline tf_text as_text(std::string_view s) {
    return {s.data(), s.size()};
}
inline std::string_view as_view(tf_text t) {
    return t.size == 0 ? std::string_view() : std::string_view(t.data, t.size);
}

// Bytes that Rust writes to us.
class StringSink {
public:
    const tf_sink* get() { return &sink_; }
    std::string take() { return std::move(bytes_); }

private:
    static void append(void* context, const char* data, size_t size);
    std::string bytes_;
    tf_sink sink_{&bytes_, append};
};

inline void write_to(const tf_sink* sink, std::string_view bytes) {
    sink->write(sink->context, bytes.data(), bytes.size());
}

// What `error` says, which is released.
Status take_error(tf_error* error);
// Fills `error` with a copy of what `status` says. Never fails: without memory it says that.
void give_error(const Status& status, tf_error* error) noexcept;

void give_out_of_memory(tf_error* error) noexcept;
void give_exception(std::string_view what, tf_error* error) noexcept;

// A defect of ours or of the bridge: XX000.
Status internal_error(std::string message);

// Order bytes of bridge.h. Malformed ones fail `in`.
std::vector<access::OrderColumn> read_order(Reader& in);

// Runs `f(tf_error*)`, which answers 0 or has filled the error.
template <typename F>
Status call(F&& f) {
    tf_error error{};
    error.position = -1;
    return f(&error) == 0 ? Status() : take_error(&error);
}

// Runs `f()`, which answers a Status, for a caller in Rust.
template <typename F>
int guarded(tf_error* error, F&& f) noexcept {
    try {
        const Status status = f();
        if (status.ok()) return 0;
        give_error(status, error);
    } catch (const std::bad_alloc&) {
        give_out_of_memory(error);
    } catch (const std::exception& e) {
        give_exception(e.what(), error);
    } catch (...) {
        give_exception("not a std::exception", error);
    }
    return 1;
}

template <auto release>
struct Releaser {
    template <typename T>
    void operator()(T* handle) const {
        release(handle);
    }
};
using EngineHandle = std::unique_ptr<tf_engine, Releaser<tf_engine_release>>;
using SessionHandle = std::unique_ptr<tf_session, Releaser<tf_session_release>>;
using StatementHandle = std::unique_ptr<tf_statement, Releaser<tf_statement_release>>;
using PlanHandle = std::unique_ptr<tf_plan, Releaser<tf_plan_release>>;
using CursorHandle = std::unique_ptr<tf_cursor, Releaser<tf_cursor_release>>;

// An Arrow schema struct on its way; releases itself.
class SchemaStruct {
public:
    SchemaStruct() = default;
    SchemaStruct(const SchemaStruct&) = delete;
    SchemaStruct& operator=(const SchemaStruct&) = delete;
    ~SchemaStruct() {
        if (schema_.release) schema_.release(&schema_);
    }
    ArrowSchema* get() { return &schema_; }

private:
    ArrowSchema schema_{};
};

// A cancel flag is one byte that both sides read atomically.
static_assert(sizeof(access::CancelFlag) == 1 && access::CancelFlag::is_always_lock_free);
inline const uint8_t* as_byte(const access::CancelFlag* flag) {
    return reinterpret_cast<const uint8_t*>(flag);
}
// The flag that never rises stands for none.
const access::CancelFlag* as_flag(const uint8_t* byte);

}  // namespace trefoil::engine
