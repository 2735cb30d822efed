// BlockSplitter: finds the ends of rows by counting quotes.
//
// Every quote opens or closes, a doubled one does both; so a line end is the end of a row exactly
// if the number of quotes before it is even. That needs no knowledge of fields, and goes 64 bytes
// at a time.

#include <utility>

#include "csv/byte_scan.h"
#include "csv/reader.h"

namespace trefoil::csv {
namespace {

constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";

}  // namespace

Status validate(const ReadOptions& options) {
    const auto refuse = [](std::string message) {
        return Status(Code::kInvalidInput, "22023", std::move(message));
    };
    for (char c : {options.delimiter, options.quote, options.escape}) {
        if (c == '\n' || c == '\r' || c == '\0') {
            return refuse("CSV delimiter, quote and escape cannot be a line end or a zero byte");
        }
        if (static_cast<unsigned char>(c) >= 0x80) {
            return refuse("CSV delimiter, quote and escape must be single ASCII characters");
        }
    }
    if (options.delimiter == options.quote) {
        return refuse("CSV delimiter and quote must be different");
    }
    if (options.delimiter == options.escape) {
        return refuse("CSV delimiter and escape must be different");
    }
    if (options.null_string.find_first_of("\r\n") != std::string::npos) {
        return refuse("CSV null string cannot contain a line end");
    }
    if (options.null_string.find(options.delimiter) != std::string::npos ||
        options.null_string.find(options.quote) != std::string::npos) {
        return refuse("CSV null string cannot contain the delimiter or the quote");
    }
    return {};
}

void BlockSplitter::scan() {
    if (options_.escape != options_.quote) return scan_with_escapes();
    const Bytes text(pending_);
    // Bytes of an incomplete window are looked at once only: the next scan begins behind them.
    for (size_t at = scanned_; at < text.size(); at += kWindow) {
        const Window window(text, at);
        const uint64_t quotes = window.match(options_.quote);
        const uint64_t inside = prefix_parity(quotes) ^ (in_quote_ ? ~uint64_t{0} : 0);
        const uint64_t ends = window.match('\n') & ~inside;
        if (ends) row_end_ = at + static_cast<size_t>(std::bit_width(ends));
        in_quote_ = in_quote_ != ((std::popcount(quotes) & 1) == 1);
    }
    scanned_ = text.size();
}

// An escape within quotes takes the meaning from a quote, or an escape, behind it.
void BlockSplitter::scan_with_escapes() {
    for (size_t at = scanned_; at < pending_.size(); at++) {
        const char c = pending_[at];
        if (escaped_) {
            escaped_ = false;
            if (c == options_.quote || c == options_.escape) continue;
        }
        if (in_quote_ && c == options_.escape) {
            escaped_ = true;
        } else if (c == options_.quote) {
            in_quote_ = !in_quote_;
        } else if (c == '\n' && !in_quote_) {
            row_end_ = at + 1;
        }
    }
    scanned_ = pending_.size();
}

void BlockSplitter::emit(size_t end, std::vector<Block>* blocks) {
    std::string rest = pending_.substr(end);
    pending_.resize(end);
    const uint64_t lines = count_lines(pending_);
    blocks->push_back({std::move(pending_), line_});
    line_ += lines;
    pending_ = std::move(rest);
    scanned_ -= end;
    row_end_ = 0;
}

Status BlockSplitter::push(Bytes input, std::vector<Block>* blocks) {
    while (!input.empty()) {
        const Bytes piece = input.substr(0, kBlockBytes);
        input.remove_prefix(piece.size());
        if (pending_.capacity() < pending_.size() + piece.size()) {
            pending_.reserve(std::max(2 * kBlockBytes, 2 * (pending_.size() + piece.size())));
        }
        pending_.append(piece);
        if (at_start_) {
            if (pending_.size() < kByteOrderMark.size()) continue;
            if (pending_.starts_with(kByteOrderMark)) pending_.erase(0, kByteOrderMark.size());
            at_start_ = false;
        }
        scan();
        if (row_end_ == 0 && pending_.size() > kRowBytesMax) {
            return {Code::kInvalidInput, "54000",
                    "line " + std::to_string(line_) + ": the row that begins here is longer than " +
                        std::to_string(kRowBytesMax >> 20) + " MiB; perhaps a quote is not closed"};
        }
        if (row_end_ > 0 && pending_.size() >= kBlockBytes) emit(row_end_, blocks);
    }
    return {};
}

void BlockSplitter::finish(std::vector<Block>* blocks) {
    if (at_start_ && pending_.starts_with(kByteOrderMark)) pending_.erase(0, kByteOrderMark.size());
    if (!pending_.empty()) blocks->push_back({std::exchange(pending_, {}), line_});
}

}  // namespace trefoil::csv
