// Status and Result: how every call of Trefoil answers.
//
//     Result<Database> db = Database::open("shop.trefoil");
//     if (!db.ok()) { std::cerr << db.status().message() << "\n"; return 1; }
//
// A Status is a value. The good one is free (a null pointer); a bad one carries a code that says
// what the caller can do, and beside it what happened: SQLSTATE, message, and where known a detail,
// a hint and the position in the text of the statement. Both types are [[nodiscard]].

#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

namespace trefoil {

// What the caller can do about it.
enum class Code : uint8_t {
    kOk,
    kInvalidInput,  // fix the request
    kNotFound,      // ask for something else
    kConflict,      // run the transaction again
    kReadOnly,      // open for writing
    kCorruption,    // stop, and restore or repair
    kIo,            // see the message (disk full, permissions, ...)
    kUnsupported,   // not yet
};

class [[nodiscard]] Status {
public:
    // The good status.
    Status() noexcept = default;

    // `sqlstate` has five characters, as in PostgreSQL's appendix A.
    Status(Code code, std::string_view sqlstate, std::string message);

    // Short forms with the SQLSTATE that fits most often.
    static Status invalid(std::string message);      // 22000
    static Status not_found(std::string message);    // 42704
    static Status conflict(std::string message);     // 40001
    static Status read_only(std::string message);    // 25006
    static Status corruption(std::string message);   // XX001
    static Status io(std::string message);           // 58030
    static Status unsupported(std::string message);  // 0A000

    bool ok() const { return state_ == nullptr; }
    Code code() const { return state_ ? state_->code : Code::kOk; }
    const std::string& message() const;
    std::string_view sqlstate() const;  // "00000" if ok
    const std::string& detail() const;  // "" if there is none
    const std::string& hint() const;    // "" if there is none
    // Byte offset, from 0, in the text of the statement.
    std::optional<uint32_t> position() const;

    // The same status with one more fact. REQUIRES: !ok().
    Status with_detail(std::string detail) &&;
    Status with_hint(std::string hint) &&;
    Status with_position(uint32_t byte_offset) &&;

    // "ERROR 23505: duplicate key ...", with detail and hint on lines of their own. "ok" if ok.
    std::string to_string() const;

private:
    struct State {
        Code code;
        char sqlstate[6];
        std::string message, detail, hint;
        std::optional<uint32_t> position;
    };
    State& mutable_state();  // copies when shared
    std::shared_ptr<State> state_;
};

// A T, or the Status that says why there is none.
template <typename T>
class [[nodiscard]] Result {
public:
    Result(T value) : value_(std::move(value)) {}         // NOLINT: implicit by design
    Result(Status status) : value_(std::move(status)) {}  // NOLINT: REQUIRES !status.ok()

    bool ok() const { return std::holds_alternative<T>(value_); }
    // The good status if ok().
    Status status() const { return ok() ? Status() : std::get<Status>(value_); }

    // REQUIRES: ok().
    T& value() & { return std::get<T>(value_); }
    const T& value() const& { return std::get<T>(value_); }
    T&& value() && { return std::get<T>(std::move(value_)); }
    T& operator*() & { return value(); }
    const T& operator*() const& { return value(); }
    T&& operator*() && { return std::move(*this).value(); }
    T* operator->() { return &value(); }
    const T* operator->() const { return &value(); }

private:
    std::variant<T, Status> value_;
};

}  // namespace trefoil
