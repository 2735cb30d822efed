// MemoryRoot: transactions and cursors. A value that a transaction has handed out stays alive
// because versions are pruned only when no open transaction looks at them.

#include "storage/memory_root.h"

#include "base/check.h"

namespace trefoil {

using Text = std::shared_ptr<const std::string>;
using Changes = std::map<std::string, std::shared_ptr<std::string>, std::less<>>;  // null: erased

class MemoryRootTransaction final : public RootTransaction {
public:
    MemoryRootTransaction(MemoryRoot& root, bool write) : root_(root), write_(write) {
        std::lock_guard guard(root_.mutex_);
        commit_ = root_.commit_;
        root_.readers_.insert(commit_);
    }
    ~MemoryRootTransaction() override { leave(); }

    Result<std::optional<Bytes>> find(Keyspace keyspace, Bytes key) override;
    Result<std::unique_ptr<RootCursor>> cursor(Keyspace keyspace) override;
    Result<char*> reserve(Keyspace keyspace, Bytes key, size_t bytes) override;
    Status erase(Keyspace keyspace, Bytes key) override;
    Result<uint64_t> erase_range(Keyspace keyspace, const KeyRange& range) override;
    Status commit() override;

    // The first visible entry at or after `key`, or after it; and the last one before it.
    struct Entry {
        std::string key;
        Text value;
    };
    std::optional<Entry> step(Keyspace keyspace, Bytes key, bool inclusive) const;
    std::optional<Entry> step_back(Keyspace keyspace, Bytes key) const;

private:
    void leave() {
        std::lock_guard guard(root_.mutex_);
        if (!left_) root_.readers_.erase(root_.readers_.find(commit_));
        left_ = true;
    }
    Changes& changes(Keyspace keyspace) { return changes_[static_cast<int>(keyspace)]; }
    const Changes& changes(Keyspace keyspace) const { return changes_[static_cast<int>(keyspace)]; }
    // The visible entry at a place of the shared table; null if there is none. REQUIRES: mutex_.
    const Text* base_value(MemoryRoot::Table::const_iterator at) const {
        return MemoryRoot::visible(at->second, commit_);
    }

    MemoryRoot& root_;
    bool write_;
    bool left_ = false;
    uint64_t commit_ = 0;
    Changes changes_[kKeyspaces];
};

class MemoryRootCursor final : public RootCursor {
public:
    MemoryRootCursor(const MemoryRootTransaction& txn, Keyspace keyspace)
        : txn_(txn), keyspace_(keyspace) {}
    Result<bool> seek(Bytes key) override { return set(txn_.step(keyspace_, key, true)); }
    Result<bool> next() override { return set(txn_.step(keyspace_, entry_->key, false)); }
    Result<bool> seek_before(Bytes key) override { return set(txn_.step_back(keyspace_, key)); }
    Bytes key() const override { return entry_->key; }
    Bytes value() const override { return *entry_->value; }

private:
    bool set(std::optional<MemoryRootTransaction::Entry> entry) {
        entry_ = std::move(entry);
        return entry_.has_value();
    }
    const MemoryRootTransaction& txn_;
    Keyspace keyspace_;
    std::optional<MemoryRootTransaction::Entry> entry_;
};

const Text* MemoryRoot::visible(const std::vector<Version>& versions, uint64_t commit) {
    for (auto version = versions.rbegin(); version != versions.rend(); ++version) {
        if (version->commit <= commit) return version->value ? &version->value : nullptr;
    }
    return nullptr;
}

// Keeps, for the oldest open transaction, the newest version that it sees, and everything younger.
void MemoryRoot::prune(int keyspace, const std::string& key) {
    auto at = tables_[keyspace].find(key);
    if (at == tables_[keyspace].end()) return;
    std::vector<Version>& versions = at->second;
    uint64_t oldest = readers_.empty() ? commit_ : *readers_.begin();
    size_t drop = 0;
    while (drop + 1 < versions.size() && versions[drop + 1].commit <= oldest) ++drop;
    versions.erase(versions.begin(), versions.begin() + static_cast<ptrdiff_t>(drop));
    bool gone = versions.size() == 1 && !versions[0].value && versions[0].commit <= oldest;
    if (gone) tables_[keyspace].erase(at);
    if (!gone && (versions.size() > 1 || !versions[0].value)) unpruned_.emplace(keyspace, key);
}

void MemoryRoot::prune_again() {
    uint64_t oldest = readers_.empty() ? commit_ : *readers_.begin();
    if (oldest == pruned_for_ || unpruned_.empty()) return;
    pruned_for_ = oldest;
    std::set<std::pair<int, std::string>> keys;
    keys.swap(unpruned_);
    for (const auto& [keyspace, key] : keys) prune(keyspace, key);
}

Result<std::unique_ptr<RootTransaction>> MemoryRoot::begin(bool write) {
    return std::unique_ptr<RootTransaction>(std::make_unique<MemoryRootTransaction>(*this, write));
}

Status MemoryRoot::copy_to(const std::string&) {
    return Status::unsupported("a store in memory cannot be copied to a directory");
}

Result<std::optional<Bytes>> MemoryRootTransaction::find(Keyspace keyspace, Bytes key) {
    if (auto changed = changes(keyspace).find(key); changed != changes(keyspace).end()) {
        if (!changed->second) return std::optional<Bytes>();
        return std::optional<Bytes>(*changed->second);
    }
    std::lock_guard guard(root_.mutex_);
    const MemoryRoot::Table& table = root_.tables_[static_cast<int>(keyspace)];
    auto at = table.find(key);
    const Text* value = at == table.end() ? nullptr : base_value(at);
    if (value == nullptr) return std::optional<Bytes>();
    return std::optional<Bytes>(**value);
}

Result<std::unique_ptr<RootCursor>> MemoryRootTransaction::cursor(Keyspace keyspace) {
    return std::unique_ptr<RootCursor>(std::make_unique<MemoryRootCursor>(*this, keyspace));
}

std::optional<MemoryRootTransaction::Entry> MemoryRootTransaction::step(Keyspace keyspace,
                                                                        Bytes key,
                                                                        bool inclusive) const {
    const Changes& own = changes(keyspace);
    auto changed = inclusive ? own.lower_bound(key) : own.upper_bound(key);
    std::lock_guard guard(root_.mutex_);
    const MemoryRoot::Table& table = root_.tables_[static_cast<int>(keyspace)];
    auto base = inclusive ? table.lower_bound(key) : table.upper_bound(key);
    for (;;) {
        bool have_own = changed != own.end(), have_base = base != table.end();
        if (!have_own && !have_base) return std::nullopt;
        if (have_own && (!have_base || changed->first <= base->first)) {
            if (have_base && changed->first == base->first) ++base;
            if (changed->second) return Entry{changed->first, changed->second};
            ++changed;
        } else {
            if (const Text* value = base_value(base)) return Entry{base->first, *value};
            ++base;
        }
    }
}

std::optional<MemoryRootTransaction::Entry> MemoryRootTransaction::step_back(Keyspace keyspace,
                                                                             Bytes key) const {
    const Changes& own = changes(keyspace);
    auto changed = key.empty() ? own.end() : own.lower_bound(key);
    std::lock_guard guard(root_.mutex_);
    const MemoryRoot::Table& table = root_.tables_[static_cast<int>(keyspace)];
    auto base = key.empty() ? table.end() : table.lower_bound(key);
    for (;;) {
        bool have_own = changed != own.begin(), have_base = base != table.begin();
        if (!have_own && !have_base) return std::nullopt;
        if (have_own && (!have_base || std::prev(changed)->first >= std::prev(base)->first)) {
            --changed;
            if (have_base && changed->first == std::prev(base)->first) --base;
            if (changed->second) return Entry{changed->first, changed->second};
        } else {
            --base;
            if (const Text* value = base_value(base)) return Entry{base->first, *value};
        }
    }
}

Result<char*> MemoryRootTransaction::reserve(Keyspace keyspace, Bytes key, size_t bytes) {
    CHECK(write_);
    auto value = std::make_shared<std::string>(bytes, '\0');
    char* room = value->data();
    changes(keyspace).insert_or_assign(std::string(key), std::move(value));
    return room;
}

Status MemoryRootTransaction::erase(Keyspace keyspace, Bytes key) {
    CHECK(write_);
    changes(keyspace).insert_or_assign(std::string(key), nullptr);
    return {};
}

Result<uint64_t> MemoryRootTransaction::erase_range(Keyspace keyspace, const KeyRange& range) {
    uint64_t erased = 0;
    std::optional<Entry> entry = step(keyspace, range.from, true);
    while (entry && (range.to.empty() || entry->key < range.to)) {
        changes(keyspace).insert_or_assign(entry->key, nullptr);
        ++erased;
        entry = step(keyspace, entry->key, false);
    }
    return erased;
}

Status MemoryRootTransaction::commit() {
    leave();
    std::lock_guard guard(root_.mutex_);
    uint64_t commit = ++root_.commit_;
    for (int keyspace = 0; keyspace < kKeyspaces; ++keyspace) {
        MemoryRoot::Table& table = root_.tables_[keyspace];
        for (auto& [key, value] : changes_[keyspace]) {
            table[key].push_back({commit, std::move(value)});
            root_.prune(keyspace, key);
        }
    }
    root_.prune_again();
    return {};
}

}  // namespace trefoil
