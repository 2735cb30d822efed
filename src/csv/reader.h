// Reading CSV text into Arrow batches of a known schema.
//
//     Reader reader(schema, options);
//     while (... bytes ...) {
//         ASSIGN_OR_RETURN(std::vector<arrow::Batch> batches, reader.push(bytes));
//         ...
//     }
//     ASSIGN_OR_RETURN(std::vector<arrow::Batch> rest, reader.finish());
//
// The rules are those of RFC 4180 and of PostgreSQL's COPY: a field may be quoted in whole or in
// part, a quote within quotes is doubled (or escaped), quoted fields may span lines, lines end in
// LF or CRLF, an unquoted field that equals the null string is NULL. A byte order mark is skipped,
// and the last line needs no end.
//
// Underneath are two parts for callers that use several threads: a BlockSplitter, which cuts the
// text into blocks of whole rows, in order, by looking at quotes and line ends only; and
// parse_block(), which turns one block into a batch and depends on nothing else.

#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "arrow/array.h"
#include "base/bytes.h"
#include "trefoil/status.h"

namespace trefoil::csv {

enum class Header : uint8_t {
    kNone,   // the first line is a row
    kSkip,   // the first line is not looked at
    kMatch,  // the first line must hold the names of the columns, in order
};

struct ReadOptions {
    char delimiter = ',';
    char quote = '"';
    char escape = '"';  // before a quote (or itself) within quotes
    Header header = Header::kNone;
    std::string null_string;     // an unquoted field that equals it is NULL
    bool ignore_errors = false;  // skip and count bad rows instead of failing
};

// Errors: 22023 if two of the characters are equal or one is a line end.
Status validate(const ReadOptions& options);

// Whole rows of text.
struct Block {
    std::string text;
    uint64_t first_line = 1;  // number of its first line in the input
};

// Cuts a text that arrives in pieces into blocks of about kBlockBytes.
class BlockSplitter {
public:
    static constexpr size_t kBlockBytes = size_t{1} << 20;
    // A longer row is taken for a quote that was never closed.
    static constexpr size_t kRowBytesMax = size_t{1} << 28;

    explicit BlockSplitter(const ReadOptions& options) : options_(options) {}

    // Appends to `blocks` what is complete now. Errors: 54000 if a row is too long.
    Status push(Bytes input, std::vector<Block>* blocks);
    // The end of the input: the rest is the last block.
    void finish(std::vector<Block>* blocks);

private:
    void scan();
    void scan_with_escapes();
    void emit(size_t end, std::vector<Block>* blocks);

    ReadOptions options_;
    std::string pending_;
    size_t scanned_ = 0;  // bytes of pending_
    size_t row_end_ = 0;  // behind the last complete row in pending_
    bool in_quote_ = false;
    bool escaped_ = false;  // the last byte was an escape within quotes
    bool at_start_ = true;  // a byte order mark may come
    uint64_t line_ = 1;     // of the first byte of pending_
};

struct BlockRows {
    arrow::Batch batch;
    uint64_t skipped = 0;  // bad rows, if errors are ignored
    Status first_skip;     // why the first of them was bad
};

// The rows of a block. REQUIRES: every type of the schema is arrow::is_buildable.
// Errors: 22P04 a wrong number of fields, a quote that is not closed, a stray carriage return;
// 22P02, 22003, 22007, 22008 a field that is no value of its column; 22021 not UTF-8. The message
// begins with the line and, where there is one, the column; it names the value.
Result<BlockRows> parse_block(const Block& block, const arrow::SchemaPtr& schema,
                              const ReadOptions& options);

// Takes the header line off the first block and checks it.
// Errors: 22P04 if the names are not those of the schema and options.header is kMatch.
Status take_header(Block* block, const arrow::Schema& schema, const ReadOptions& options);

class Reader {
public:
    // REQUIRES: validate(options).ok().
    Reader(arrow::SchemaPtr schema, ReadOptions options);

    // The rows that are complete now; batches are never empty. After an error the reader is done.
    Result<std::vector<arrow::Batch>> push(Bytes input);
    Result<std::vector<arrow::Batch>> finish();

    uint64_t skipped() const { return skipped_; }
    // Why the first skipped row was skipped; ok if there is none.
    const Status& first_skip() const { return first_skip_; }

private:
    Result<std::vector<arrow::Batch>> parse(std::vector<Block> blocks);

    arrow::SchemaPtr schema_;
    ReadOptions options_;
    BlockSplitter splitter_;
    bool header_pending_;
    uint64_t skipped_ = 0;
    Status first_skip_;
};

}  // namespace trefoil::csv
