// MemoryRoot: the root of a store in memory; one ordered map with a short history per key.
//
// A read transaction remembers the number of the last commit and sees, of each key, the newest
// entry that is not younger. A write transaction collects its changes aside and merges them into
// what it reads. A commit drops entries that no transaction can see any more.

#pragma once

#include <map>
#include <mutex>
#include <set>
#include <vector>

#include "storage/root.h"

namespace trefoil {

class MemoryRoot final : public Root {
public:
    Result<std::unique_ptr<RootTransaction>> begin(bool write) override;
    Status copy_to(const std::string& path) override;

private:
    friend class MemoryRootTransaction;
    friend class MemoryRootCursor;
    // No value: erased at that commit.
    using Text = std::shared_ptr<const std::string>;
    struct Version {
        uint64_t commit;
        Text value;
    };
    using Table = std::map<std::string, std::vector<Version>, std::less<>>;
    static const Text* visible(const std::vector<Version>& versions, uint64_t commit);
    // Drops what nobody can see any more. REQUIRES: mutex_ is held.
    void prune(int keyspace, const std::string& key);
    void prune_again();

    mutable std::mutex mutex_;  // guards what follows
    Table tables_[kKeyspaces];
    uint64_t commit_ = 0;
    std::multiset<uint64_t> readers_;  // the commits that open transactions look at
    // Keys that still had more than one version, or a mark of erasure, when they were last pruned.
    std::set<std::pair<int, std::string>> unpruned_;
    uint64_t pruned_for_ = 0;  // the oldest open transaction at that time
};

}  // namespace trefoil
