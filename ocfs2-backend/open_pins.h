#pragma once

#include <functional>
#include <memory>
#include <unordered_map>

#include "base/ids.h"
#include "base/mutex.h"
#include "coherence/lease_provider.h"
#include "ocfs2-backend/lock_files.h"

namespace ocfsgw::ocfs2 {

/// The files that are open here without OCFS2 knowing. Thread-safe; the mutex is a leaf.
///
/// OCFS2 wipes an inode whose last name is gone unless a node has its open lock (O): it tries the lock
/// exclusively and asks nobody to give it up. So:
///
/// | O is                | because                                                                          |
/// |---------------------|----------------------------------------------------------------------------------|
/// | not taken by Add    | nobody removes a name under the lease that the caller holds without recalling it |
/// | taken by Lock       | the lease is about to be given back                                              |
/// | unlinked at the end | a closed lock file leaves O with the node: the space of a file that is deleted   |
/// |                     | elsewhere would never be freed                                                   |
class OpenPins {
 public:
  /// Takes the lock; blocks until it is granted.
  using Take = std::function<Result<LockFile>(InodeId)>;

  explicit OpenPins(Take take) : take_(std::move(take)) {}

  /// A pin of the inode, of which a lease is held: if it still is afterwards, the pin counts. This outlives
  /// it.
  std::unique_ptr<coherence::OpenPin> Add(InodeId id) EXCLUDES(mutex_);
  /// Whether Lock has something to do.
  bool NeedLock(InodeId id) const EXCLUDES(mutex_);
  /// Takes O if there are pins of the inode, before its lease is given back. May block.
  void Lock(InodeId id) EXCLUDES(mutex_);

 private:
  class Pin;
  struct Entry {
    size_t pins = 0;
    LockFile lock;
  };
  void Drop(InodeId id) EXCLUDES(mutex_);

  const Take take_;
  mutable Mutex mutex_;
  std::unordered_map<InodeId, Entry> entries_ GUARDED_BY(mutex_);
};

}  // namespace ocfsgw::ocfs2
