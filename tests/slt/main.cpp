// Runs sqllogictest files against a fresh database each, through the public interface.
//
//     slt [--as NAME]... [--timeout SECONDS] [--failures N] [--jobs N] FILE|FOLDER...
//
// Each record that ends otherwise than the file says is printed with its place, what was expected
// and what came; at most N per file (10). --as names the systems that skipif and onlyif mean
// (trefoil and postgresql unless given). Queries with one label must answer the same. An internal
// error never counts as an expected one. The last line is "N passed, N failed"; the exit code is 1
// if any failed. records.h says what a file may contain.

#include <algorithm>
#include <atomic>
#include <charconv>
#include <chrono>
#include <condition_variable>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <map>
#include <memory>
#include <mutex>
#include <regex>
#include <sstream>
#include <thread>

#include "answer.h"
#include "records.h"
#include "trefoil/database.h"

namespace slt {
namespace {

namespace fs = std::filesystem;
using trefoil::Database;
using trefoil::Session;
using trefoil::Status;

struct Options {
    std::vector<std::string> names, files;
    long timeout_s = 120, failures_shown = 10, jobs = 1;
};

// Cancels a session whose statement takes too long.
class Watchdog {
public:
    Watchdog(Session& session, long timeout_s)
        : thread_([this, &session, timeout_s] {
              std::unique_lock lock(mutex_);
              if (!done_.wait_for(lock, std::chrono::seconds(timeout_s),
                                  [this] { return ended_; })) {
                  session.cancel();
              }
          }) {}
    ~Watchdog() {
        {
            std::scoped_lock lock(mutex_);
            ended_ = true;
        }
        done_.notify_one();
        thread_.join();
    }

private:
    std::mutex mutex_;
    std::condition_variable done_;
    bool ended_ = false;
    std::thread thread_;
};

// The database of one file, on disk so that "restart" means something.
class Stage {
public:
    Stage() {
        std::string name = (fs::temp_directory_path() / "slt-XXXXXX").string();
        folder_ = mkdtemp(name.data());
    }
    ~Stage() {
        close();
        std::error_code ignored;
        fs::remove_all(folder_, ignored);
    }

    Status open() {
        close();
        auto db = Database::open((folder_ / "db.trefoil").string());
        if (!db.ok()) return db.status();
        db_ = std::make_unique<Database>(std::move(*db));
        return {};
    }

    trefoil::Result<Session*> session(const std::string& name) {
        auto found = sessions_.find(name);
        if (found != sessions_.end()) return &found->second;
        auto session = db_->connect();
        if (!session.ok()) return session.status();
        return &sessions_.emplace(name, std::move(*session)).first->second;
    }

private:
    void close() {
        sessions_.clear();
        db_.reset();
    }

    fs::path folder_;
    std::unique_ptr<Database> db_;
    std::map<std::string, Session> sessions_;
};

class File {
public:
    File(std::string path, const Options& options) : path_(std::move(path)), options_(options) {}

    void run() {
        std::ifstream in(path_);
        std::stringstream text;
        text << in.rdbuf();
        if (!in) return fail(0, "", "cannot be read");
        if (Status opened = stage_.open(); !opened.ok()) return fail(0, "", opened.to_string());
        for (const Record& record : read_records(text.str(), options_.names)) {
            if (record.kind == Kind::kHalt) break;
            run(record);
        }
    }

    size_t passed = 0, failed = 0;
    std::string report;

private:
    void run(const Record& record) {
        std::string problem;
        switch (record.kind) {
            case Kind::kStatement:
                problem = run_statement(record);
                break;
            case Kind::kQuery:
                problem = run_query(record);
                break;
            case Kind::kRestart: {
                Status opened = stage_.open();
                if (!opened.ok()) problem = opened.to_string();
                break;
            }
            default:
                problem = record.problem;
        }
        if (problem.empty()) {
            passed++;
        } else {
            fail(record.line, record.sql, problem);
        }
    }

    void fail(int line, const std::string& sql, const std::string& problem) {
        failed++;
        if (static_cast<long>(failed) > options_.failures_shown) return;
        report += path_ + ":" + std::to_string(line) + ": " + problem + "\n";
        if (!sql.empty()) report += "  " + sql.substr(0, 2000) + "\n";
    }

    // Runs a statement to its end.
    trefoil::Result<Answer> execute(const Record& record, uint64_t* changed) {
        auto session = stage_.session(record.connection);
        if (!session.ok()) return session.status();
        Watchdog watchdog(**session, options_.timeout_s);
        auto rows = (*session)->execute(record.sql);
        if (!rows.ok()) return rows.status();
        auto answer = read_answer(*rows, record.types);
        *changed = rows->affected_rows();
        return answer;
    }

    std::string run_statement(const Record& record) {
        uint64_t changed = 0;
        auto answer = execute(record, &changed);
        if (!record.fails) {
            if (!answer.ok()) return answer.status().to_string();
            if (record.count >= 0 && static_cast<uint64_t>(record.count) != changed) {
                return "expected " + std::to_string(record.count) + " rows to change, " +
                       std::to_string(changed) + " did";
            }
            return "";
        }
        if (answer.ok()) return "an error was expected";
        const std::string text = answer.status().to_string();
        if (record.pattern.empty()) {
            return answer.status().sqlstate() == "XX000" ? "an internal error: " + text : "";
        }
        return matches(text, record.pattern) ? "" : "another error than expected: " + text;
    }

    static bool matches(const std::string& text, const std::string& pattern) {
        if (text.find(pattern) != std::string::npos) return true;
        try {
            return std::regex_search(text, std::regex(pattern, std::regex::icase));
        } catch (const std::regex_error&) {
            return false;
        }
    }

    std::string run_query(const Record& record) {
        uint64_t changed = 0;
        auto answer = execute(record, &changed);
        if (!answer.ok()) return answer.status().to_string();
        sort_answer(*answer, record.sort);
        std::string problem = compare(record, *answer);
        if (!problem.empty() || record.label.empty()) return problem;
        const std::string hash = answer->hash();
        const std::string& known = labels_.emplace(record.label, hash).first->second;
        return known == hash ? "" : "another answer than an earlier query of label " + record.label;
    }

    std::string path_;
    const Options& options_;
    Stage stage_;
    std::map<std::string, std::string> labels_;
};

// The files of a folder, in order; the file itself if it is one.
void add_files(const std::string& path, std::vector<std::string>* files) {
    if (!fs::is_directory(path)) return files->push_back(path);
    std::vector<std::string> found;
    for (const auto& entry : fs::recursive_directory_iterator(path)) {
        const std::string ending = entry.path().extension().string();
        if (ending == ".slt" || ending == ".test") found.push_back(entry.path().string());
    }
    std::sort(found.begin(), found.end());
    files->insert(files->end(), found.begin(), found.end());
}

bool parse_options(int argc, char** argv, Options* options) {
    std::map<std::string, long*> numbers = {{"--timeout", &options->timeout_s},
                                            {"--failures", &options->failures_shown},
                                            {"--jobs", &options->jobs}};
    for (int i = 1; i < argc; i++) {
        const std::string arg = argv[i];
        if (arg == "--as" && i + 1 < argc) {
            options->names.emplace_back(argv[++i]);
        } else if (auto number = numbers.find(arg); number != numbers.end() && i + 1 < argc) {
            const std::string_view text = argv[++i];
            if (std::from_chars(text.data(), text.data() + text.size(), *number->second).ec !=
                std::errc()) {
                return false;
            }
        } else if (arg.starts_with("--")) {
            return false;
        } else {
            add_files(arg, &options->files);
        }
    }
    if (options->names.empty()) options->names = {"trefoil", "postgresql"};
    return !options->files.empty();
}

int run_files(const Options& options) {
    std::atomic<size_t> next = 0, passed = 0, failed = 0;
    std::mutex output;
    auto work = [&] {
        for (size_t i = next++; i < options.files.size(); i = next++) {
            File file(options.files[i], options);
            file.run();
            passed += file.passed;
            failed += file.failed;
            std::scoped_lock lock(output);
            std::cout << file.report;
            if (options.files.size() > 1 || file.failed > 0) {
                std::cout << options.files[i] << ": " << file.passed << " passed, " << file.failed
                          << " failed" << std::endl;
            }
        }
    };
    std::vector<std::thread> threads;
    for (long i = 1; i < options.jobs; i++) threads.emplace_back(work);
    work();
    for (std::thread& thread : threads) thread.join();
    std::cout << passed << " passed, " << failed << " failed" << std::endl;
    return failed == 0 && passed > 0 ? 0 : 1;
}

}  // namespace
}  // namespace slt

int main(int argc, char** argv) {
    slt::Options options;
    if (!slt::parse_options(argc, argv, &options)) {
        std::cerr << "usage: slt [--as NAME]... [--timeout SECONDS] [--failures N] [--jobs N] "
                     "FILE|FOLDER...\n";
        return 2;
    }
    return slt::run_files(options);
}
