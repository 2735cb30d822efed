// A log file as a table. Its lines stay where they are: a row is found by the place of its line in
// the file, and an index on time, which is a few numbers per thousand lines, says where in the file
// an hour begins, as lines of a log are written in the order of time.
//
//     2026-03-01T00:00:07Z warning disk: request 7 took 38 ms
//
// What a program would do with grep and awk is SQL here, and what is asked by time reads that part
// of the file alone.

#include <algorithm>
#include <cstdio>
#include <ctime>
#include <fstream>
#include <iostream>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "trefoil/database.h"

using namespace trefoil;

namespace {

// --- Lines
// --------------------------------------------------------------------------------------------

struct Line {
    int64_t at_us = 0;
    std::string level, source, text;
};

// "2026-03-01T00:00:07Z" in microseconds since 1970.
int64_t time_of(const std::string& text) {
    std::tm tm{};
    std::sscanf(text.c_str(), "%d-%d-%dT%d:%d:%d", &tm.tm_year, &tm.tm_mon, &tm.tm_mday,
                &tm.tm_hour, &tm.tm_min, &tm.tm_sec);
    tm.tm_year -= 1900;
    tm.tm_mon -= 1;
    return static_cast<int64_t>(timegm(&tm)) * 1'000'000;
}

Line parse(const std::string& text) {
    Line line;
    const size_t level = text.find(' '), source = text.find(' ', level + 1),
                 end = text.find(": ", source + 1);
    if (end == std::string::npos) return {0, "", "", text};
    line.at_us = time_of(text);
    line.level = text.substr(level + 1, source - level - 1);
    line.source = text.substr(source + 1, end - source - 1);
    line.text = text.substr(end + 2);
    return line;
}

// Reads a file line by line from some place on.
class LineReader {
public:
    explicit LineReader(const std::string& path) : file_(path) {}
    void seek(int64_t place) {
        file_.clear();
        file_.seekg(place);
        place_ = place;
    }
    // False at the end. `place`: where the line begins.
    bool next(std::string* line, int64_t* place) {
        *place = place_;
        if (!std::getline(file_, *line)) return false;
        place_ += static_cast<int64_t>(line->size()) + 1;
        return true;
    }

private:
    std::ifstream file_;
    int64_t place_ = 0;
};

// --- The index on time
// --------------------------------------------------------------------------------

class TimeIndex : public CustomIndex {
public:
    explicit TimeIndex(std::string path) : path_(std::move(path)) {
        LineReader reader(path_);
        std::string text;
        for (int64_t place = 0; reader.next(&text, &place); lines_++) {
            if (lines_ % kLinesPerMark == 0) marks_.push_back({time_of(text), place});
        }
    }
    int64_t lines() const { return lines_; }

    std::string name() const override { return "time_idx"; }
    std::vector<std::string> columns() const override { return {"at"}; }

    std::optional<double> estimate(const IndexRequest& request) const override {
        double marks = 0;
        for (const IndexRange& range : request.ranges) {
            const auto [low, high] = bounds(range);
            marks += static_cast<double>(after(high) - before(low));
        }
        return marks * kLinesPerMark;
    }

    // The places of the lines between two times, a thousand lines at once.
    Result<RowStream> scan(const IndexRequest& request) const override {
        struct State {
            LineReader reader;
            size_t range = 0;
            bool inside = false;
        };
        auto state = std::make_shared<State>(State{LineReader(path_)});
        return RowStream([this, &request, state](RowSink& keys) -> Result<bool> {
            if (state->range == request.ranges.size()) return false;
            const auto [low, high] = bounds(request.ranges[state->range]);
            if (!state->inside && !marks_.empty()) state->reader.seek(marks_[before(low)].place);
            state->inside = true;
            std::string text;
            int64_t place = 0;
            for (int i = 0; i < kLinesPerMark; i++) {
                const bool more = state->reader.next(&text, &place);
                const int64_t at = more ? time_of(text) : INT64_MAX;
                if (!more || at > high) {
                    state->range++;
                    state->inside = false;
                    return state->range < request.ranges.size();
                }
                if (at >= low) keys.append_int64(0, place);
            }
            return true;
        });
    }

private:
    static constexpr int kLinesPerMark = 1000;
    struct Mark {
        int64_t at_us, place;
    };

    // The first and the last microsecond of a range.
    static std::pair<int64_t, int64_t> bounds(const IndexRange& range) {
        auto micros = [](const Value& v) { return v.get_if<Timestamp>()->micros; };
        if (!range.bounded) {
            if (range.equal[0].is_null()) return {1, 0};  // each line has a time
            return {micros(range.equal[0]), micros(range.equal[0])};
        }
        const int64_t low = range.low ? micros(*range.low) + !range.low_inclusive : INT64_MIN;
        const int64_t high = range.high ? micros(*range.high) - !range.high_inclusive : INT64_MAX;
        return {low, high};
    }
    // The last mark before this time, the first after it.
    size_t before(int64_t at) const {
        auto it = std::lower_bound(marks_.begin(), marks_.end(), at,
                                   [](const Mark& m, int64_t t) { return m.at_us < t; });
        return it == marks_.begin() ? 0 : static_cast<size_t>(it - marks_.begin()) - 1;
    }
    size_t after(int64_t at) const {
        auto it = std::upper_bound(marks_.begin(), marks_.end(), at,
                                   [](int64_t t, const Mark& m) { return t < m.at_us; });
        return static_cast<size_t>(it - marks_.begin());
    }

    std::string path_;
    std::vector<Mark> marks_;
    int64_t lines_ = 0;
};

// --- The table
// ----------------------------------------------------------------------------------------

class LogFile : public CustomTable {
public:
    explicit LogFile(const std::string& path)
        : path_(path), index_(std::make_shared<TimeIndex>(path)) {}

    std::vector<CustomColumn> columns() const override {
        return {{"place", "BIGINT", false},
                {"at", "TIMESTAMPTZ", false},
                {"level", "TEXT", false},
                {"source", "TEXT", false},
                {"message", "TEXT", false}};
    }
    std::vector<std::string> key() const override { return {"place"}; }
    std::vector<std::shared_ptr<const CustomIndex>> indexes() const override { return {index_}; }
    std::optional<double> row_count() const override {
        return static_cast<double>(index_->lines());
    }
    double fetch_cost() const override { return 2; }

    Result<RowStream> scan(const std::vector<uint32_t>& columns) const override {
        auto reader = std::make_shared<LineReader>(path_);
        return RowStream([reader, columns](RowSink& rows) -> Result<bool> {
            std::string text;
            int64_t place = 0;
            for (int i = 0; i < 1000; i++) {
                if (!reader->next(&text, &place)) return false;
                append(place, parse(text), columns, rows);
            }
            return true;
        });
    }

    // Places come in ascending order, so the file is read forwards.
    Result<RowStream> fetch(const KeyBatch& keys,
                            const std::vector<uint32_t>& columns) const override {
        return RowStream([this, &keys, columns](RowSink& rows) -> Result<bool> {
            LineReader reader(path_);
            std::string text;
            int64_t place = 0;
            for (uint64_t i = 0; i < keys.size(); i++) {
                if (i == 0 || keys.int64(i) != place + static_cast<int64_t>(text.size()) + 1) {
                    reader.seek(keys.int64(i));
                }
                if (!reader.next(&text, &place)) return Status::io("the log was cut: " + path_);
                append(place, parse(text), columns, rows);
            }
            return false;
        });
    }

private:
    static void append(int64_t place, const Line& line, const std::vector<uint32_t>& columns,
                       RowSink& rows) {
        for (uint32_t i = 0; i < columns.size(); i++) {
            switch (columns[i]) {
                case 0:
                    rows.append_int64(i, place);
                    break;
                case 1:
                    rows.append_int64(i, line.at_us);
                    break;
                case 2:
                    rows.append_text(i, line.level);
                    break;
                case 3:
                    rows.append_text(i, line.source);
                    break;
                default:
                    rows.append_text(i, line.text);
            }
        }
        if (columns.empty()) rows.append_rows(1);
    }

    std::string path_;
    std::shared_ptr<const TimeIndex> index_;
};

// --- The program
// --------------------------------------------------------------------------------------

// A day of a machine that has something to say every three seconds.
void write_log(const std::string& path) {
    std::ofstream file(path);
    const std::time_t start = time_of("2026-03-01T00:00:00Z") / 1'000'000;
    for (int i = 0; i < 28800; i++) {
        const std::time_t at = start + i * 3;
        std::tm tm{};
        gmtime_r(&at, &tm);
        char text[32];
        std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &tm);
        const char* level = i % 1000 == 7 ? "error" : i % 50 == 3 ? "warning" : "info";
        const char* source = i % 3 == 0 ? "web" : i % 3 == 1 ? "disk" : "mail";
        file << text << " " << level << " " << source << ": request " << i << " took " << i * 7 % 90
             << " ms\n";
    }
}

Status run(const std::string& path) {
    auto database = Database::open("");
    if (!database.ok()) return database.status();
    auto session = database->connect();
    if (!session.ok()) return session.status();
    if (Status status = database->register_table("log", std::make_shared<LogFile>(path));
        !status.ok()) {
        return status;
    }
    const std::string hour =
        "at >= TIMESTAMPTZ '2026-03-01 12:00:00+00' AND at < TIMESTAMPTZ "
        "'2026-03-01 13:00:00+00'";
    for (const std::string& sql :
         {std::string("SELECT level, count(*) FROM log GROUP BY level ORDER BY level"),
          "SELECT count(*) FROM log WHERE " + hour,
          "SELECT at, source, message FROM log WHERE level = 'error' AND " + hour + " ORDER BY at",
          "EXPLAIN SELECT message FROM log WHERE level = 'error' AND " + hour}) {
        std::cout << "> " << sql << "\n";
        auto rows = session->execute(sql);
        if (!rows.ok()) return rows.status();
        std::string all;
        for (;;) {
            auto batch = rows->next();
            if (!batch.ok()) return batch.status();
            if (!batch->has_value()) break;
            for (int64_t r = 0; r < (*batch)->row_count(); r++) {
                for (int32_t c = 0; c < (*batch)->column_count(); c++) {
                    all += " " + (*batch)->text(r, c);
                }
                all += "\n";
            }
        }
        std::cout << all;
        if (all.empty()) return Status::not_found("nothing was found");
        if (sql.starts_with("SELECT count") && all != " 1200\n") {
            return Status::invalid("an hour has 1,200 lines here");
        }
        if (sql.starts_with("EXPLAIN") && all.find("time_idx") == std::string::npos) {
            return Status::invalid("the index on time was not used");
        }
    }
    return {};
}

}  // namespace

// Reads the log that is named, which must have lines like the one above, or one that it writes.
int main(int argc, char** argv) {
    const std::string path = argc > 1 ? argv[1] : "machine.log";
    if (argc == 1) write_log(path);
    const Status status = run(path);
    if (!status.ok()) std::cerr << status.to_string() << "\n";
    return status.ok() ? 0 : 1;
}
