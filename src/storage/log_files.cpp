// LogFiles: from the names in the root to open files.

#include "storage/log_files.h"

#include <algorithm>

#include "base/check.h"

namespace trefoil {

uint64_t LogView::last_xid() const {
    uint64_t last = 0;
    for (const Piece& piece : files) last = std::max(last, piece.file->last_xid(piece.frames));
    return last < first_xid ? 0 : last;
}

bool LogView::names(const std::shared_ptr<LogFile>& file) const {
    return std::any_of(files.begin(), files.end(), [&](const Piece& p) { return p.file == file; });
}

void LogView::erase_up_to(uint64_t xid) {
    first_xid = std::max(first_xid, xid == ~uint64_t{0} ? xid : xid + 1);
    std::erase_if(files, [&](const Piece& p) { return p.file->last_xid(p.frames) <= xid; });
}

std::string LogView::encode() const {
    Writer value;
    value.u64(first_xid);
    for (const Piece& piece : files) value.u64(piece.file->id());
    return value.take();
}

std::string LogFiles::path_of(FileId id) const {
    return directory_ + "/" + digits_of(id) + ".log";
}

Result<std::shared_ptr<LogFile>> LogFiles::open(FileId id) {
    {
        std::lock_guard guard(mutex_);
        if (auto at = files_.find(id); at != files_.end()) return at->second;
    }
    ASSIGN_OR_RETURN(std::shared_ptr<LogFile> file,
                     LogFile::open(vfs_, path_of(id), {database_, id}, read_only_));
    std::lock_guard guard(mutex_);
    return files_.emplace(id, std::move(file)).first->second;
}

Result<LogView> LogFiles::view(Bytes stored, uint64_t root_version) {
    LogView view;
    Reader reader(stored);
    view.first_xid = reader.u64();
    while (reader.ok() && !reader.at_end()) {
        ASSIGN_OR_RETURN(std::shared_ptr<LogFile> file, open(reader.u64()));
        if (read_only_) RETURN_IF_ERROR(file->look());
        const size_t frames = file->frames_of(root_version);
        view.files.push_back({std::move(file), frames});
    }
    if (!reader.ok()) return Status::corruption("the list of log files in the root is damaged");
    if (read_only_) {
        // What the writer has dropped stays open as long as a view has it.
        std::lock_guard guard(mutex_);
        std::erase_if(files_, [&](const auto& entry) { return !view.names(entry.second); });
    }
    return view;
}

Status LogFiles::recover(const LogView& view) {
    for (const LogView::Piece& piece : view.files) RETURN_IF_ERROR(piece.file->sync());
    ASSIGN_OR_RETURN(std::vector<std::string> names, vfs_.list(directory_));
    for (const std::string& name : names) {
        const std::string path = directory_ + "/" + name;
        const bool named = std::any_of(view.files.begin(), view.files.end(), [&](const auto& p) {
            return path_of(p.file->id()) == path;
        });
        if (!named) RETURN_IF_ERROR(vfs_.remove(path));
    }
    return {};
}

Result<std::shared_ptr<LogFile>> LogFiles::create(FileId id, uint64_t bytes) {
    ASSIGN_OR_RETURN(std::shared_ptr<LogFile> file,
                     LogFile::create(vfs_, path_of(id), {database_, id}, bytes));
    std::lock_guard guard(mutex_);
    files_.emplace(id, file);
    return file;
}

void LogFiles::adopt(const LogView& view) {
    {
        std::lock_guard guard(mutex_);
        std::erase_if(files_, [&](const auto& entry) {
            const bool named = view.names(entry.second);
            if (!named) unnamed_.insert(entry.first);
            return !named;
        });
    }
    remove_unnamed();
}

void LogFiles::copied(const LogView& before, const LogView& after) {
    {
        std::lock_guard guard(mutex_);
        copied_.clear();
        for (const LogView* view : {&before, &after}) {
            for (const LogView::Piece& piece : view->files) copied_.insert(piece.file->id());
        }
    }
    remove_unnamed();
}

// What cannot be removed now goes when the database is opened again.
void LogFiles::remove_unnamed() {
    std::lock_guard guard(mutex_);
    for (FileId id : unnamed_) {
        if (!copied_.contains(id)) (void)vfs_.remove(path_of(id));
    }
    std::erase_if(unnamed_, [&](FileId id) { return !copied_.contains(id); });
}

}  // namespace trefoil
