// Status: the part that is not a template.

#include "trefoil/status.h"

#include <algorithm>
#include <cstring>

namespace trefoil {
namespace {
const std::string kEmpty;
}  // namespace

Status::Status(Code code, std::string_view sqlstate, std::string message)
    : state_(std::make_shared<State>()) {
    state_->code = code;
    std::memset(state_->sqlstate, 0, sizeof state_->sqlstate);
    std::memcpy(state_->sqlstate, sqlstate.data(), std::min<size_t>(5, sqlstate.size()));
    state_->message = std::move(message);
}

Status Status::invalid(std::string m) {
    return {Code::kInvalidInput, "22000", std::move(m)};
}
Status Status::not_found(std::string m) {
    return {Code::kNotFound, "42704", std::move(m)};
}
Status Status::conflict(std::string m) {
    return {Code::kConflict, "40001", std::move(m)};
}
Status Status::read_only(std::string m) {
    return {Code::kReadOnly, "25006", std::move(m)};
}
Status Status::corruption(std::string m) {
    return {Code::kCorruption, "XX001", std::move(m)};
}
Status Status::io(std::string m) {
    return {Code::kIo, "58030", std::move(m)};
}
Status Status::unsupported(std::string m) {
    return {Code::kUnsupported, "0A000", std::move(m)};
}

const std::string& Status::message() const {
    return state_ ? state_->message : kEmpty;
}
std::string_view Status::sqlstate() const {
    return state_ ? state_->sqlstate : "00000";
}
const std::string& Status::detail() const {
    return state_ ? state_->detail : kEmpty;
}
const std::string& Status::hint() const {
    return state_ ? state_->hint : kEmpty;
}

std::optional<uint32_t> Status::position() const {
    return state_ ? state_->position : std::nullopt;
}

Status::State& Status::mutable_state() {
    if (state_.use_count() > 1) state_ = std::make_shared<State>(*state_);
    return *state_;
}

Status Status::with_detail(std::string detail) && {
    mutable_state().detail = std::move(detail);
    return std::move(*this);
}

Status Status::with_hint(std::string hint) && {
    mutable_state().hint = std::move(hint);
    return std::move(*this);
}

Status Status::with_position(uint32_t byte_offset) && {
    mutable_state().position = byte_offset;
    return std::move(*this);
}

std::string Status::to_string() const {
    if (ok()) return "ok";
    std::string text = "ERROR " + std::string(sqlstate()) + ": " + message();
    if (!detail().empty()) text += "\nDETAIL: " + detail();
    if (!hint().empty()) text += "\nHINT: " + hint();
    return text;
}

}  // namespace trefoil
