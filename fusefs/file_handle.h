#pragma once

#define FUSE_USE_VERSION 312
#include <fuse_lowlevel.h>

#include <memory>
#include <unordered_map>

#include "base/mutex.h"
#include "coherence/coherent_fs.h"
#include "coherence/directory.h"
#include "fusefs/kernel_listings.h"
#include "fusefs/passthrough.h"

namespace ocfsgw::fusefs {

/// What is open: the kernel keeps a handle's address as a number from OPEN to RELEASE. What it never
/// releases, because the connection is cut, goes with this set. Thread-safe; the mutex is a leaf.
template <typename T>
class HandleSet {
 public:
  uint64_t Add(std::unique_ptr<T> handle) {
    const auto key = reinterpret_cast<uint64_t>(handle.get());
    MutexLock lock(mutex_);
    handles_[key] = std::move(handle);
    return key;
  }
  void Remove(uint64_t key) {
    std::unique_ptr<T> dead;  // destroyed outside of the mutex
    MutexLock lock(mutex_);
    const auto it = handles_.find(key);
    if (it == handles_.end()) return;
    dead = std::move(it->second);
    handles_.erase(it);
  }
  /// REQUIRES: `fi` is of a handle that was added and not removed, as the kernel sees to.
  static T& Of(const fuse_file_info* fi) {
    return *reinterpret_cast<T*>(fi->fh);  // NOLINT(performance-no-int-to-ptr)
  }

 private:
  Mutex mutex_;
  std::unordered_map<uint64_t, std::unique_ptr<T>> handles_ GUARDED_BY(mutex_);
};

struct FileHandle {
  explicit FileHandle(std::unique_ptr<coherence::OpenFile> f) : file(std::move(f)) {}
  const std::unique_ptr<coherence::OpenFile> file;
  Passthrough::Handle passed{};
};
using OpenFiles = HandleSet<FileHandle>;

/// An open directory reads one listing from beginning to end: an entry that was there throughout comes
/// exactly once, and offsets stay what they are. Rewinding takes a new listing, as rewinddir(3) asks.
struct DirectoryHandle {
  DirectoryHandle(coherence::InodePtr i, KernelListings::Handle k)
      : inode(std::move(i)), kernel(std::move(k)), listing(std::move(kernel.listing)) {}
  const coherence::InodePtr inode;
  KernelListings::Handle kernel;
  Mutex mutex;
  std::shared_ptr<const coherence::Listing> listing GUARDED_BY(mutex);
};
using OpenDirectories = HandleSet<DirectoryHandle>;

}  // namespace ocfsgw::fusefs
