// Keeping house through the public interface: what is written while a backup is made is in it as a
// whole or not at all, a disk that is full loses nothing, and limits hold.

#include <doctest/doctest.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>

#include "trefoil/database.h"

namespace trefoil {
namespace {

namespace fs = std::filesystem;

class Folder {
public:
    Folder() {
        std::string name = (fs::temp_directory_path() / "trefoil_house_XXXXXX").string();
        REQUIRE(::mkdtemp(name.data()) != nullptr);
        path_ = name;
    }
    ~Folder() {
        if (mounted_) ::umount2((path_ / "small").c_str(), MNT_DETACH);
        fs::remove_all(path_);
    }
    std::string operator/(const std::string& name) const { return (path_ / name).string(); }

    // "small" becomes a file system of so many megabytes; false where mounting is not allowed.
    bool mount_small(int megabytes) {
        fs::create_directory(path_ / "small");
        const std::string size = "size=" + std::to_string(megabytes) + "m";
        mounted_ = ::mount("none", (path_ / "small").c_str(), "tmpfs", 0, size.c_str()) == 0;
        return mounted_;
    }

private:
    fs::path path_;
    bool mounted_ = false;
};

Database open(const std::string& path, const OpenOptions& options = {}) {
    auto db = Database::open(path, options);
    REQUIRE_MESSAGE(db.ok(), db.status().to_string());
    return std::move(*db);
}

// All rows, fields joined by "|", rows by " ".
Result<std::string> ask(Session& session, const std::string& sql) {
    auto rows = session.execute(sql);
    if (!rows.ok()) return rows.status();
    std::string text;
    for (;;) {
        auto batch = rows->next();
        if (!batch.ok()) return batch.status();
        if (!batch->has_value()) return text;
        for (int64_t r = 0; r < (*batch)->row_count(); r++) {
            if (!text.empty()) text += " ";
            for (int32_t c = 0; c < (*batch)->column_count(); c++) {
                text += (c ? "|" : "") + std::string((*batch)->text(r, c));
            }
        }
    }
}

std::string must(Session& session, const std::string& sql) {
    auto answer = ask(session, sql);
    REQUIRE_MESSAGE(answer.ok(), sql << ": " << answer.status().to_string());
    return *answer;
}

std::string check(Session& session) {
    return must(session, "PRAGMA integrity_check");
}

uint64_t bytes_in(const std::string& path) {
    uint64_t bytes = 0;
    for (const char* kind : {"seg", "idx"}) {
        for (const auto& entry : fs::directory_iterator(path + "/" + kind)) {
            std::error_code gone;
            const auto size = entry.file_size(gone);
            if (!gone) bytes += size;
        }
    }
    return bytes;
}

const char* kAccounts =
    "CREATE TABLE account (id BIGINT PRIMARY KEY, name TEXT UNIQUE, balance BIGINT)";
const char* kFill =
    "INSERT INTO account SELECT x, 'account number ' || CAST(x AS TEXT), 100 "
    "FROM generate_series(1, 20000) g(x)";

TEST_CASE("a backup is one moment of a database that goes on being written") {
    Folder folder;
    Database db = open(folder / "db");
    Session session = *db.connect();
    must(session, kAccounts);
    must(session, kFill);
    must(session, "CHECKPOINT");
    std::atomic<bool> stop{false};
    std::atomic<int> failed{0}, transfers{0};
    std::thread writer([&] {
        Session own = *db.connect();
        for (int i = 0; !stop; i++) {
            const std::string from = std::to_string(1 + i * 7919 % 20000);
            const std::string to = std::to_string(1 + i * 104729 % 20000);
            for (const std::string& sql :
                 {std::string("BEGIN"),
                  "UPDATE account SET balance = balance - 5 WHERE id = " + from,
                  "UPDATE account SET balance = balance + 5 WHERE id = " + to,
                  std::string("COMMIT")}) {
                failed += !ask(own, sql).ok();
            }
            if (i % 50 == 49) failed += !ask(own, "CHECKPOINT").ok();
            transfers++;
        }
    });
    for (int n = 0; n < 4; n++) {
        must(session, "BACKUP TO '" + (folder / ("backup" + std::to_string(n))) + "'");
        const int before = transfers;
        while (transfers < before + 20 && failed == 0) std::this_thread::yield();
    }
    must(session, "VACUUM");
    stop = true;
    writer.join();
    CHECK(failed == 0);
    must(session, "DROP TABLE account");
    for (int n = 0; n < 4; n++) {
        // A backup is a database like any other, to be read and to be written.
        Database copy = open(folder / ("backup" + std::to_string(n)), {.read_only = n < 2});
        Session reader = *copy.connect();
        CHECK(must(reader, "SELECT count(*), sum(balance) FROM account") == "20000|2000000");
        CHECK(must(reader, "SELECT id FROM account WHERE name = 'account number 77'") == "77");
        CHECK(check(reader) == "ok");
        if (n >= 2) must(reader, "UPDATE account SET balance = 0 WHERE id = 1");
    }
    // What is in memory can be put on a disk in the same way.
    Database memory = open("");
    Session inside = *memory.connect();
    must(inside, kAccounts);
    must(inside, kFill);
    must(inside, "CHECKPOINT");
    must(inside, "BACKUP TO '" + (folder / "from_memory") + "'");
    Database copy = open(folder / "from_memory");
    Session reader = *copy.connect();
    CHECK(must(reader, "SELECT count(*), sum(balance) FROM account") == "20000|2000000");
}

TEST_CASE("damage is named by CHECK DATABASE while the database is open") {
    Folder folder;
    Database db = open(folder / "db");
    Session session = *db.connect();
    must(session, kAccounts);
    must(session, kFill);
    must(session, "CHECKPOINT");
    CHECK(must(session, "CHECK DATABASE").starts_with("database|ok|1 tables, 20000 rows, "));
    const fs::path file = fs::directory_iterator(folder / "db/seg")->path();
    std::fstream bytes(file, std::ios::in | std::ios::out | std::ios::binary);
    bytes.seekp(70000);
    bytes.put('\x55');
    bytes.close();
    const std::string found = must(session, "CHECK DATABASE");
    CHECK(found.starts_with("seg/" + file.filename().string() + "|checksum|"));
    CHECK(check(session).find("checksum") != std::string::npos);
}

TEST_CASE("space comes back, also what updates and drops leave, without a statement that asks") {
    Folder folder;
    Database db = open(folder / "db");
    Session session = *db.connect();
    must(session, kAccounts);
    must(session, kFill);
    must(session, "CREATE TABLE other (id BIGINT PRIMARY KEY)");
    must(session, "INSERT INTO other SELECT x * 3 FROM generate_series(1, 20000) g(x)");
    must(session, "CHECKPOINT");
    const uint64_t full = bytes_in(folder / "db");
    must(session, "DROP TABLE other");
    must(session, "DELETE FROM account WHERE id % 10 <> 0");
    bool shrunk = false;
    for (int i = 0; i < 1000 && !shrunk; i++) {
        ::usleep(20000);
        shrunk = bytes_in(folder / "db") < full / 3;
    }
    CHECK(shrunk);
    CHECK(must(session, "SELECT count(*) FROM account") == "2000");
    CHECK(check(session) == "ok");
}

TEST_CASE("a disk that is full refuses to keep house, and loses nothing") {
    Folder folder;
    if (!folder.mount_small(14)) {
        MESSAGE("mounting is not allowed here; storage/backup_test.cpp fills the disk by FaultVfs");
        return;
    }
    {
        Database db = open(folder / "small/db");
        Session session = *db.connect();
        must(session, kAccounts);
        must(session, kFill);
        must(session, "CHECKPOINT");
        must(session, "DELETE FROM account WHERE id % 2 = 0");
        // What is left is too little for a second copy of anything.
        const auto left = fs::space(folder / "small").available;
        REQUIRE(left > 100000);
        std::ofstream(folder / "small/ballast") << std::string(left - 40000, 'b');
        CHECK(ask(session, "VACUUM").status().sqlstate() == "53100");
        CHECK(must(session, "SELECT count(*) FROM account") == "10000");
        auto exported = ask(session, "EXPORT DATABASE '" + (folder / "small/out") + "'");
        CHECK_MESSAGE(exported.status().sqlstate() == "53100", exported.status().to_string());
        // Links take no room, but the root is copied.
        auto backup = ask(session, "BACKUP TO '" + (folder / "small/backup") + "'");
        if (!backup.ok()) CHECK(backup.status().sqlstate() == "53100");
        if (!backup.ok()) CHECK_FALSE(fs::exists(folder / "small/backup/root/data.mdb"));
        fs::remove(folder / "small/ballast");
        CHECK(must(session, "SELECT count(*) FROM account") == "10000");
    }
    Database db = open(folder / "small/db");
    Session session = *db.connect();
    CHECK(must(session, "SELECT count(*) FROM account") == "10000");
    CHECK(check(session) == "ok");
    must(session, "VACUUM");
    must(session, "BACKUP TO '" + (folder / "elsewhere") + "'");
    Database copy = open(folder / "elsewhere");
    Session reader = *copy.connect();
    CHECK(must(reader, "SELECT count(*) FROM account") == "10000");
}

TEST_CASE("what queries spill is limited, and memory can be given while the database is open") {
    Folder folder;
    Database db = open(folder / "db", {.memory_limit_bytes = 64 << 20, .threads = 2});
    Session session = *db.connect();
    const std::string sort =
        "SELECT count(*) FROM (SELECT x, repeat('text ', 20) || CAST(x AS TEXT) AS t, "
        "row_number() OVER (ORDER BY x * 7919 % 1000003, x) AS n "
        "FROM generate_series(1, 1000000) g(x)) q WHERE n > 10 AND t <> ''";
    must(session, "SET temp_space_limit = '1MB'");
    auto refused = ask(session, sort);
    CHECK_MESSAGE(refused.status().sqlstate() == "53400", refused.status().to_string());
    must(session, "SET temp_space_limit = '2GB'");
    CHECK(must(session, sort) == "999990");
    must(session, "SET temp_space_limit = 0");
    CHECK(ask(session, sort).status().sqlstate() == "53400");
    must(session, "SET memory_limit = '2GB'");
    CHECK(must(session, sort) == "999990");
    CHECK(must(session, "SHOW memory_limit") == "2GB");
}

}  // namespace
}  // namespace trefoil
