// check_root_in_child: LMDB trusts its pages. On damaged ones it may answer with an error, fail an
// assertion, or touch what it should not. So that the process of the user survives that, a forked
// child reads everything first and reports through a pipe: nothing and a good exit, a message, or
// death.

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <string>

#include "storage/lmdb_root.h"

namespace trefoil {
namespace {

constexpr char kGood = 'g';

void write_all(int fd, std::string_view text) {
    while (!text.empty()) {
        ssize_t n = ::write(fd, text.data(), text.size());
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return;
        text.remove_prefix(static_cast<size_t>(n));
    }
}

// The answer is a letter, then code, SQLSTATE and message if it is not good, then a zero byte.
std::string answer_of(const Status& status) {
    std::string answer(1, kGood);
    if (!status.ok()) {
        answer = "b" + std::string(1, static_cast<char>(status.code())) +
                 std::string(status.sqlstate()) + status.message();
    }
    return answer + '\0';
}

// Every descriptor of the parent but `kept`: a child that outlives a killed parent would otherwise
// hold the lock of the database, and any socket and pipe of the host.
void close_others(int kept) {
    ::close_range(STDERR_FILENO + 1, static_cast<unsigned>(kept) - 1, 0);
    ::close_range(static_cast<unsigned>(kept) + 1, ~0u, 0);
}

[[noreturn]] void run_child(const std::string& directory, uint64_t map_bytes, int fd,
                            pid_t parent) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) ::_exit(0);  // it died before we could ask to die with it
    close_others(fd);
    for (int signal_number : {SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL, SIGINT, SIGTERM}) {
        ::signal(signal_number, SIG_DFL);
    }
    rlimit no_core = {0, 0};
    ::setrlimit(RLIMIT_CORE, &no_core);
    int null = ::open("/dev/null", O_WRONLY);
    if (null >= 0) ::dup2(null, STDERR_FILENO);  // LMDB's assertion texts
    PosixVfs
        vfs;  // a lock in the caller's Vfs could be held by a thread that the child does not have
    Status status;
    {
        auto root = LmdbRoot::open(vfs, directory, /*read_only=*/true, /*create=*/false, map_bytes);
        status = root.ok() ? (*root)->verify() : root.status();
    }
    write_all(fd, answer_of(status));
    ::_exit(0);
}

std::string read_all(int fd) {
    std::string text;
    char part[512];
    for (;;) {
        ssize_t n = ::read(fd, part, sizeof part);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return "";  // it died
        text.append(part, static_cast<size_t>(n));
        if (text.back() == '\0') {
            text.pop_back();
            return text;
        }
    }
}

}  // namespace

Status check_root_in_child(const std::string& directory, uint64_t map_bytes) {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) return status_from_errno(errno, "check", directory);
    const pid_t parent = ::getpid();
    pid_t child = ::fork();
    if (child < 0) {
        int error = errno;
        ::close(ends[0]);
        ::close(ends[1]);
        return status_from_errno(error, "check", directory);
    }
    if (child == 0) {
        run_child(directory, map_bytes, ends[1], parent);
    }
    ::close(ends[1]);
    std::string answer = read_all(ends[0]);
    ::close(ends[0]);
    // The answer decides; a host that ignores SIGCHLD has no exit code for us.
    while (::waitpid(child, nullptr, 0) < 0 && errno == EINTR) {
    }
    if (answer == std::string(1, kGood)) return {};
    if (answer.size() < 7) {
        return Status::corruption("the root of the database is damaged: " + directory +
                                  "/data.mdb cannot be read");
    }
    return Status(static_cast<Code>(answer[1]), answer.substr(2, 5), answer.substr(7));
}

}  // namespace trefoil
