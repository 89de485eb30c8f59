#pragma once

#define FUSE_USE_VERSION 312
#include <fuse_lowlevel.h>

#include <atomic>
#include <functional>
#include <unordered_map>

#include "base/mutex.h"

namespace ocfsgw::fusefs {

/// Files of one connection that the kernel reads and writes by itself, without a request (FUSE passthrough,
/// Linux 6.9): those that are opened by somebody who is going to write, while nobody has them open here.
///
/// Whether it does is a property of the inode, not of the handle: while one handle is passed through, all
/// that are opened have to be, to the same file; while one is open that is not, none can be, or open(2) fails
/// with EIO. What is written so is like what is written beside the mount: the lease is recalled for it.
/// Thread-safe; the mutex is held while the kernel notes a file.
class Passthrough {
 public:
  /// This mount would like to. `device`: of the connection. Before it is served.
  void Offer(int device) { device_ = device; }
  bool offered() const { return device_ >= 0; }
  /// The kernel can, and has been told to. Before the first OPEN.
  void Enable() { enabled_.store(true, std::memory_order_relaxed); }
  bool enabled() const { return enabled_.load(std::memory_order_relaxed); }

  /// What the kernel is to be told of one that is opened.
  struct Handle {
    int backing = 0;       ///< What it is passed through to; 0: to nothing.
    bool counted = false;  ///< To be closed by Close.
  };
  /// OPEN is about to be answered. `wanted`: pass it through if that is possible, to the file that `file`
  /// gives a descriptor of (open for writing, or -1: to none).
  Handle Open(fuse_ino_t node, bool wanted, const std::function<int()>& file) EXCLUDES(mutex_);
  /// RELEASE, or the answer to OPEN did not arrive.
  void Close(fuse_ino_t node, const Handle& handle) EXCLUDES(mutex_);

 private:
  struct Node {
    int backing = 0;
    uint32_t handles = 0;  ///< All of the same kind.
  };
  int Register(int file) REQUIRES(mutex_);

  int device_ = -1;
  std::atomic<bool> enabled_{false};
  Mutex mutex_;
  bool refused_ GUARDED_BY(mutex_) = false;
  std::unordered_map<fuse_ino_t, Node> nodes_ GUARDED_BY(mutex_);
};

}  // namespace ocfsgw::fusefs
