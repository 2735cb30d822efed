// COPY: tables from files, and rows into files. CSV by our reader and writer, Parquet by the
// engine.
//
// A CSV is cut into blocks of whole rows; blocks are parsed by several threads at once and written
// in their order. Nothing is loaded if any row is bad, unless ON_ERROR 'ignore' says to skip such
// rows.

#include <algorithm>
#include <deque>
#include <future>

#include "base/check.h"
#include "base/edit_distance.h"
#include "arrow/compute.h"
#include "csv/reader.h"
#include "csv/writer.h"
#include "db/bulk_insert.h"
#include "db/session_state.h"

namespace trefoil {
namespace {

using Answer = Session::State::Answer;

constexpr size_t kReadBytes = 4 << 20;

struct CopyFormat {
    bool parquet = false;
    csv::ReadOptions csv;
    bool header = false;
    bool force_quote = false;
    engine::CopyOptions rest;  // Parquet's own
};

Status bad_option(const std::string& name, const std::string& value, const std::string& wanted) {
    return Status(Code::kInvalidInput, "22023",
                  "invalid value for COPY option " + name + ": \"" + value + "\"")
        .with_hint("It must be " + wanted + ".");
}

Result<bool> parse_bool(const std::string& name, const std::string& value) {
    if (value.empty() || value == "true" || value == "on" || value == "1") return true;
    if (value == "false" || value == "off" || value == "0") return false;
    return bad_option(name, value, "true or false");
}

Status set_character(const std::string& name, const std::string& value, char* out) {
    if (value == "\\t") {
        *out = '\t';
        return {};
    }
    if (value.size() != 1) return bad_option(name, value, "a single one-byte character");
    *out = value[0];
    return {};
}

std::string lower(std::string text) {
    std::transform(text.begin(), text.end(), text.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    return text;
}

bool ends_with_ignore_case(const std::string& text, std::string_view end) {
    return text.size() >= end.size() && lower(text.substr(text.size() - end.size())) == end;
}

Status set_csv_option(CopyFormat& format, const std::string& name, const std::string& value,
                      bool reading, bool* quote_given, bool* escape_given) {
    if (name == "header") {
        if (reading && lower(value) == "match") {
            format.csv.header = csv::Header::kMatch;
            return {};
        }
        ASSIGN_OR_RETURN(format.header, parse_bool(name, lower(value)));
        format.csv.header = format.header ? csv::Header::kSkip : csv::Header::kNone;
    } else if (name == "delimiter" || name == "delim" || name == "sep") {
        return set_character(name, value, &format.csv.delimiter);
    } else if (name == "quote") {
        *quote_given = true;
        return set_character(name, value, &format.csv.quote);
    } else if (name == "escape") {
        *escape_given = true;
        return set_character(name, value, &format.csv.escape);
    } else if (name == "null" || name == "nullstr") {
        format.csv.null_string = value;
    } else if (name == "encoding") {
        std::string encoding = lower(value);
        if (encoding != "utf8" && encoding != "utf-8") return bad_option(name, value, "UTF8");
    } else if (name == "force_quote" && !reading) {
        if (value != "*" && lower(value) != "true") return bad_option(name, value, "*");
        format.force_quote = true;
    } else if (name == "on_error" && reading) {
        if (lower(value) != "ignore" && lower(value) != "stop") {
            return bad_option(name, value, "'stop' or 'ignore'");
        }
        format.csv.ignore_errors = lower(value) == "ignore";
    } else if (name == "ignore_errors" && reading) {
        ASSIGN_OR_RETURN(format.csv.ignore_errors, parse_bool(name, lower(value)));
    } else {
        return Status(Code::kInvalidInput, "42601", "unknown COPY option \"" + name + "\" for CSV")
            .with_hint(
                std::string(
                    "Options are: format, header, delimiter, null, quote, escape, encoding") +
                (reading ? ", on_error." : ", force_quote."));
    }
    return {};
}

Result<CopyFormat> parse_options(const engine::CopyOptions& options, const std::string& file,
                                 bool reading) {
    CopyFormat format;
    format.parquet = ends_with_ignore_case(file, ".parquet");
    for (const auto& [name, value] : options) {
        if (name != "format") continue;
        if (lower(value) != "csv" && lower(value) != "parquet") {
            return bad_option(name, value, "csv or parquet");
        }
        format.parquet = lower(value) == "parquet";
    }
    bool quote_given = false, escape_given = false;
    for (const auto& [name, value] : options) {
        if (name == "format") continue;
        if (format.parquet) {
            format.rest.emplace_back(name, value);
        } else {
            RETURN_IF_ERROR(
                set_csv_option(format, name, value, reading, &quote_given, &escape_given));
        }
    }
    if (quote_given && !escape_given) format.csv.escape = format.csv.quote;
    if (format.parquet && reading && !format.rest.empty()) {
        return Status(Code::kInvalidInput, "42601",
                      "unknown COPY option \"" + format.rest[0].first + "\" for reading Parquet");
    }
    if (!format.parquet) RETURN_IF_ERROR(csv::validate(format.csv));
    return format;
}

// Why a column of the list cannot be loaded into: it is there twice, or not at all.
Status bad_column(const engine::Name& name, const catalog::TableDef& table) {
    if (table.find_column(name.text)) {
        return Status(Code::kInvalidInput, "42701", "column \"" + name.text + "\" is named twice")
            .with_position(name.position);
    }
    Status missing(Code::kInvalidInput, "42703",
                   "column \"" + name.text + "\" of table \"" + table.name + "\" does not exist");
    missing = std::move(missing).with_position(name.position);
    std::vector<std::string> names;
    for (const catalog::ColumnDef& column : table.visible_columns()) names.push_back(column.name);
    if (auto meant = closest_name(name.text, names)) {
        missing = std::move(missing).with_hint("Did you mean \"" + *meant + "\"?");
    }
    return missing;
}

// The columns of the list, by position.
Result<std::vector<uint32_t>> find_columns(const std::vector<engine::Name>& names,
                                           const catalog::TableDef& table) {
    std::vector<uint32_t> columns;
    for (const engine::Name& name : names) {
        auto position = table.find_column(name.text);
        const bool twice =
            position && std::find(columns.begin(), columns.end(), *position) != columns.end();
        if (!position || twice) return bad_column(name, table);
        columns.push_back(*position);
    }
    return columns;
}

// Parses blocks on several threads, in order.
class BlockParser {
public:
    BlockParser(arrow::SchemaPtr schema, const csv::ReadOptions& options, size_t threads)
        : schema_(std::move(schema)), options_(options), ahead_max_(threads + 1) {}

    bool is_full() const { return running_.size() >= ahead_max_; }
    bool is_empty() const { return running_.empty(); }

    void add(csv::Block block) {
        running_.push_back(std::async(
            std::launch::async, [block = std::move(block), schema = schema_, options = options_] {
                return csv::parse_block(block, schema, options);
            }));
    }
    // The rows of the oldest block.
    Result<csv::BlockRows> take() {
        auto rows = running_.front().get();
        running_.pop_front();
        return rows;
    }

private:
    arrow::SchemaPtr schema_;
    csv::ReadOptions options_;
    size_t ahead_max_;
    std::deque<std::future<Result<csv::BlockRows>>> running_;
};

Status cancelled() {
    return {Code::kInvalidInput, "57014", "the statement was cancelled"};
}

// Inserts the rows of a CSV file. Answers how many bad rows were skipped.
Result<uint64_t> read_csv(Vfs& vfs, const std::string& path, const csv::ReadOptions& options,
                          size_t threads, const access::CancelFlag& cancel, BulkInsert& insert) {
    ASSIGN_OR_RETURN(auto file, vfs.open(path, OpenMode::kRead));
    csv::BlockSplitter splitter(options);
    BlockParser parser(insert.schema(), options, threads);
    uint64_t skipped = 0;
    auto drain = [&](bool all) -> Status {
        while (parser.is_full() || (all && !parser.is_empty())) {
            ASSIGN_OR_RETURN(csv::BlockRows rows, parser.take());
            skipped += rows.skipped;
            if (rows.batch.rows > 0) RETURN_IF_ERROR(insert.write(std::move(rows.batch)));
        }
        return {};
    };
    std::string piece(kReadBytes, '\0');
    bool header_pending = options.header != csv::Header::kNone;
    for (uint64_t at = 0;;) {
        if (cancel.load(std::memory_order_relaxed)) return cancelled();
        ASSIGN_OR_RETURN(size_t n, file->read(at, std::span<char>(piece)));
        at += n;
        std::vector<csv::Block> blocks;
        if (n > 0) RETURN_IF_ERROR(splitter.push(Bytes(piece.data(), n), &blocks));
        if (n == 0) splitter.finish(&blocks);
        for (csv::Block& block : blocks) {
            if (std::exchange(header_pending, false)) {
                RETURN_IF_ERROR(csv::take_header(&block, *insert.schema(), options));
            }
            parser.add(std::move(block));
            RETURN_IF_ERROR(drain(false));
        }
        if (n == 0) break;
    }
    RETURN_IF_ERROR(drain(true));
    return skipped;
}

Status in_file(const Status& status, const std::string& path) {
    return Status(status.code(), status.sqlstate(), "COPY " + path + ": " + status.message())
        .with_hint(status.hint());
}

// Writes a stream as CSV to `path`, by way of a file beside it, so that what was there stays if it
// fails.
Result<uint64_t> write_csv(Vfs& vfs, access::BatchStream& rows, const std::string& path,
                           const CopyFormat& format) {
    csv::WriteOptions options{format.csv.delimiter, format.csv.quote, format.csv.escape,
                              format.csv.null_string, format.force_quote};
    const std::string unfinished = path + ".part";
    (void)vfs.remove(unfinished);
    ASSIGN_OR_RETURN(auto file, vfs.open(unfinished, OpenMode::kCreate));
    uint64_t count = 0, at = 0;
    std::string text;
    auto write = [&]() -> Status {
        RETURN_IF_ERROR(file->write(at, text));
        at += text.size();
        text.clear();
        return {};
    };
    auto work = [&]() -> Status {
        if (format.header) csv::append_header(*rows.schema(), options, &text);
        for (;;) {
            ASSIGN_OR_RETURN(auto batch, rows.next());
            if (!batch) break;
            csv::append_batch(*batch, options, &text);
            count += static_cast<uint64_t>(batch->rows);
            if (text.size() >= kReadBytes) RETURN_IF_ERROR(write());
        }
        RETURN_IF_ERROR(write());
        return vfs.rename(unfinished, path);
    };
    if (Status s = work(); !s.ok()) {
        (void)vfs.remove(unfinished);
        return s;
    }
    return count;
}

}  // namespace

Result<Answer> Session::State::copy_from(const engine::CopyFrom& statement) {
    engine::CopyFrom copy = statement;
    if (!copy_directory.empty() && !copy.file.starts_with('/')) {
        copy.file = copy_directory + "/" + copy.file;
    }
    ASSIGN_OR_RETURN(CopyFormat format, parse_options(copy.options, copy.file, /*reading=*/true));
    uint64_t skipped = 0;
    auto work = [&](table::Transaction& t) -> Result<uint64_t> {
        ASSIGN_OR_RETURN(catalog::TablePtr table, table_to_change(*t.view(), copy.table));
        ASSIGN_OR_RETURN(std::vector<uint32_t> columns, find_columns(copy.columns, *table));
        table::TableWriter writer(t, table);
        auto now = catalog_of(t.view());
        ASSIGN_OR_RETURN(BulkInsert insert,
                         BulkInsert::make(*engine, *now, cancel, writer, std::move(columns)));
        if (format.parquet) {
            ASSIGN_OR_RETURN(auto file, engine->read_parquet(copy.file, &cancel));
            ArrowArrayStream exported;
            export_stream(answer_of(std::move(file), nullptr, ""), &exported);
            ASSIGN_OR_RETURN(auto stream, engine->cast_stream(&exported, insert.schema(), &cancel));
            for (;;) {
                ASSIGN_OR_RETURN(auto batch, stream->next());
                if (!batch) break;
                RETURN_IF_ERROR(insert.write(std::move(*batch)));
            }
        } else {
            auto read = read_csv(db.vfs, copy.file, format.csv, db.threads, cancel, insert);
            if (!read.ok()) return in_file(read.status(), copy.file);
            skipped = *read;
        }
        return writer.finish();
    };
    ASSIGN_OR_RETURN(uint64_t count, change(work));
    std::string tag = "COPY " + std::to_string(count);
    if (skipped > 0) tag += " (" + std::to_string(skipped) + " bad rows skipped)";
    return done(std::move(tag), count);
}

Result<Answer> Session::State::copy_to(const CachedStatement& statement,
                                       const engine::CopyTo& copy) {
    ASSIGN_OR_RETURN(CopyFormat format, parse_options(copy.options, copy.file, /*reading=*/false));
    ASSIGN_OR_RETURN(auto now, catalog());
    ASSIGN_OR_RETURN(auto stream, engine->run(*statement.plan, {}, *now, &cancel));
    auto count = format.parquet ? engine->write_parquet(*stream, copy.file, format.rest)
                                : write_csv(db.vfs, *stream, copy.file, format);
    RETURN_IF_ERROR(count.status());
    return done("COPY " + std::to_string(*count), *count);
}

}  // namespace trefoil
