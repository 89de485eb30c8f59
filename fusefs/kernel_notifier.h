#pragma once

#define FUSE_USE_VERSION 312
#include <fuse_lowlevel.h>

#include <array>
#include <atomic>
#include <span>

#include "base/executor.h"
#include "coherence/kernel_cache.h"
#include "fusefs/inode_table.h"
#include "fusefs/kernel_listings.h"
#include "fusefs/name_table.h"
#include "fusefs/shared_state.h"

namespace ocfsgw::fusefs {

/// Takes attributes, pages and names back from the kernel, over whichever connections it knows them by (an
/// inode may be reached by several: a hard link from outside a fast tree), on threads of its own, since the
/// notification may wait for a page or a directory that a request of ours holds locked. Attributes go at
/// once, on the caller's thread, since nothing holds those up: once they are gone, the kernel asks before it
/// uses a page. Thread-safe.
class KernelNotifier final : public coherence::KernelCache {
 public:
  /// Notifications that may wait at once. Each waits for at most one inode's requests, and a lease is
  /// released without them after half the recall deadline, so the number bounds latency, not progress.
  static constexpr size_t kThreads = 8;

  KernelNotifier();

  /// Adds a connection, kConnectionsMax at most. Before the first, and after Detach, there is no kernel cache
  /// and every invalidation is done at once. REQUIRES: one thread; not served yet; all outlive Detach.
  void Attach(fuse_session* session, const InodeTable* inodes, NameTable* names, KernelListings* listings);
  /// Of all connections. Waits for the notifications under way.
  void Detach();

  bool ForgetAttributes(InodeId inode, bool may_wait) override;
  void KeepForgettingAttributes(InodeId inode) override;
  void Invalidate(InodeId inode, std::vector<coherence::ByteRange> ranges,
                  std::function<void()> done) override;
  std::vector<coherence::TrustedName> TrustedNames(InodeId directory) override;
  void ForgetListing(InodeId directory) override;
  void ForgetNames(InodeId directory, const std::vector<coherence::TrustedName>& names) override;

  /// Puts a byte into the kernel's pages, and so makes it believe that the file is that long at least. Waits
  /// for whoever has the page locked.
  void Store(InodeId inode, uint64_t offset, std::byte byte) const;
  /// Whether the kernel knows the inode by more than one connection.
  bool HasSeveral(InodeId inode) const;

 private:
  struct Connection {
    fuse_session* session = nullptr;
    const InodeTable* inodes = nullptr;
    NameTable* names = nullptr;
    KernelListings* listings = nullptr;
  };
  std::span<const Connection> Connections() const {
    return {connections_.data(), attached_.load(std::memory_order_acquire)};
  }
  /// Calls `visit(connection, ino)` for each connection by which the kernel knows the inode.
  template <typename Visit>
  void ForEach(InodeId inode, const Visit& visit) const;
  /// True: done, or nothing to do. False: the kernel is told of the inode and does not know it.
  bool TryForgetAttributes(InodeId inode) const;
  static void ForgetPages(fuse_session* session, fuse_ino_t ino,
                          const std::vector<coherence::ByteRange>& ranges);
  static void ForgetName(const Connection& connection, fuse_ino_t ino, const NameTable::Name& name);
  static void ForgetAllNames(const Connection& connection, fuse_ino_t ino);
  /// True if the kernel has done it, false if it does not know the inode.
  static bool Invalidate(fuse_session* session, fuse_ino_t ino, off_t offset, off_t length);

  std::array<Connection, kConnectionsMax> connections_{};
  std::atomic<size_t> attached_{0};  // publishes those before it
  AsioExecutor attributes_;          ///< Those of inodes that the kernel is only just making.
  AsioExecutor pages_;
  AsioExecutor directories_;  ///< Names: waiting for a directory must not hold up pages.
};

}  // namespace ocfsgw::fusefs
