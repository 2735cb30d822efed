// Tokenizer: the loop over special bytes, and the unquoting of fields.

#include "csv/tokenizer.h"

namespace trefoil::csv {

void Tokenizer::load_window() {
    const Window window(text_, window_);
    mask_ = window.match(options_.delimiter) | window.match(options_.quote) | window.match('\n') |
            window.match('\r');
    if (options_.escape != options_.quote) mask_ |= window.match(options_.escape);
}

size_t Tokenizer::next_special() {
    while (mask_ == 0) {
        if (loaded_) window_ += kWindow;
        loaded_ = true;
        if (window_ >= text_.size()) return kNone;
        load_window();
    }
    const size_t at = window_ + static_cast<size_t>(std::countr_zero(mask_));
    mask_ &= mask_ - 1;
    return at;
}

void Tokenizer::end_field(size_t end, std::vector<Field>* fields) {
    fields->push_back({static_cast<uint32_t>(field_start_),
                       static_cast<uint32_t>(end - field_start_) & 0x7fffffffu, quoted_});
    field_start_ = end + 1;
    quoted_ = false;
}

bool Tokenizer::at_carriage_return(size_t at) {
    if (at + 1 < text_.size() && text_[at + 1] == '\n') {
        next_special();  // the line feed
        return true;
    }
    if (at + 1 == text_.size()) return true;
    problem_ = "a carriage return outside quotes that ends no line";
    return false;
}

bool Tokenizer::next_row(std::vector<Field>* fields) {
    problem_ = {};
    row_start_ = field_start_;
    if (row_start_ >= text_.size()) return false;
    bool in_quote = false;
    for (;;) {
        const size_t at = next_special();
        if (at == kNone) {
            if (in_quote) problem_ = "a quoted field is not closed";
            end_field(text_.size(), fields);
            return true;
        }
        const char c = text_[at];
        if (in_quote) {
            if (c == options_.escape && c != options_.quote) {
                const char next = at + 1 < text_.size() ? text_[at + 1] : '\0';
                if (next == options_.quote || next == options_.escape) next_special();
            } else if (c == options_.quote) {
                in_quote = false;
            }
        } else if (c == options_.delimiter) {
            end_field(at, fields);
        } else if (c == '\n') {
            end_field(at, fields);
            return true;
        } else if (c == options_.quote) {
            in_quote = quoted_ = true;
        } else if (c == '\r' && at_carriage_return(at)) {
            end_field(at, fields);
            if (field_start_ < text_.size() && text_[field_start_] == '\n') field_start_++;
            return true;
        }
    }
}

std::string_view Tokenizer::value(Field field, std::string* scratch) const {
    const std::string_view raw = text_.substr(field.offset, field.length);
    return field.quoted ? unquote(raw, scratch) : raw;
}

std::string_view Tokenizer::unquote(std::string_view raw, std::string* scratch) const {
    const char quote = options_.quote, escape = options_.escape;
    if (raw.size() >= 2 && raw.front() == quote && raw.back() == quote) {
        const std::string_view inner = raw.substr(1, raw.size() - 2);
        if (inner.find(quote) == inner.npos && inner.find(escape) == inner.npos) return inner;
    }
    scratch->clear();
    bool in_quote = false;
    for (size_t i = 0; i < raw.size(); i++) {
        const char c = raw[i], next = i + 1 < raw.size() ? raw[i + 1] : '\0';
        if (in_quote && c == escape && (next == quote || next == escape)) {
            scratch->push_back(next);
            i++;
        } else if (c == quote) {
            in_quote = !in_quote;
        } else {
            scratch->push_back(c);
        }
    }
    return *scratch;
}

}  // namespace trefoil::csv
