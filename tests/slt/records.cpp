// Reading sqllogictest files: loops are unrolled first, on lines; then records are read one after
// the other. What is for other systems is read and left out, so that its lines do no harm.

#include "records.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <sstream>

namespace slt {
namespace {

struct Line {
    int number = 0;
    std::string text;
};
using Lines = std::vector<Line>;
using Words = std::vector<std::string>;

Words words_of(const std::string& line) {
    std::istringstream in(line);
    Words words;
    for (std::string word; in >> word;) words.push_back(word);
    return words;
}

bool contains(const Words& words, const std::string& word) {
    return std::find(words.begin(), words.end(), word) != words.end();
}

std::optional<long> number_of(const std::string& text) {
    long n = 0;
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), n);
    if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
    return n;
}

void replace_all(std::string& text, const std::string& what, const std::string& by) {
    for (size_t at = 0; (at = text.find(what, at)) != std::string::npos; at += by.size()) {
        text.replace(at, what.size(), by);
    }
}

// What stands in a line behind its first n words.
std::string rest_of(const std::string& line, int n) {
    size_t at = 0;
    for (int i = 0; i < n; i++) {
        at = line.find_first_not_of(" \t", at);
        if (at == std::string::npos) return "";
        at = line.find_first_of(" \t", at);
        if (at == std::string::npos) return "";
    }
    at = line.find_first_not_of(" \t", at);
    return at == std::string::npos ? "" : line.substr(at);
}

// The values that the variable of a loop takes; nullopt if the line is wrong.
std::optional<Words> loop_values(const Words& words) {
    if (words[0] == "foreach" && words.size() > 2) return Words(words.begin() + 2, words.end());
    if (words[0] != "loop" || words.size() != 4) return std::nullopt;
    auto from = number_of(words[2]), to = number_of(words[3]);
    if (!from || !to) return std::nullopt;
    Words values;
    for (long i = *from; i < *to; i++) values.push_back(std::to_string(i));
    return values;
}

Lines unrolled(const Lines& lines, size_t begin, size_t end) {
    Lines out;
    for (size_t i = begin; i < end; i++) {
        const Words words = words_of(lines[i].text);
        if (words.empty() || (words[0] != "loop" && words[0] != "foreach")) {
            out.push_back(lines[i]);
            continue;
        }
        size_t close = i + 1;
        for (int depth = 1; close < end; close++) {
            const Words inner = words_of(lines[close].text);
            if (inner.empty()) continue;
            if (inner[0] == "loop" || inner[0] == "foreach") depth++;
            if (inner[0] == "endloop" && --depth == 0) break;
        }
        auto values = loop_values(words);
        if (!values || close == end) {
            out.push_back({lines[i].number, "a loop that is wrong or has no endloop"});
            return out;
        }
        const Lines body = unrolled(lines, i + 1, close);
        for (const std::string& value : *values) {
            for (Line line : body) {
                replace_all(line.text, "${" + words[1] + "}", value);
                replace_all(line.text, "$" + words[1], value);
                out.push_back(line);
            }
        }
        i = close;
    }
    return out;
}

class Reader {
public:
    Reader(Lines lines, const Words& names) : lines_(std::move(lines)), names_(names) {}

    std::vector<Record> read() {
        while (at_ < lines_.size()) {
            const Line& line = lines_[at_++];
            const Words words = words_of(line.text);
            if (words.empty() || words[0][0] == '#') continue;
            record(line, words);
        }
        return std::move(records_);
    }

private:
    void record(const Line& line, const Words& words) {
        const std::string& first = words[0];
        if (first == "skipif" || first == "onlyif") {
            const bool ours = words.size() > 1 && contains(names_, words[1]);
            skip_ = skip_ || ours == (first == "skipif");
        } else if (first == "connection" && words.size() == 2) {
            connection_ = words[1];
        } else if (first == "statement" || first == "query") {
            Record r = first == "query" ? query(line, words) : statement(line, words);
            if (!skip_ && !mode_skip_) records_.push_back(std::move(r));
            skip_ = false;
            connection_.clear();
        } else if (first == "halt" || first == "restart") {
            Record r{.kind = first == "halt" ? Kind::kHalt : Kind::kRestart, .line = line.number};
            if (!skip_ && !mode_skip_) records_.push_back(std::move(r));
            skip_ = false;
        } else if (first == "mode" && words.size() == 2) {
            if (words[1] == "skip") mode_skip_ = true;
            if (words[1] == "unskip") mode_skip_ = false;
        } else if (first != "hash-threshold" && first != "subtest") {
            records_.push_back(bad(line, "not understood: " + line.text));
        }
    }

    static Record bad(const Line& line, const std::string& problem) {
        return Record{.kind = Kind::kBad, .line = line.number, .problem = problem};
    }

    Record statement(const Line& line, const Words& words) {
        Record r{.kind = Kind::kStatement, .line = line.number, .connection = connection_};
        const std::string what = words.size() > 1 ? words[1] : "";
        if (what == "count" && words.size() > 2) {
            r.count = number_of(words[2]).value_or(-1);
        } else if (what == "error") {
            r.fails = true;
            r.pattern = rest_of(line.text, 2);
        } else if (what == "ok") {
            if (words.size() > 2) r.connection = words[2];
        } else {
            return bad(line, "neither ok nor error nor count: " + line.text);
        }
        read_body(r);
        return r;
    }

    Record query(const Line& line, const Words& words) {
        Record r{.kind = Kind::kQuery, .line = line.number, .connection = connection_};
        if (words.size() > 1 && words[1] == "error") {
            r.kind = Kind::kStatement;
            r.fails = true;
            r.pattern = rest_of(line.text, 2);
        } else {
            r.types = words.size() > 1 ? words[1] : "";
            size_t next = 2;
            if (words.size() > 2) {
                const std::string& sort = words[2];
                r.sort = sort == "rowsort"     ? Sort::kRows
                         : sort == "valuesort" ? Sort::kValues
                                               : Sort::kNone;
                if (r.sort != Sort::kNone || sort == "nosort") next = 3;
            }
            if (words.size() > next) r.label = words[next];
        }
        read_body(r);
        return r;
    }

    // The SQL up to an empty line or "----", and what follows that.
    void read_body(Record& r) {
        for (; at_ < lines_.size(); at_++) {
            const std::string& text = lines_[at_].text;
            if (text.find_first_not_of(" \t") == std::string::npos || text == "----") break;
            r.sql += (r.sql.empty() ? "" : "\n") + text;
        }
        if (at_ == lines_.size() || lines_[at_].text != "----") return;
        for (at_++; at_ < lines_.size() && !lines_[at_].text.empty(); at_++) {
            r.expected.push_back(lines_[at_].text);
        }
        if (r.fails && r.pattern.empty() && !r.expected.empty()) r.pattern = r.expected[0];
    }

    Lines lines_;
    const Words& names_;
    size_t at_ = 0;
    bool skip_ = false, mode_skip_ = false;
    std::string connection_;
    std::vector<Record> records_;
};

}  // namespace

std::vector<Record> read_records(const std::string& text, const std::vector<std::string>& names) {
    Lines lines;
    std::istringstream in(text);
    int number = 0;
    for (std::string line; std::getline(in, line);) {
        if (!line.empty() && line.back() == '\r') line.pop_back();
        lines.push_back({++number, std::move(line)});
    }
    const size_t count = lines.size();
    return Reader(unrolled(lines, 0, count), names).read();
}

}  // namespace slt
