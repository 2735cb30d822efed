// Tables on a disk that fails: at every call in turn, or by a loss of power at any moment.
//
// After each of them the database must open and hold exactly what was acknowledged, or one step
// more, with whole files and no orphans. Control runs, in which a barrier is missing, must be
// caught by the very same check; otherwise the check would prove nothing.
//
// TREFOIL_CRASH_SEED chooses other moments for the power losses.

#include <cstdlib>
#include <random>

#include "storage/fault_vfs.h"
#include "storage/record_vfs.h"
#include "table_workload.h"

namespace trefoil::table {
namespace {

uint64_t seed() {
    return setting("TREFOIL_CRASH_SEED", 20240229);
}

// Nothing here needs a real disk, and there are thousands of syncs.
[[maybe_unused]] const int kInMemory =
    ::access("/dev/shm", W_OK) == 0 ? ::setenv("TMPDIR", "/dev/shm", 0) : 0;

// Steps without the one that stages rows in files are quick enough to fail each of their calls.
constexpr int kShortRun = Stepper::kStagingStep;

// Runs the workload with a fault at each of its calls.
void fail_at_every_call(Fault fault, int steps, uint64_t stride = 1) {
    PosixVfs disk;
    bool fired = true;
    uint64_t runs = 0;
    for (fault.call = 1; fired; fault.call += stride) {
        CAPTURE(fault.call);
        TestDirectory directory;
        FaultVfs faulty(disk);
        faulty.arm(fault);
        int acknowledged = 0;
        Status status =
            run_steps(faulty, directory / "db", 0, steps, [&](int done) { acknowledged = done; });
        fired = faulty.fired();
        if (!fired) must(status);
        if (!status.ok()) CHECK_MESSAGE(status.code() != Code::kCorruption, status.to_string());
        std::string problem = problem_at(directory / "db", acknowledged);
        CHECK(problem == "");
        ++runs;
    }
    CHECK(runs > 1);
}

TEST_CASE("an error at any call leaves what was acknowledged") {
    SUBCASE("input/output error, once") {
        fail_at_every_call({.error = EIO}, kShortRun);
    }
    SUBCASE("the disk is full from there on") {
        fail_at_every_call({.sticky = true, .effect = Fault::Effect::kShort, .error = ENOSPC},
                           kShortRun);
    }
}

TEST_CASE("an error of any kind of call leaves what was acknowledged, staged files and all") {
    struct Kind {
        VfsOp op;
        uint64_t stride;
    };
    for (Kind kind :
         {Kind{VfsOp::kOpen, 1}, Kind{VfsOp::kWrite, 29}, Kind{VfsOp::kSync, 1},
          Kind{VfsOp::kSyncDir, 1}, Kind{VfsOp::kRename, 1}, Kind{VfsOp::kRemove, 1},
          Kind{VfsOp::kMap, 3}, Kind{VfsOp::kRootCommit, 1}, Kind{VfsOp::kRootCopy, 1}}) {
        CAPTURE(name_of(kind.op));
        fail_at_every_call({.op = kind.op, .error = EIO}, Stepper::kSteps, kind.stride);
    }
}

// The fault is gone when the step that met it is run again.
void fail_once_at_every_call(int steps, uint64_t stride) {
    PosixVfs disk;
    bool fired = true;
    uint64_t finished = 0, stopped = 0;
    for (uint64_t call = 1; fired; call += stride) {
        CAPTURE(call);
        TestDirectory directory;
        FaultVfs faulty(disk);
        faulty.arm({.call = call, .error = ENOSPC});
        int acknowledged = 0;
        Status status = run_steps(
            faulty, directory / "db", 0, steps, [&](int done) { acknowledged = done; },
            [&] { faulty.disarm(); });
        fired = faulty.fired();
        (status.ok() ? finished : stopped)++;
        if (!status.ok()) CHECK_MESSAGE(status.code() != Code::kCorruption, status.to_string());
        std::string problem = problem_at(directory / "db", acknowledged);
        CHECK(problem == "");
    }
    CHECK(finished > stopped / 4);
}

TEST_CASE("an error that has gone away: the same open store finishes, or stops and says so") {
    SUBCASE("at any call") {
        fail_once_at_every_call(kShortRun, 1);
    }
    SUBCASE("with staged files") {
        fail_once_at_every_call(Stepper::kSteps, 19);
    }
}

void kill_before_every_call(int steps, uint64_t stride) {
    bool killed = true;
    for (uint64_t call = 1; killed; call += stride) {
        CAPTURE(call);
        TestDirectory directory;
        ChildProcess child([&](const ChildProcess::Say& say) {
            PosixVfs disk;
            FaultVfs faulty(disk);
            faulty.arm({.call = call, .effect = Fault::Effect::kKill});
            must(run_steps(faulty, directory / "db", 0, steps,
                           [&](int done) { say(static_cast<char>(done)); }));
        });
        int acknowledged = 0;
        while (std::optional<char> done = child.hear()) acknowledged = *done;
        killed = child.wait() == -SIGKILL;
        std::string problem = problem_at(directory / "db", acknowledged);
        CHECK(problem == "");
    }
}

TEST_CASE("kill -9 before any call leaves what was acknowledged") {
    SUBCASE("at any call") {
        kill_before_every_call(kShortRun, 1);
    }
    SUBCASE("with staged files") {
        kill_before_every_call(Stepper::kSteps, 23);
    }
}

TEST_CASE("an error at any call of a reopening leaves everything") {
    TestDirectory directory;
    PosixVfs disk;
    must(run_steps(disk, directory / "db", 0, Stepper::kDropStep, [](int) {}));
    const Contents before = expected_contents()[Stepper::kDropStep];
    bool fired = true;
    for (uint64_t call = 1; fired; ++call) {
        CAPTURE(call);
        FaultVfs faulty(disk);
        faulty.arm({.call = call, .error = EIO});
        {
            auto tables = open_tables(faulty, directory / "db");
            auto contents = tables.ok() ? contents_of(**tables) : tables.status();
            if (contents.ok()) CHECK(*contents == before);
            CHECK_MESSAGE(contents.status().code() != Code::kCorruption,
                          contents.status().to_string());
            fired = faulty.fired();
        }
        auto tables = must(open_tables(disk, directory / "db"));
        CHECK(must(contents_of(*tables)) == before);
    }
}

// --- Power losses
// -------------------------------------------------------------------------------------

struct Tally {
    int states = 0, wrong = 0;
};

struct Outage {
    int steps = Stepper::kSteps;
    std::optional<VfsOp> lie;  // this kind of call is not done, although it says so
    size_t tries = SIZE_MAX;   // moments to look at: all, or so many at random
};

// The states that a power loss during the workload can leave, as RecordVfs models the disk.
Tally lose_power(const Outage& outage) {
    TestDirectory directory;
    PosixVfs disk;
    RecordVfs recorded(disk, directory / "db");
    FaultVfs liar(recorded);
    if (outage.lie) {
        liar.arm({.op = *outage.lie, .sticky = true, .effect = Fault::Effect::kLie});
    }
    must(disk.make_dir(directory / "states"));
    std::vector<std::pair<size_t, int>> acknowledged = {{0, 0}};
    std::set<size_t> moments;
    must(run_steps(liar, directory / "db", 0, outage.steps, [&](int done) {
        acknowledged.emplace_back(recorded.events(), done);
        moments.insert(recorded.events());  // the worst moment: just acknowledged
    }));
    std::mt19937_64 random(seed());
    for (size_t n = 0; n <= recorded.events(); ++n) {
        if (random() % (recorded.events() + 1) < outage.tries) moments.insert(n);
    }
    using Loss = PowerLoss::Loss;
    Tally tally;
    size_t at = 0;
    for (size_t n : moments) {
        while (at + 1 < acknowledged.size() && acknowledged[at + 1].first <= n) ++at;
        for (PowerLoss how :
             {PowerLoss{Loss::kKeepAll, 0}, PowerLoss{Loss::kDropAll, 0},
              PowerLoss{Loss::kDropBytes, 0}, PowerLoss{Loss::kDropNames, 0},
              PowerLoss{Loss::kRandom, seed() + n}, PowerLoss{Loss::kRandom, seed() + 2 * n}}) {
            const std::string path = directory / ("states/" + std::to_string(tally.states++));
            must(recorded.rebuild(disk, path, n, how));
            std::string problem = problem_at(path, acknowledged[at].second, /*stride=*/7);
            if (!problem.empty()) ++tally.wrong;
            if (!problem.empty() && !outage.lie) {
                MESSAGE("seed " << seed() << ", event " << n << ", loss "
                                << static_cast<int>(how.loss) << ": " << problem);
            }
            must(remove_tree(disk, path));
        }
    }
    return tally;
}

TEST_CASE("no power loss loses an acknowledged commit or shows a broken file") {
    Tally small = lose_power({.steps = kShortRun, .lie = std::nullopt});
    CHECK(small.wrong == 0);
    CHECK(small.states > 200);
    Tally whole = lose_power({.lie = std::nullopt, .tries = 25});
    CHECK(whole.wrong == 0);
    CHECK(whole.states > 100);
}

TEST_CASE("control: without the sync of files the same check finds broken states") {
    CHECK(lose_power({.steps = kShortRun, .lie = VfsOp::kSync, .tries = 40}).wrong > 0);
}

TEST_CASE("control: without the sync of directories the same check finds broken states") {
    CHECK(lose_power({.steps = kShortRun, .lie = VfsOp::kSyncDir, .tries = 40}).wrong > 0);
}

}  // namespace
}  // namespace trefoil::table
