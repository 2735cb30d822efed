// StatementCache: least recently used statements go first.

#include "db/statement_cache.h"

namespace trefoil {

CachedStatementPtr StatementCache::find(std::string_view text) {
    auto it = by_text_.find(text);
    if (it == by_text_.end()) return nullptr;
    if (it->second != entries_.begin()) entries_.splice(entries_.begin(), entries_, it->second);
    return it->second->statement;
}

void StatementCache::insert(CachedStatementPtr statement) {
    if (statement->text.size() > kTextBytesMax) return;
    erase(statement->text);
    entries_.push_front({statement->text, std::move(statement)});
    by_text_[entries_.front().text] = entries_.begin();
    if (entries_.size() > kEntriesMax) {
        by_text_.erase(entries_.back().text);
        entries_.pop_back();
    }
}

void StatementCache::erase(std::string_view text) {
    auto it = by_text_.find(text);
    if (it == by_text_.end()) return;
    auto entry = it->second;
    by_text_.erase(it);
    entries_.erase(entry);
}

}  // namespace trefoil
