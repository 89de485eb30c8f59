#pragma once

#define FUSE_USE_VERSION 312
#include <fuse_lowlevel.h>

#include <atomic>
#include <cstdint>
#include <unordered_map>

#include "base/mutex.h"

namespace ocfsgw::fusefs {

/// Files of one connection that the kernel reads and writes by itself, without a request (FUSE passthrough,
/// Linux 6.9): those that are opened by somebody who is going to write, while nobody has them open here.
///
/// Whether it does is a property of the inode, not of the handle: while one handle is passed through, all
/// that are opened have to be, to the same file; while one is open that is not, none can be, or open(2) fails
/// with EIO. What is mapped by a handle that is passed through is the source's file, also after RELEASE: so
/// once such a handle could be read, the file is passed through until the kernel forgets it, which the
/// mapping keeps it from. What is written so is like what is written beside the mount: the lease is recalled
/// for it. Thread-safe; the mutex is a leaf, held while the kernel notes a file.
class Passthrough {
 public:
  /// This mount would like to. `device`: of the connection. Before it is served.
  void Offer(int device) { device_ = device; }
  bool offered() const { return device_ >= 0; }
  /// The kernel can, and has been told to. Before the first OPEN.
  void Enable() { enabled_.store(true, std::memory_order_relaxed); }
  bool enabled() const { return enabled_.load(std::memory_order_relaxed); }
  /// Enabled, and not refused by the kernel since.
  bool active() const { return enabled() && !refused_.load(std::memory_order_relaxed); }

  /// What the kernel is to be told of one that is opened.
  struct Handle {
    int backing = 0;       ///< What it is passed through to; 0: to nothing.
    bool counted = false;  ///< To be closed by Close.
  };
  /// OPEN, with the access mode of `flags`, is about to be answered. `file`: a descriptor, open for writing,
  /// to pass it through to if that is possible; -1: only if it has to be.
  Handle Open(fuse_ino_t node, int flags, int file) EXCLUDES(mutex_);
  /// RELEASE, or the answer to OPEN did not arrive.
  void Close(fuse_ino_t node, const Handle& handle) EXCLUDES(mutex_);
  /// The kernel has forgotten the node.
  void Forget(fuse_ino_t node) EXCLUDES(mutex_);
  /// Whether the kernel reads and writes the node by itself.
  bool Passes(fuse_ino_t node) EXCLUDES(mutex_);

 private:
  struct Node {
    int backing = 0;
    uint32_t handles = 0;   ///< All of the same kind.
    bool readable = false;  ///< One that is passed through was, and may have been mapped.
  };
  int Register(int file) REQUIRES(mutex_);
  /// The node is used no more; may free the space of a removed file.
  void Drop(const Node& node) const;

  int device_ = -1;
  std::atomic<bool> enabled_{false};
  std::atomic<bool> refused_{false};
  Mutex mutex_;
  std::unordered_map<fuse_ino_t, Node> nodes_ GUARDED_BY(mutex_);
};

}  // namespace ocfsgw::fusefs
