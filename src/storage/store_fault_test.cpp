// Crash safety: two workloads, and every way in which the world below them can fail.
//
// One publishes data files and commits that name them, drops one again, and copies the root; the
// other writes to the commit log, through the root and through files. After a failed, killed or
// powerless run the store must open and hold a prefix of the commits: all that were acknowledged,
// at most one more, and every file that it names whole. Control runs, in which a barrier is
// missing, must be caught by the same check; otherwise the check would prove nothing.

#include <chrono>
#include <random>

#include "storage/commit_log.h"
#include "storage/fault_vfs.h"
#include "storage/record_vfs.h"
#include "storage/storage_testing.h"

namespace trefoil {
namespace {

constexpr int kRounds = 4;
constexpr StoreOptions kOptions = {
    .create_if_missing = true, .map_bytes = 1 << 24, .check_root = false};
using Acknowledge = std::function<void(int commits)>;

std::string payload(int round) {
    return std::string(3000 + 70000 * (round % 2), 'a' + round % 26);
}

Status publish(Store& store, int round) {
    ASSIGN_OR_RETURN(auto writer, store.create_file(FileKind::kSegment));
    RETURN_IF_ERROR(writer->append(payload(round)).status());
    RETURN_IF_ERROR(writer->finish("round"));
    ASSIGN_OR_RETURN(WriteTransaction txn, store.begin_write());
    std::string id = std::to_string(writer->id());
    RETURN_IF_ERROR(txn.put(Keyspace::kManifest, std::to_string(round), id));
    std::vector<Bytes> records = {"redo"};
    RETURN_IF_ERROR(CommitLog().append(txn, static_cast<uint64_t>(round) + 1, records));
    // Round 2 also replaces what round 0 has written.
    FileId replaced = 0;
    if (round == 2) {
        ASSIGN_OR_RETURN(Bytes first, txn.get(Keyspace::kManifest, "0"));
        replaced = std::stoull(std::string(first));
        RETURN_IF_ERROR(txn.erase(Keyspace::kManifest, "0"));
    }
    RETURN_IF_ERROR(txn.commit());
    return round == 2 ? store.remove_file(FileKind::kSegment, replaced) : Status();
}

Result<std::set<FileName>> live_files(const ReadTransaction& txn) {
    std::set<FileName> live;
    ASSIGN_OR_RETURN(Contents manifest, contents_of(txn, Keyspace::kManifest));
    for (const auto& [round, id] : manifest) live.insert({FileKind::kSegment, std::stoull(id)});
    return live;
}

Status run_rounds(Store& store, int from, int to, const Acknowledge& acknowledge) {
    for (int round = from; round < to; ++round) {
        RETURN_IF_ERROR(publish(store, round));
        acknowledge(round + 1);
        if (round == 1) RETURN_IF_ERROR(store.backup_root());
    }
    return {};
}

Status run_publishing(Vfs& vfs, const std::string& path, const Acknowledge& acknowledge) {
    ASSIGN_OR_RETURN(auto store, Store::open(vfs, path, kOptions));
    return run_rounds(*store, 0, kRounds, acknowledge);
}

// "" if the store at `path` is what `acknowledged` commits, or one more, must have left.
std::string problem_of_publishing(const std::string& path, int acknowledged) {
    PosixVfs disk;
    auto opened = Store::open(disk, path, kOptions);
    if (!opened.ok()) return opened.status().to_string();
    Store& store = **opened;
    auto txn = store.begin_read();
    if (!txn.ok()) return txn.status().to_string();
    auto last = CommitLog().last_xid(*txn);
    if (!last.ok()) return last.status().to_string();
    int commits = static_cast<int>(last->value_or(0));
    if (commits < acknowledged) return "acknowledged commits are lost";
    if (commits > acknowledged + 1) return "there are commits from nowhere";
    auto manifest = contents_of(*txn, Keyspace::kManifest);
    if (!manifest.ok()) return manifest.status().to_string();
    for (int round = 0; round < commits; ++round) {
        auto entry = manifest->find(std::to_string(round));
        bool replaced = round == 0 && commits > 2;
        if ((entry == manifest->end()) != replaced) return "the manifest is wrong";
        if (replaced) continue;
        auto file = store.open_file(FileKind::kSegment, std::stoull(entry->second));
        if (!file.ok()) return file.status().to_string();
        if (Status s = (*file)->verify_all(); !s.ok()) return s.to_string();
        if (*(*file)->read(4096, payload(round).size()) != payload(round)) return "wrong bytes";
    }
    auto live = live_files(*txn);
    auto swept = store.sweep_orphans(*live);
    if (!swept.ok()) return swept.status().to_string();
    // It must also go on from here.
    Status more = run_rounds(store, commits, commits + 1, [](int) {});
    return more.ok() ? "" : more.to_string();
}

constexpr StoreOptions kLogOptions = {.create_if_missing = true,
                                      .map_bytes = 1 << 24,
                                      .check_root = false,
                                      .log_file_after = 1,
                                      .log_file_bytes = 4096};
constexpr uint64_t kLogRounds = 14;

std::string record_of(uint64_t xid) {
    return std::string(10 + 400 * (xid % 3), static_cast<char>('a' + xid % 26));
}

// Commit `xid` changes the log alone, but for the fifth, which has a key in the manifest, and the
// tenth, which erases what is before the eighth. The file is too small for all of them.
Status commit_to_log(Store& store, uint64_t xid) {
    ASSIGN_OR_RETURN(WriteTransaction txn, store.begin_write());
    if (xid == 5) RETURN_IF_ERROR(txn.put(Keyspace::kManifest, "five", "5"));
    if (xid == 10) RETURN_IF_ERROR(CommitLog().erase_up_to(txn, 7));
    const std::string text = record_of(xid);
    RETURN_IF_ERROR(CommitLog().append(txn, xid, std::vector<Bytes>{text}));
    return txn.commit();
}

Status run_logging(Vfs& vfs, const std::string& path, const Acknowledge& acknowledge) {
    ASSIGN_OR_RETURN(auto store, Store::open(vfs, path, kLogOptions));
    for (uint64_t xid = 1; xid <= kLogRounds; ++xid) {
        RETURN_IF_ERROR(commit_to_log(*store, xid));
        acknowledge(static_cast<int>(xid));
    }
    return {};
}

std::string problem_of_logging(const std::string& path, int acknowledged) {
    PosixVfs disk;
    auto opened = Store::open(disk, path, kLogOptions);
    if (!opened.ok()) return opened.status().to_string();
    Store& store = **opened;
    uint64_t last = 0, first = 0;
    {
        auto txn = store.begin_read();
        if (!txn.ok()) return txn.status().to_string();
        bool good = true;
        Status read = CommitLog().read_from(*txn, 0, [&](uint64_t xid, Bytes record) {
            good = good && record == record_of(xid) && (last == 0 || xid == last + 1);
            if (first == 0) first = xid;
            last = xid;
            return Status();
        });
        if (!read.ok()) return read.to_string();
        if (!good) return "a record is wrong, or missing";
        auto five = txn->find(Keyspace::kManifest, "five");
        if (!five.ok()) return five.status().to_string();
        if (five->has_value() != (last >= 5)) return "half of the fifth commit";
    }
    if (last != 0 && first != (last >= 10 ? 8 : 1)) return "the log begins where it should not";
    if (last < static_cast<uint64_t>(acknowledged)) return "acknowledged commits are lost";
    if (last > static_cast<uint64_t>(acknowledged) + 1) return "there are commits from nowhere";
    // It must also go on from here.
    for (uint64_t xid = last + 1; xid <= last + 4; ++xid) {
        Status more = commit_to_log(store, xid);
        if (!more.ok()) return more.to_string();
    }
    return "";
}

struct Workload {
    const char* name;
    Status (*run)(Vfs& vfs, const std::string& path, const Acknowledge& acknowledge);
    std::string (*problem_at)(const std::string& path, int acknowledged);
};
constexpr Workload kWorkloads[] = {{"publishing", run_publishing, problem_of_publishing},
                                   {"logging", run_logging, problem_of_logging}};

// Runs the workload with a fault at each of its calls, in this process.
void fail_at_every_call(const Workload& workload, Fault fault) {
    PosixVfs disk;
    bool fired = true;
    for (fault.call = 1; fired; ++fault.call) {
        CAPTURE(fault.call);
        TestDirectory directory;
        FaultVfs faulty(disk);
        faulty.arm(fault);
        int acknowledged = 0;
        Status status =
            workload.run(faulty, directory / "db", [&](int commits) { acknowledged = commits; });
        fired = faulty.fired();
        if (!fired) must(status);
        if (!status.ok()) CHECK(status.code() != Code::kCorruption);
        std::string problem = workload.problem_at(directory / "db", acknowledged);
        CHECK(problem == "");
    }
    CHECK(fault.call > 2);
}

void fail_at_every_call(Fault fault) {
    for (const Workload& workload : kWorkloads) {
        CAPTURE(workload.name);
        fail_at_every_call(workload, fault);
    }
}

TEST_CASE("an error at any call leaves the acknowledged commits and a store that opens") {
    SUBCASE("input/output error") {
        fail_at_every_call({.error = EIO});
    }
    SUBCASE("from there on") {
        fail_at_every_call({.sticky = true, .error = EIO});
    }
    SUBCASE("disk full") {
        fail_at_every_call({.sticky = true, .effect = Fault::Effect::kShort, .error = ENOSPC});
    }
}

TEST_CASE("an error of any one kind of call leaves the acknowledged commits") {
    for (VfsOp op : {VfsOp::kOpen, VfsOp::kWrite, VfsOp::kSync, VfsOp::kSyncDir, VfsOp::kRename,
                     VfsOp::kRootCommit}) {
        CAPTURE(name_of(op));
        fail_at_every_call({.op = op, .error = ENOSPC});
    }
}

TEST_CASE("an error at any call of a reopen leaves everything") {
    for (const Workload& workload : kWorkloads) {
        CAPTURE(workload.name);
        bool fired = true;
        for (uint64_t call = 1; fired; ++call) {
            CAPTURE(call);
            TestDirectory directory;
            PosixVfs disk;
            int acknowledged = 0;
            must(
                workload.run(disk, directory / "db", [&](int commits) { acknowledged = commits; }));
            FaultVfs faulty(disk);
            faulty.arm({.call = call, .error = EIO});
            auto store = Store::open(faulty, directory / "db", kOptions);
            if (store.ok()) {
                auto txn = must((*store)->begin_read());
                (void)(*store)->sweep_orphans(must(live_files(txn)));
            }
            fired = faulty.fired();
            if (store.ok()) store->reset();
            std::string problem = workload.problem_at(directory / "db", acknowledged);
            CHECK(problem == "");
        }
    }
}

TEST_CASE("kill -9 before any call leaves the acknowledged commits") {
    for (const Workload& workload : kWorkloads) {
        CAPTURE(workload.name);
        bool killed = true;
        for (uint64_t call = 1; killed; ++call) {
            CAPTURE(call);
            TestDirectory directory;
            ChildProcess child([&](const ChildProcess::Say& say) {
                PosixVfs disk;
                FaultVfs faulty(disk);
                faulty.arm({.call = call, .effect = Fault::Effect::kKill});
                must(workload.run(faulty, directory / "db",
                                  [&](int commits) { say(static_cast<char>(commits)); }));
            });
            int acknowledged = 0;
            while (std::optional<char> commits = child.hear()) acknowledged = *commits;
            killed = child.wait() == -SIGKILL;
            std::string problem = workload.problem_at(directory / "db", acknowledged);
            CHECK(problem == "");
        }
    }
}

TEST_CASE("kill -9 at random moments leaves the acknowledged commits") {
    std::mt19937_64 random(5);
    TestDirectory directory;
    int acknowledged = 0;
    for (int cycle = 0; cycle < 40; ++cycle) {
        CAPTURE(cycle);
        const int from = acknowledged;
        ChildProcess child([&](const ChildProcess::Say& say) {
            PosixVfs disk;
            auto store = must(Store::open(disk, directory / "db", kOptions));
            must(run_rounds(*store, from, from + 1000, [&](int) { say('+'); }));
        });
        for (uint64_t n = random() % 6; n > 0 && child.hear(); --n) ++acknowledged;
        ::usleep(random() % 3000);
        child.kill();
        while (child.hear()) ++acknowledged;
        std::string problem = problem_of_publishing(directory / "db", acknowledged);
        REQUIRE(problem == "");
        // It has gone on by one round, perhaps after one that was not acknowledged.
        PosixVfs disk;
        auto store = must(Store::open(disk, directory / "db", kOptions));
        auto txn = must(store->begin_read());
        acknowledged = static_cast<int>(must(CommitLog().last_xid(txn)).value_or(0));
    }
}

// All states that a power loss during the workload can leave, as RecordVfs models the disk; the
// answer is how many of them are wrong. `lie`: this op is not done, although it says so.
int wrong_states_after_power_loss(const Workload& workload, std::optional<VfsOp> lie, int& states) {
    TestDirectory directory;
    PosixVfs disk;
    RecordVfs recorded(disk, directory / "db");
    FaultVfs liar(recorded);
    if (lie) liar.arm({.op = *lie, .sticky = true, .effect = Fault::Effect::kLie});
    must(disk.make_dir(directory / "states"));
    std::vector<std::pair<size_t, int>> acknowledged = {{0, 0}};
    must(workload.run(liar, directory / "db",
                      [&](int commits) { acknowledged.emplace_back(recorded.events(), commits); }));
    using Loss = PowerLoss::Loss;
    int wrong = 0;
    size_t at = 0;
    for (size_t n = 0; n <= recorded.events(); ++n) {
        while (at + 1 < acknowledged.size() && acknowledged[at + 1].first <= n) ++at;
        for (PowerLoss how : {PowerLoss{Loss::kKeepAll, 0}, PowerLoss{Loss::kDropAll, 0},
                              PowerLoss{Loss::kDropBytes, 0}, PowerLoss{Loss::kDropNames, 0},
                              PowerLoss{Loss::kRandom, n}, PowerLoss{Loss::kRandom, n + 1000},
                              PowerLoss{Loss::kRandom, n + 2000}}) {
            const std::string path = directory / ("states/" + std::to_string(states++));
            must(recorded.rebuild(disk, path, n, how));
            std::string problem = workload.problem_at(path, acknowledged[at].second);
            if (!problem.empty()) ++wrong;
            if (!problem.empty() && !lie) {
                MESSAGE("event " << n << " loss " << static_cast<int>(how.loss) << ": " << problem);
            }
            must(remove_tree(disk, path));
        }
    }
    return wrong;
}

TEST_CASE("no power loss loses an acknowledged commit or shows a broken file") {
    for (const Workload& workload : kWorkloads) {
        CAPTURE(workload.name);
        int states = 0;
        CHECK(wrong_states_after_power_loss(workload, std::nullopt, states) == 0);
        CHECK(states > 200);
    }
}

TEST_CASE("control: without the sync of files the check finds broken states") {
    for (const Workload& workload : kWorkloads) {
        CAPTURE(workload.name);
        int states = 0;
        CHECK(wrong_states_after_power_loss(workload, VfsOp::kSync, states) > 0);
    }
}

TEST_CASE("control: without the sync of directories the check finds broken states") {
    for (const Workload& workload : kWorkloads) {
        CAPTURE(workload.name);
        int states = 0;
        CHECK(wrong_states_after_power_loss(workload, VfsOp::kSyncDir, states) > 0);
    }
}

TEST_CASE("a store in memory survives errors of its files") {
    MemoryVfs memory;
    FaultVfs faulty(memory);
    auto store = must(Store::open_memory(&faulty));
    must(publish(*store, 0));
    faulty.arm({.op = VfsOp::kWrite, .error = ENOMEM});
    CHECK(publish(*store, 1).sqlstate() == "53200");
    must(publish(*store, 1));
    ReadTransaction txn = must(store->begin_read());
    CHECK(must(live_files(txn)).size() == 2);
}

}  // namespace
}  // namespace trefoil
