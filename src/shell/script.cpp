// The search for the end of a statement starts over when more text arrives, so it is only made when
// what arrived has a semicolon.

#include "shell/script.h"

#include <algorithm>

#include "trefoil/database.h"

namespace trefoil::shell {

namespace {

// Bytes of the comment at the front, 0 if there is none or it does not end here.
size_t comment_prefix(std::string_view text) {
    if (text.starts_with("--")) {
        const size_t end = text.find('\n');
        return end == text.npos ? 0 : end + 1;
    }
    if (!text.starts_with("/*")) return 0;
    int depth = 0;
    for (size_t i = 0; i + 1 < text.size(); i++) {
        if (text[i] == '/' && text[i + 1] == '*') {
            depth++, i++;
        } else if (text[i] == '*' && text[i + 1] == '/') {
            depth--, i++;
            if (depth == 0) return i + 1;
        }
    }
    return 0;
}

// Statements that were handed out are dropped from the front when they are this long in all.
constexpr size_t kForgetBytes = size_t{1} << 20;

bool is_space(char c) {
    return c == ' ' || (c >= '\t' && c <= '\r');
}

}  // namespace

size_t blank_prefix(std::string_view text) {
    size_t i = 0;
    for (;;) {
        while (i < text.size() && is_space(text[i])) i++;
        const size_t comment = comment_prefix(text.substr(i));
        if (comment == 0) return i;
        i += comment;
    }
}

Script::Script() : first_statement_(&trefoil::first_statement) {}

void Script::feed(std::string_view text) {
    if (start_ == text_.size() || start_ > kForgetBytes) {
        text_.erase(0, start_);
        searched_ -= std::min(searched_, start_);
        start_ = 0;
    }
    text_ += text;
}

std::optional<Piece> Script::next() {
    skip_blank();
    const std::string_view text = pending();
    const bool in_comment = text.starts_with("--") || text.starts_with("/*");
    if (text.empty() || in_comment) return std::nullopt;
    if (text.front() == '.' || text.front() == '\\') {
        const size_t end = text.find('\n');
        if (end == text.npos) return std::nullopt;
        Piece piece{Piece::Kind::kCommand, std::string(text.substr(0, end)), line_};
        advance(end + 1);
        return piece;
    }
    if (text_.find(';', std::max(searched_, start_)) == text_.npos) {
        searched_ = text_.size();
        return std::nullopt;
    }
    const std::optional<std::string_view> found = first_statement_(text);
    if (!found) {
        searched_ = text_.size();
        return std::nullopt;
    }
    const size_t end = static_cast<size_t>(found->data() - text.data()) + found->size();
    Piece piece{Piece::Kind::kStatement, std::string(text.substr(0, end)), line_};
    advance(end);
    if (piece.text == ";") return next();  // an empty statement asks for nothing
    return piece;
}

std::optional<Piece> Script::rest() {
    if (!text_.ends_with('\n')) feed("\n");  // ends a comment or a command
    if (auto piece = next()) return piece;
    std::string_view text = pending();
    while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
    if (text.empty()) return std::nullopt;
    const bool command = text.front() == '.' || text.front() == '\\';
    Piece piece{command ? Piece::Kind::kCommand : Piece::Kind::kStatement, std::string(text),
                line_};
    advance(text_.size() - start_);
    return piece;
}

bool Script::empty() {
    skip_blank();
    return pending().empty();
}

void Script::clear() {
    text_.clear();
    start_ = searched_ = 0;
    line_ = 1;
}

void Script::skip_blank() {
    advance(blank_prefix(pending()));
}

void Script::advance(size_t bytes) {
    const auto from = text_.begin() + static_cast<std::ptrdiff_t>(start_);
    line_ += std::count(from, from + static_cast<std::ptrdiff_t>(bytes), '\n');
    start_ += bytes;
}

}  // namespace trefoil::shell
