// A database that was damaged, is in use by others, or has no room: a clear error or a recovery,
// and nothing that was acknowledged is lost once the cause is gone.
//
// One small database with segments, patches, index runs and a commit log is made once; each test
// harms a copy of it. Whatever is done to a file, an answer is either right or an error: never
// wrong data, never the end of the process. Attempts run in a child process, so that a crash is
// seen.

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "storage/storage_testing.h"
#include "trefoil/database.h"

namespace trefoil {
namespace {

namespace fs = std::filesystem;

std::string fields_of(Result<Rows> rows) {
    if (!rows.ok()) return rows.status().to_string();
    std::string text;
    for (;;) {
        auto batch = rows->next();
        if (!batch.ok()) return batch.status().to_string();
        if (!batch->has_value()) return text;
        for (int64_t r = 0; r < (*batch)->row_count(); r++) {
            for (int32_t c = 0; c < (*batch)->column_count(); c++) {
                text += (*batch)->text(r, c) + "|";
            }
        }
    }
}

std::string must_run(Session& session, const std::string& sql) {
    auto rows = session.execute(sql);
    if (!rows.ok()) FAIL(sql.substr(0, 300) << ": " << rows.status().to_string());
    return fields_of(std::move(rows));
}

// What the database answers to questions that touch every file and every row.
const std::vector<std::string> kQuestions = {
    "SELECT count(*), sum(id), min(name), max(name), sum(length(name)) FROM a",
    "SELECT name FROM a WHERE id = 1500",
    "SELECT name FROM a WHERE id = 7",
    "SELECT name FROM a WHERE id = 8",
    "SELECT id FROM a WHERE id BETWEEN 2990 AND 2995",
    "SELECT count(*), max(v) FROM b",
    "SELECT v FROM b WHERE k = 'key 40'",
    "SELECT name FROM a WHERE id = 900001"};

void make_database(const std::string& path) {
    Database db = must(Database::open(path));
    Session session = must(db.connect());
    must_run(session, "CREATE TABLE a (id BIGINT PRIMARY KEY, name TEXT)");
    must_run(session, "CREATE TABLE b (k TEXT PRIMARY KEY, v INT)");
    for (int part = 0; part < 3; part++) {
        std::string rows;
        for (int i = part * 1000; i < part * 1000 + 1000; i++) {
            rows += (rows.empty() ? "(" : ", (") + std::to_string(i) + ", 'the name of row " +
                    std::to_string(i * 7919 % 10007) + "')";
        }
        must_run(session, "INSERT INTO a VALUES " + rows);
        if (part < 2) must(db.checkpoint());
    }
    for (int i = 0; i < 50; i++) {
        must_run(session, "INSERT INTO b VALUES ('key " + std::to_string(i) + "', " +
                              std::to_string(i) + ")");
    }
    must(db.checkpoint());
    // What is left in the commit log.
    must_run(session, "UPDATE a SET name = 'seven' WHERE id = 7");
    must_run(session, "DELETE FROM a WHERE id = 8");
    must_run(session, "INSERT INTO a VALUES (900001, 'in the log')");
    // After some commits of one row the log goes on in a file.
    for (int i = 50; i < 100; i++) {
        must_run(session, "INSERT INTO b VALUES ('key " + std::to_string(i) + "', " +
                              std::to_string(i) + ")");
    }
}

// The answers of the database at `path`, one line each; where something fails, the error instead.
std::vector<std::string> answers_of(const std::string& path, bool read_only = false) {
    auto db = Database::open(path, {.read_only = read_only, .threads = 1});
    if (!db.ok()) return {db.status().to_string()};
    Session session = must(db->connect());
    std::vector<std::string> answers;
    for (const std::string& sql : kQuestions) answers.push_back(fields_of(session.execute(sql)));
    return answers;
}

// The same, in a child process; {"died"} if that did not end by itself.
std::vector<std::string> answers_in_child(const std::string& path) {
    std::string heard;
    ChildProcess child([&](const ChildProcess::Say& say) {
        std::string all;
        for (std::string answer : answers_of(path)) {
            std::replace(answer.begin(), answer.end(), '\n', ' ');
            all += answer + "\n";
        }
        for (char c : all) say(c);
    });
    while (auto c = child.hear()) heard += *c;
    if (int code = child.wait(); code != 0) return {"died with " + std::to_string(code)};
    std::vector<std::string> lines;
    for (size_t at = 0; at < heard.size();) {
        size_t end = heard.find('\n', at);
        lines.push_back(heard.substr(at, end - at));
        at = end + 1;
    }
    return lines;
}

// The database as it should be, and what it answers. Made in a child process, like everything here
// that could leave threads behind in the parent, which forks.
struct Sample {
    Sample() {
        ChildProcess child([&](const ChildProcess::Say&) { make_database(directory / "db"); });
        REQUIRE(child.wait() == 0);
        answers = answers_in_child(copy("first"));
        REQUIRE(answers.size() == kQuestions.size());
        REQUIRE(answers[2] == "seven|");
        REQUIRE(answers[3].empty());
    }
    std::string copy(const std::string& name) const {
        const std::string to = directory / name;
        fs::remove_all(to);
        fs::copy(directory / "db", to, fs::copy_options::recursive);
        return to;
    }
    // Files of the database below `folder`, as paths inside it.
    std::vector<std::string> files(const std::string& folder) const {
        std::vector<std::string> out;
        for (const auto& entry : fs::directory_iterator(directory / ("db/" + folder))) {
            out.push_back(folder + "/" + entry.path().filename().string());
        }
        std::sort(out.begin(), out.end());
        return out;
    }

    TestDirectory directory;
    std::vector<std::string> answers;
};

const Sample& sample() {
    static const Sample made;
    return made;
}

// Nothing is wrong; some answers may be errors. The answer is how many are.
size_t errors_among(const std::vector<std::string>& answers) {
    const auto& right = sample().answers;
    if (answers.size() == 1 && answers[0].starts_with("ERROR")) return kQuestions.size();
    REQUIRE_MESSAGE(answers.size() == right.size(), answers[0]);
    size_t errors = 0;
    for (size_t i = 0; i < right.size(); i++) {
        if (answers[i] == right[i]) continue;
        INFO(kQuestions[i]);
        CHECK_MESSAGE(answers[i].starts_with("ERROR XX001"), answers[i]);
        errors++;
    }
    return errors;
}

std::string joined(const std::vector<std::string>& lines) {
    std::string text;
    for (const std::string& line : lines) text += line + "\n";
    return text;
}

// Harms one file of a fresh copy, asks, heals it again, asks again.
using Harm = std::function<void(const std::string& file)>;
struct Harmed {
    size_t errors;
    std::string text;
};
Harmed harm(const std::string& file, const Harm& how) {
    const std::string path = sample().copy("harmed");
    how(path + "/" + file);
    const auto answers = answers_in_child(path);
    CAPTURE(joined(answers));
    const size_t errors = errors_among(answers);
    // The cause goes away: the file is what it was, all else is as the failed attempt left it.
    fs::remove_all(path + "/" + file);
    fs::create_directories(fs::path(path + "/" + file).parent_path());
    fs::copy(sample().directory / ("db/" + file), path + "/" + file);
    const auto healed = answers_in_child(path);
    CHECK_MESSAGE(healed == sample().answers, joined(healed));
    return {errors, joined(answers)};
}

Harm flip_bit(uint64_t at) {
    return [at](const std::string& file) {
        std::string bytes = read_file(file);
        REQUIRE(at / 8 < bytes.size());
        bytes[at / 8] = static_cast<char>(bytes[at / 8] ^ (1 << (at % 8)));
        write_file(file, bytes);
    };
}
Harm truncate_to(uint64_t size) {
    return [size](const std::string& file) { fs::resize_file(file, size); };
}

bool has(const std::string& text, const std::string& words) {
    return text.find(words) != std::string::npos;
}

TEST_CASE(
    "a flipped bit in a segment or a key run: an error that names the file, or the right rows") {
    for (const char* folder : {"seg", "idx"}) {
        size_t seen = 0, tried = 0;
        const auto files = sample().files(folder);
        REQUIRE(!files.empty());
        for (const std::string& file : files) {
            const uint64_t bits = fs::file_size(sample().directory / ("db/" + file)) * 8;
            // The header, the middle, the directory, the table of hashes, the trailer, and between.
            for (uint64_t at : {uint64_t{3}, uint64_t{8 * 40}, uint64_t{8 * 4100}, bits / 3,
                                bits * 3 / 4, bits - 8 * 70, bits - 8 * 64, bits - 9}) {
                CAPTURE(file);
                CAPTURE(at);
                Harmed harmed = harm(file, flip_bit(at));
                if (harmed.errors > 0) CHECK(has(harmed.text, file.substr(4)));
                seen += harmed.errors > 0;
                tried++;
            }
        }
        MESSAGE(folder << ": " << seen << " of " << tried << " flips were met");
        CHECK(seen > tried / 3);
    }
}

TEST_CASE("a flipped bit in a file of the commit log: an error that names the file") {
    const auto files = sample().files("log");
    REQUIRE(files.size() == 1);
    // The first bytes of the header and of some commits; each takes a sector of 512 bytes.
    for (uint64_t sector = 0; sector < 30; sector += 3) {
        for (uint64_t byte : {0, 3, 12, 29, 510}) {
            const uint64_t at = (sector * 512 + byte) * 8 + sector % 8;
            CAPTURE(at);
            Harmed harmed = harm(files[0], flip_bit(at));
            CHECK(harmed.errors == kQuestions.size());
            CHECK(has(harmed.text, files[0]));
        }
    }
}

TEST_CASE("a flipped bit in the root: an error, or the right rows") {
    const std::string file = "root/data.mdb";
    const uint64_t bits = fs::file_size(sample().directory / ("db/" + file)) * 8;
    size_t seen = 0;
    constexpr uint64_t kFlips = 60;
    for (uint64_t i = 0; i < kFlips; i++) {
        const uint64_t at = (bits / kFlips * i + i * 977) % bits;
        CAPTURE(at);
        seen += harm(file, flip_bit(at)).errors > 0;
    }
    MESSAGE(seen << " of " << kFlips << " flips were met");
    CHECK(seen > 0);
}

// LMDB keeps two copies of what leads to everything else, at the start of the first two pages.
constexpr uint64_t kMetaPages[] = {0, 4096};
// Where a copy says how many transactions there were: the newer copy counts.
constexpr uint64_t kTransactionAt = 144, kTransactionBytes = 8;

TEST_CASE("a flipped bit in the first words of the root: an error, or the right rows") {
    size_t seen = 0;
    for (uint64_t page : kMetaPages) {
        for (uint64_t byte = 8; byte < 168; byte += 4) {
            if (byte >= kTransactionAt && byte < kTransactionAt + kTransactionBytes) continue;
            CAPTURE(page);
            CAPTURE(byte);
            const uint64_t at = (page + byte) * 8 + byte % 7;
            seen += harm("root/data.mdb", flip_bit(at)).errors > 0;
        }
    }
    CHECK(seen > 5);
}

TEST_CASE("a flipped bit in a transaction number of the root: an error, or the right rows" *
          doctest::may_fail()) {
    for (uint64_t page : kMetaPages) {
        for (uint64_t bit = 0; bit < 8 * kTransactionBytes; bit += 5) {
            CAPTURE(page);
            CAPTURE(bit);
            (void)harm("root/data.mdb", flip_bit((page + kTransactionAt) * 8 + bit));
        }
    }
}

TEST_CASE("a file that is cut off or missing is named in the error") {
    for (const std::string& file : {sample().files("seg")[0], sample().files("idx")[0],
                                    sample().files("log")[0], std::string("root/data.mdb")}) {
        const uint64_t size = fs::file_size(sample().directory / ("db/" + file));
        for (uint64_t left : {uint64_t{0}, uint64_t{100}, uint64_t{4096}, size / 2, size - 1}) {
            CAPTURE(file);
            CAPTURE(left);
            Harmed harmed = harm(file, truncate_to(left));
            const bool root = file.starts_with("root");
            if (!root || left < size / 2) CHECK(harmed.errors > 0);
            if (harmed.errors > 0) CHECK(has(harmed.text, file.substr(5)));
        }
        CAPTURE(file);
        Harmed gone = harm(file, [](const std::string& path) { fs::remove(path); });
        CHECK(gone.errors == kQuestions.size());
        CHECK((has(gone.text, "ERROR XX001") || has(gone.text, "ERROR 58P01")));
    }
}

TEST_CASE("files that carry no data may be lost or harmed") {
    for (const char* file : {"lock", "root/lock.mdb", "root.bak/data.mdb"}) {
        CAPTURE(file);
        if (!fs::exists(sample().directory / (std::string("db/") + file))) continue;
        CHECK(harm(file, [](const std::string& path) { fs::remove(path); }).errors == 0);
        CHECK(harm(file, flip_bit(5)).errors == 0);
        CHECK(harm(file, truncate_to(0)).errors == 0);
        CHECK(harm(file, [](const std::string& path) {
                  write_file(path, std::string(10000, 'x'));
              }).errors == 0);
    }
    const std::string path = sample().copy("littered");
    write_file(path + "/seg/00000000000000ff.seg", "an orphan");
    fs::create_directories(path + "/tmp/sort/deep");
    write_file(path + "/tmp/sort/deep/spill", "left over");
    CHECK(answers_in_child(path) == sample().answers);
    CHECK(!fs::exists(path + "/seg/00000000000000ff.seg"));
    CHECK(fs::is_empty(path + "/tmp"));
}

TEST_CASE("what is no database is left alone, with a sentence that says why") {
    TestDirectory directory;
    auto refused = [&](const std::string& path, const char* words) {
        const Status status = Database::open(path).status();
        CAPTURE(path);
        CHECK(status.sqlstate() == "58P01");
        CHECK_MESSAGE(mentions(status, words), status.to_string());
    };
    write_file(directory / "file", "hello");
    refused(directory / "file", "it is a file");
    fs::create_directories(directory / "photos/2024");
    write_file(directory / "photos/cat.jpg", "cat");
    refused(directory / "photos", "is not a database");
    CHECK(fs::exists(directory / "photos/cat.jpg"));
    CHECK(std::distance(fs::directory_iterator(directory / "photos"), {}) == 2);
    refused(directory / "no/such/parent", "there is no directory");
    CHECK(mentions(Database::open(directory / "none", {.read_only = true}).status(),
                   "there is no database"));
    CHECK(mentions(Database::open(directory / "none", {.create_if_missing = false}).status(),
                   "there is no database"));
    CHECK(!fs::exists(directory / "none"));
}

// --- Other processes
// -----------------------------------------------------------------------------------

// A process that has the database open for writing and does what it is told.
class WritingProcess {
public:
    explicit WritingProcess(const std::string& path) {
        REQUIRE(::pipe(orders_) == 0);
        child_ = std::make_unique<ChildProcess>([&](const ChildProcess::Say& say) {
            ::close(orders_[1]);
            Database db = must(Database::open(path));
            Session session = must(db.connect());
            say('o');
            char order;
            for (int next = 5000; ::read(orders_[0], &order, 1) == 1; next++) {
                if (order == 'i') {
                    must_run(session, "INSERT INTO a VALUES (" + std::to_string(next) + ", 'new')");
                } else {
                    must(db.checkpoint());
                }
                say('d');
            }
        });
        ::close(orders_[0]);
        REQUIRE(child_->hear() == 'o');
    }
    ~WritingProcess() { ::close(orders_[1]); }
    void order(char what) {
        REQUIRE(::write(orders_[1], &what, 1) == 1);
        REQUIRE(child_->hear() == 'd');
    }
    pid_t pid() const { return child_->pid(); }

private:
    int orders_[2] = {-1, -1};
    std::unique_ptr<ChildProcess> child_;
};

TEST_CASE("a second writing process is refused and told who is first; readers come in") {
    const std::string path = sample().copy("shared");
    WritingProcess writer(path);
    const Status second = Database::open(path).status();
    CHECK(second.code() == Code::kConflict);
    CHECK(second.sqlstate() == "55006");
    CHECK(mentions(second, "another process"));
    CHECK(mentions(second, std::to_string(writer.pid())));
    CHECK(mentions(second, "read-only"));

    Database reader = must(Database::open(path, {.read_only = true}));
    Session session = must(reader.connect());
    const std::string count = "SELECT count(*) FROM a";
    CHECK(must_run(session, count) == "3000|");
    writer.order('i');
    CHECK(must_run(session, count) == "3001|");
    CHECK(must_run(session, "SELECT name FROM a WHERE id = 5000") == "new|");
    // A snapshot stays what it is, whatever the writer does to the files below it.
    must_run(session, "BEGIN");
    CHECK(must_run(session, count) == "3001|");
    for (char what : {'i', 'c', 'i', 'c', 'i', 'c'}) writer.order(what);
    CHECK(must_run(session, count) == "3001|");
    CHECK(must_run(session, "SELECT sum(length(name)) FROM a WHERE id < 100") != "");
    must_run(session, "COMMIT");
    CHECK(must_run(session, count) == "3004|");

    for (const char* sql :
         {"INSERT INTO a VALUES (1000000, 'x')", "DELETE FROM a", "UPDATE a SET name = 'x'",
          "CREATE TABLE c (id INT)", "DROP TABLE a", "CHECKPOINT"}) {
        CAPTURE(sql);
        auto refused = session.execute(sql);
        CHECK(refused.status().sqlstate() == "25006");
        CHECK(refused.status().code() == Code::kReadOnly);
    }
    CHECK(must_run(session, count) == "3004|");
}

TEST_CASE("one process opens a database once") {
    const std::string path = sample().copy("twice");
    Database first = must(Database::open(path));
    const Status second = Database::open(path).status();
    CHECK(second.sqlstate() == "55006");
    CHECK(mentions(second, "already open in this process"));
}

// --- A full disk
// ---------------------------------------------------------------------------------------

// A small file system of its own, where mounting is allowed.
class SmallDisk {
public:
    SmallDisk() : path_(directory_ / "disk") {
        fs::create_directories(path_);
        mounted_ = ::mount("none", path_.c_str(), "tmpfs", 0, "size=12m") == 0;
    }
    ~SmallDisk() {
        if (mounted_) ::umount2(path_.c_str(), MNT_DETACH);
    }
    bool mounted() const { return mounted_; }
    std::string operator/(const std::string& name) const { return path_ + "/" + name; }

private:
    TestDirectory directory_;
    std::string path_;
    bool mounted_ = false;
};

// Inserts until the disk is full; the answer is how many rows were acknowledged.
int64_t fill_up(Database& db, Session& session, Status* end) {
    int64_t rows = 0;
    for (int batch = 0; batch < 10000; batch++) {
        std::string values;
        for (int i = 0; i < 500; i++) {
            values += (i ? ", (" : "(") + std::to_string(rows + i) + ", '" +
                      std::to_string((rows + i) * 2654435761 % 1000000007) +
                      " is a number that does not repeat soon')";
        }
        auto done = session.execute("INSERT INTO t VALUES " + values);
        if (!done.ok()) {
            *end = done.status();
            return rows;
        }
        rows += 500;
        if (batch % 10 == 9) {
            Status flushed = db.checkpoint();
            if (!flushed.ok()) {
                *end = flushed;
                return rows;
            }
        }
    }
    return rows;
}

TEST_CASE("a full disk refuses what does not fit and keeps what was acknowledged") {
    SmallDisk disk;
    if (!disk.mounted()) {
        MESSAGE("mounting is not allowed here; power_loss.cpp fills the disk by FaultVfs");
        return;
    }
    write_file(disk / "ballast", std::string(4 << 20, 'b'));
    int64_t acknowledged = 0;
    {
        Database db = must(Database::open(disk / "db"));
        Session session = must(db.connect());
        must_run(session, "CREATE TABLE t (id BIGINT PRIMARY KEY, text TEXT)");
        Status full;
        acknowledged = fill_up(db, session, &full);
        CHECK_MESSAGE(full.sqlstate() == "53100", full.to_string());
        CHECK(acknowledged > 0);
        CHECK(must_run(session, "SELECT count(*) FROM t") == std::to_string(acknowledged) + "|");
    }
    {
        // Still full: it opens, at least for reading, or says that the disk is full.
        auto db = Database::open(disk / "db", {.read_only = true});
        if (db.ok()) {
            Session session = must(db->connect());
            CHECK(must_run(session, "SELECT count(*) FROM t") ==
                  std::to_string(acknowledged) + "|");
        } else {
            CHECK_MESSAGE(is_disk_full(db.status()), db.status().to_string());
        }
    }
    fs::remove(disk / "ballast");
    Database db = must(Database::open(disk / "db"));
    Session session = must(db.connect());
    CHECK(must_run(session, "SELECT count(*) FROM t") == std::to_string(acknowledged) + "|");
    must_run(session, "INSERT INTO t VALUES (-1, 'there is room again')");
    must(db.checkpoint());
    CHECK(must_run(session, "SELECT text FROM t WHERE id = -1") == "there is room again|");
}

TEST_CASE("EXPORT, BACKUP and IMPORT without room say so, and nothing is lost") {
    SmallDisk disk;
    if (!disk.mounted()) {
        MESSAGE("mounting is not allowed here");
        return;
    }
    TestDirectory directory;
    Database db = must(Database::open(directory / "db"));
    Session session = must(db.connect());
    must_run(session, "CREATE TABLE t (id BIGINT PRIMARY KEY, text TEXT)");
    must_run(session,
             "INSERT INTO t SELECT i, md5(CAST(i AS TEXT)) || md5(CAST(-i AS TEXT)) "
             "FROM generate_series(1, 100000) n(i)");
    must(db.checkpoint());
    const std::string count = "SELECT count(*), max(text) FROM t";
    const std::string answer = must_run(session, count);
    must_run(session, "EXPORT DATABASE '" + directory / "out" + "'");
    write_file(disk / "ballast", std::string(10 << 20, 'b'));

    for (const char* statement : {"EXPORT DATABASE", "EXPORT CSV", "BACKUP TO"}) {
        CAPTURE(statement);
        const bool csv = std::string(statement) == "EXPORT CSV";
        const std::string sql = (csv ? "EXPORT DATABASE" : std::string(statement)) + " '" +
                                disk / "copy" + "'" + (csv ? " (FORMAT csv)" : "");
        const Status full = session.execute(sql).status();
        CHECK_MESSAGE(full.sqlstate() == "53100", full.to_string());
        CHECK(must_run(session, count) == answer);
        fs::remove_all(disk / "copy");
    }
    {
        Database small = must(Database::open(disk / "db"));
        Session there = must(small.connect());
        must_run(there, "CREATE TABLE mine (id INT)");
        const std::string import = "IMPORT DATABASE '" + directory / "out" + "'";
        const Status full = there.execute(import).status();
        CHECK_MESSAGE(full.sqlstate() == "53100", full.to_string());
        CHECK(must_run(there,
                       "SELECT table_name FROM information_schema.tables WHERE "
                       "table_schema = 'public'") == "mine|");
    }
    fs::remove(disk / "ballast");
    Database small = must(Database::open(disk / "db"));
    Session there = must(small.connect());
    CHECK(must_run(there, "SELECT count(*) FROM mine") == "0|");
    must_run(there, "CREATE TABLE room (id INT)");
}

}  // namespace
}  // namespace trefoil
