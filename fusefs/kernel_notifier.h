#pragma once

#define FUSE_USE_VERSION 312
#include <fuse_lowlevel.h>

#include <atomic>

#include "base/executor.h"
#include "coherence/kernel_cache.h"
#include "fusefs/inode_table.h"
#include "fusefs/name_table.h"

namespace ocfsgw::fusefs {

/// Takes attributes, pages and names back from the kernel on threads of its own, since the notification may
/// wait for a page or a directory that a request of ours holds locked. Attributes go at once, on the caller's
/// thread, since nothing holds those up: once they are gone, the kernel asks before it uses a page.
/// Thread-safe.
class KernelNotifier final : public coherence::KernelCache {
 public:
  /// Notifications that may wait at once. Each waits for at most one inode's requests, and a lease is
  /// released without them after half the recall deadline, so the number bounds latency, not progress.
  static constexpr size_t kThreads = 8;

  KernelNotifier();

  /// Before this, and after Detach, there is no kernel cache and every invalidation is done at once.
  void Attach(fuse_session* session, const InodeTable* inodes, NameTable* names);
  /// Waits for the notifications under way.
  void Detach();

  bool ForgetAttributes(InodeId inode, bool may_wait) override;
  void KeepForgettingAttributes(InodeId inode) override;
  void Invalidate(InodeId inode, std::vector<coherence::ByteRange> ranges,
                  std::function<void()> done) override;
  std::vector<coherence::TrustedName> TrustedNames(InodeId directory) override;
  void ForgetNames(InodeId directory, const std::vector<coherence::TrustedName>& names) override;

  /// Puts a byte into the kernel's pages, and so makes it believe that the file is that long at least. Waits
  /// for whoever has the page locked.
  void Store(fuse_ino_t ino, uint64_t offset, std::byte byte) const;

 private:
  /// True: done, or nothing to do. False: the kernel is told of the inode and does not know it.
  bool TryForgetAttributes(InodeId inode) const;
  void ForgetPages(fuse_session* session, fuse_ino_t ino,
                   const std::vector<coherence::ByteRange>& ranges) const;
  void ForgetName(fuse_session* session, fuse_ino_t ino, const NameTable::Name& name) const;
  void ForgetAllNames(fuse_session* session, fuse_ino_t ino) const;
  void InvalidateNames(InodeId inode, std::function<void()> done);
  void InvalidatePages(InodeId inode, std::vector<coherence::ByteRange> ranges, std::function<void()> done);
  /// True if the kernel has done it, false if it does not know the inode.
  static bool Invalidate(fuse_session* session, fuse_ino_t ino, off_t offset, off_t length);

  std::atomic<fuse_session*> session_{nullptr};
  const InodeTable* inodes_ = nullptr;  // set before session_, which publishes them
  NameTable* names_ = nullptr;
  AsioExecutor attributes_;  ///< Those of inodes that the kernel is only just making.
  AsioExecutor pages_;
  AsioExecutor directories_;  ///< Names: waiting for a directory must not hold up pages.
};

}  // namespace ocfsgw::fusefs
