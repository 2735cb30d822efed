// What the tests of this room share: a directory that is gone afterwards, and short ways to say
// things.

#pragma once

#include "base/check.h"
#undef CHECK  // here it is doctest's
#include <doctest/doctest.h>

#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "storage/open_stores.h"
#include "storage/store.h"

namespace trefoil {

class TestDirectory {
public:
    TestDirectory() {
        const char* tmp = ::getenv("TMPDIR");
        path_ = std::string(tmp != nullptr ? tmp : "/tmp") + "/trefoil_storage_XXXXXX";
        if (::mkdtemp(path_.data()) == nullptr) std::abort();
    }
    ~TestDirectory() { (void)remove_tree(disk_, path_); }
    std::string operator/(const std::string& name) const { return path_ + "/" + name; }

private:
    PosixVfs disk_;
    std::string path_;
};

// The value of a Result, or a failed test that shows the error.
template <typename T>
T must(Result<T> result) {
    if (!result.ok()) FAIL(result.status().to_string());
    return std::move(result).value();
}
inline void must(const Status& status) {
    if (!status.ok()) FAIL(status.to_string());
}

// How much a test does, or its seed: the number in this environment variable, if it is set.
inline uint64_t setting(const char* name, uint64_t otherwise) {
    const char* given = ::getenv(name);
    return given != nullptr ? std::strtoull(given, nullptr, 10) : otherwise;
}

inline bool mentions(const Status& status, std::string_view words) {
    return status.to_string().find(words) != std::string::npos;
}

inline std::unique_ptr<Store> open_store(Vfs& vfs, const std::string& path) {
    return must(Store::open(vfs, path, {.create_if_missing = true, .map_bytes = 1 << 28}));
}

inline Status put_one(Store& store, Keyspace keyspace, Bytes key, Bytes value) {
    ASSIGN_OR_RETURN(WriteTransaction txn, store.begin_write());
    RETURN_IF_ERROR(txn.put(keyspace, key, value));
    return txn.commit();
}

using Contents = std::map<std::string, std::string>;

inline Result<Contents> contents_of(const ReadTransaction& txn, Keyspace keyspace,
                                    const KeyRange& range = KeyRange::all()) {
    Contents contents;
    RETURN_IF_ERROR(txn.for_each(keyspace, range, [&](Bytes key, Bytes value) -> Result<Visit> {
        contents.emplace(key, value);
        return Visit::kNext;
    }));
    return contents;
}

inline std::string read_file(const std::string& path) {
    PosixVfs disk;
    auto file = must(disk.open(path, OpenMode::kRead));
    std::string bytes(must(file->size()), '\0');
    must(file->read(0, bytes));
    return bytes;
}

inline void write_file(const std::string& path, Bytes bytes) {
    PosixVfs disk;
    (void)disk.remove(path);
    must(must(disk.open(path, OpenMode::kCreate))->write(0, bytes));
}

// Another process, which runs `body` and is killed at the end of this object if it still lives.
// The body talks to the test by say(); a failed must() in it ends it with code 99.
class ChildProcess {
public:
    using Say = std::function<void(char)>;
    explicit ChildProcess(const std::function<void(const Say& say)>& body) {
        int ends[2];
        if (::pipe(ends) != 0) std::abort();
        pid_ = ::fork();
        if (pid_ == 0) {
            ::close(ends[0]);
            int code = 0;
            try {
                body([fd = ends[1]](char byte) { (void)!::write(fd, &byte, 1); });
            } catch (...) {
                code = 99;
            }
            ::_exit(code);
        }
        ::close(ends[1]);
        fd_ = ends[0];
    }
    ~ChildProcess() {
        if (pid_ > 0) kill();
        ::close(fd_);
    }
    // The next byte that the body says, or nothing if it has ended.
    std::optional<char> hear() {
        char byte;
        if (::read(fd_, &byte, 1) == 1) return byte;
        return std::nullopt;
    }
    void kill() {
        ::kill(pid_, SIGKILL);
        (void)wait();
    }
    // The exit code, or minus the signal that ended it.
    int wait() {
        int status = 0;
        ::waitpid(pid_, &status, 0);
        pid_ = -1;
        return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
    }
    pid_t pid() const { return pid_; }

private:
    pid_t pid_ = -1;
    int fd_ = -1;
};

}  // namespace trefoil
