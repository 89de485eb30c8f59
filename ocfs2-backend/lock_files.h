#pragma once

#include <list>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/mutex.h"
#include "base/status.h"
#include "ocfs2-backend/descriptor.h"

namespace ocfsgw::ocfs2 {

class LockFiles;

enum class LockLevel {
  kShared,     ///< PR: with others that hold it so.
  kExclusive,  ///< EX: by one node. All of a node's processes and threads share it.
};

/// An open lock file: a lock of the domain, held. Closing it never blocks.
class LockFile {
 public:
  LockFile() = default;
  LockFile(std::shared_ptr<LockFiles> owner, std::string name, UniqueFd fd)
      : owner_(std::move(owner)), name_(std::move(name)), fd_(std::move(fd)) {}
  LockFile(LockFile&&) = default;
  LockFile& operator=(LockFile&& other) noexcept {
    Close();
    owner_ = std::move(other.owner_);
    name_ = std::move(other.name_);
    fd_ = std::move(other.fd_);
    return *this;
  }
  ~LockFile() { Close(); }

  int fd() const { return fd_.get(); }
  void Close();
  /// Closes it, and has it unlinked as soon as that may be: the lock is to leave the node. May wait for the
  /// cluster.
  void CloseForGood();

 private:
  std::shared_ptr<LockFiles> owner_;
  std::string name_;
  UniqueFd fd_;
};

/// The lock files of one lock domain: a directory of dlmfs. Thread-safe; its mutex is a leaf and not held
/// across a system call.
///
/// A closed lock file stays: the node keeps the lock (at PR, until a writer elsewhere wants it), so that
/// opening it again costs no message, and the value block with it. Each costs kernel memory for as long as it
/// exists (docs/OPERATIONS.md), so beyond a budget those that were closed longest ago are unlinked. Files of
/// open locks are obsolete as soon as they are closed (open_pins.h), and are unlinked first.
///
/// Unlinking a lock file that somebody has open can panic the kernel (CVE-2022-49337; with the fix there is
/// still no guard between lookup and open). Hence who may unlink is settled by flock(2) on directories of
/// dlmfs itself, which everybody sees who could have these very files open, in whatever container:
///
/// | lock                    | held by                                                               |
/// |-------------------------|-----------------------------------------------------------------------|
/// | domain, shared          | each gateway for as long as it may have a lock file open              |
/// | domain, exclusive       | whoever unlinks: no other gateway uses this domain of this dlmfs then |
/// | dlmfs's root, exclusive | whoever turns the one into the other, which is not atomic             |
///
/// Within the process: (1) a name that is being unlinked cannot be opened; (2) a name is unlinked only with
/// no user.
class LockFiles : public std::enable_shared_from_this<LockFiles> {
 public:
  /// Joins the domain `dlmfs`/`uuid`, making its directory if it is not there; may wait for the cluster. What
  /// is there already counts as closed long ago. kSystem if that fails. `budget`: of lock files, 1 or more.
  static Result<std::shared_ptr<LockFiles>> Join(const std::string& dlmfs, const std::string& uuid,
                                                 size_t budget);

  /// Opens a lock file, makes it if it is not there: takes the lock, and waits for whoever has it. kSystem
  /// with the errno of open(2); kBusy while the file is being unlinked. May unlink others.
  Result<LockFile> Open(const std::string& name, LockLevel level = LockLevel::kShared) EXCLUDES(mutex_);
  /// Lock files there are, as far as this gateway knows.
  size_t known() const EXCLUDES(mutex_);

 private:
  friend class LockFile;
  struct Entry {
    size_t users = 0;
    bool unlinking = false;
    bool obsolete = false;                    // in closed_ before all that are not
    std::list<std::string>::iterator closed;  // in closed_, if there is no user and it is not being unlinked
  };

  LockFiles(UniqueFd root, UniqueFd directory, size_t budget)
      : root_(std::move(root)), directory_(std::move(directory)), budget_(budget) {}
  Status ListExisting() EXCLUDES(mutex_);
  void OnClosed(const std::string& name, bool obsolete) EXCLUDES(mutex_);
  // Unlinks some of those that are obsolete, or else beyond the budget; whether there were any.
  bool Trim(bool obsolete) EXCLUDES(mutex_);
  std::vector<std::string> TakeOldest(bool obsolete) EXCLUDES(mutex_);
  // Unlinks if no other gateway uses the domain; the names that are gone then.
  std::vector<std::string> UnlinkAlone(const std::vector<std::string>& names);

  const UniqueFd root_;  // of dlmfs
  const UniqueFd directory_;
  const size_t budget_;

  mutable Mutex mutex_;
  std::unordered_map<std::string, Entry> entries_ GUARDED_BY(mutex_);
  std::list<std::string> closed_ GUARDED_BY(mutex_);  // oldest first
  bool trimming_ GUARDED_BY(mutex_) = false;          // somebody does
  bool obsolete_left_ GUARDED_BY(mutex_) = false;     // by who came meanwhile
  size_t trim_at_ GUARDED_BY(mutex_) = 0;             // number of entries at which Trim tries next
};

}  // namespace ocfsgw::ocfs2
