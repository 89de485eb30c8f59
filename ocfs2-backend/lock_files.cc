#include "ocfs2-backend/lock_files.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <algorithm>
#include <utility>

#include "ocfs2-backend/lock_name.h"

namespace ocfsgw::ocfs2 {
namespace {

constexpr size_t kTrimBatch = 16;        // unlinked at a time: an acquisition waits for it
constexpr size_t kTrimAgainAfter = 256;  // more files before the next try, where others use the domain, too

UniqueFd OpenDirectory(int at, const char* path) {
  return UniqueFd(Retry([&] { return ::openat(at, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC); }));
}

bool Flock(const UniqueFd& fd, int operation) {
  return Retry([&] { return ::flock(fd.get(), operation); }) == 0;
}

}  // namespace

void LockFile::Close() {
  if (!owner_) return;
  fd_ = UniqueFd();
  owner_->OnClosed(name_, false);
  owner_.reset();
}

void LockFile::CloseForGood() {
  if (!owner_) return;
  fd_ = UniqueFd();
  owner_->OnClosed(name_, true);
  owner_->Trim(true);
  owner_.reset();
}

Result<std::shared_ptr<LockFiles>> LockFiles::Join(const std::string& dlmfs, const std::string& uuid,
                                                   size_t budget) {
  const std::string path = dlmfs + "/" + uuid;
  if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) return Status::LastErrno("mkdir");
  UniqueFd root = OpenDirectory(AT_FDCWD, dlmfs.c_str());
  UniqueFd directory = OpenDirectory(AT_FDCWD, path.c_str());
  if (!root || !directory) return Status::LastErrno("open");
  // Waits for whoever unlinks at present, which takes milliseconds.
  if (!Flock(directory, LOCK_SH)) return Status::LastErrno("flock");
  std::shared_ptr<LockFiles> files(new LockFiles(std::move(root), std::move(directory), budget));
  OCFSGW_RETURN_IF_ERROR(files->ListExisting());
  while (files->Trim(true)) {
  }
  return files;
}

Status LockFiles::ListExisting() {
  const int own = Retry([&] { return ::openat(directory_.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC); });
  DIR* const listing = own < 0 ? nullptr : ::fdopendir(own);
  if (listing == nullptr) {
    const Status failed = Status::LastErrno("open");
    if (own >= 0) ::close(own);
    return failed;
  }
  std::vector<std::string> names;
  while (const dirent64* entry = ::readdir64(listing)) {
    if (IsLockName(entry->d_name)) names.emplace_back(entry->d_name);
  }
  ::closedir(listing);
  MutexLock lock(mutex_);
  for (auto& name : names) {
    Entry& entry = entries_[name];
    entry.obsolete = name[0] == static_cast<char>(LockKind::kOpen);  // of a gateway that was killed
    entry.closed = closed_.insert(entry.obsolete ? closed_.begin() : closed_.end(), name);
  }
  return Status::Ok();
}

Result<LockFile> LockFiles::Open(const std::string& name, LockLevel level) {
  Trim(false);
  {
    MutexLock lock(mutex_);
    Entry& entry = entries_.try_emplace(name, Entry{0, false, false, closed_.end()}).first->second;
    if (entry.unlinking) return Status(StatusCode::kBusy, "lock file is being removed");
    if (entry.closed != closed_.end()) closed_.erase(std::exchange(entry.closed, closed_.end()));
    entry.obsolete = false;
    ++entry.users;
  }
  const int flags = (level == LockLevel::kExclusive ? O_RDWR : O_RDONLY) | O_CREAT | O_CLOEXEC;
  UniqueFd fd(Retry([&] { return ::openat(directory_.get(), name.c_str(), flags, 0600); }));
  if (!fd) {
    const Status failed = Status::LastErrno("lock file");
    OnClosed(name, false);  // it may exist all the same
    return failed;
  }
  return LockFile(shared_from_this(), name, std::move(fd));
}

void LockFiles::OnClosed(const std::string& name, bool obsolete) {
  MutexLock lock(mutex_);
  Entry& entry = entries_.find(name)->second;
  if (--entry.users > 0) return;
  entry.obsolete = obsolete;
  entry.closed = closed_.insert(obsolete ? closed_.begin() : closed_.end(), name);
}

size_t LockFiles::known() const {
  MutexLock lock(mutex_);
  return entries_.size();
}

bool LockFiles::Trim(bool obsolete) {
  const std::vector<std::string> names = TakeOldest(obsolete);
  if (names.empty()) return false;
  const std::vector<std::string> gone = UnlinkAlone(names);
  bool again = false;
  {
    MutexLock lock(mutex_);
    trimming_ = false;
    again = std::exchange(obsolete_left_, false);
    for (const auto& name : gone) entries_.erase(name);
    if (gone.size() < names.size()) {
      trim_at_ = entries_.size() + kTrimAgainAfter;
      for (const auto& name : names) {
        const auto it = entries_.find(name);
        if (it == entries_.end()) continue;
        it->second.unlinking = false;
        it->second.closed = closed_.insert(closed_.begin(), name);
      }
    }
  }
  if (again) Trim(true);
  return !gone.empty();
}

std::vector<std::string> LockFiles::TakeOldest(bool obsolete) {
  std::vector<std::string> names;
  MutexLock lock(mutex_);
  if (trimming_) {  // one at a time: the other's flock would be taken for another gateway's
    obsolete_left_ |= obsolete;
    return names;
  }
  if (!obsolete) {
    if (entries_.size() < std::max(budget_, trim_at_)) return names;
    trim_at_ = 0;
  }
  while (!closed_.empty() && names.size() < kTrimBatch) {
    Entry& entry = entries_.find(closed_.front())->second;
    if (obsolete && !entry.obsolete) break;
    entry.unlinking = true;
    entry.closed = closed_.end();
    names.push_back(std::move(closed_.front()));
    closed_.pop_front();
  }
  trimming_ = !names.empty();
  return names;
}

std::vector<std::string> LockFiles::UnlinkAlone(const std::vector<std::string>& names) {
  std::vector<std::string> gone;
  const UniqueFd root = OpenDirectory(root_.get(), ".");
  // Turning a shared flock into an exclusive one drops it first. With the root's, nobody else gets an
  // exclusive one in between.
  if (!root || !Flock(root, LOCK_EX | LOCK_NB)) return gone;
  if (Flock(directory_, LOCK_EX | LOCK_NB)) {
    for (const auto& name : names) {
      if (::unlinkat(directory_.get(), name.c_str(), 0) == 0 || errno == ENOENT) gone.push_back(name);
    }
  }
  Flock(directory_, LOCK_SH);  // nobody can have it exclusively
  return gone;
}

}  // namespace ocfsgw::ocfs2
