#pragma once

#define FUSE_USE_VERSION 312
#include <fuse_lowlevel.h>

#include <unordered_map>

#include "base/mutex.h"
#include "coherence/inode.h"

namespace ocfsgw::fusefs {

/// The files of a fast tree that somebody may have open, or mapped: the kernel does not say what it opens, so
/// those that were ever used, until it forgets them. Thread-safe; the mutex is a leaf.
class UsedNodes {
 public:
  UsedNodes() = default;
  ~UsedNodes() {
    for (const auto& [ino, inode] : nodes_) inode->opens.fetch_sub(1);
  }
  UsedNodes(const UsedNodes&) = delete;
  UsedNodes& operator=(const UsedNodes&) = delete;

  void Add(fuse_ino_t ino, const coherence::InodePtr& inode) {
    MutexLock lock(mutex_);
    if (nodes_.try_emplace(ino, inode).second) inode->opens.fetch_add(1);
  }
  void Forget(fuse_ino_t ino) {
    MutexLock lock(mutex_);
    const auto it = nodes_.find(ino);
    if (it == nodes_.end()) return;
    it->second->opens.fetch_sub(1);
    nodes_.erase(it);
  }

 private:
  Mutex mutex_;
  std::unordered_map<fuse_ino_t, coherence::InodePtr> nodes_ GUARDED_BY(mutex_);
};

}  // namespace ocfsgw::fusefs
