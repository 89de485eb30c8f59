#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "base/ids.h"
#include "base/status.h"
#include "coherence/attr.h"
#include "coherence/backend.h"

namespace ocfsgw::coherence {

/// Names one grant of one lease, never used again: a slot of the provider's table and how often it was
/// filled. Not a file descriptor: those are re-used at once.
struct LeaseKey {
  uint32_t slot = 0;
  uint32_t generation = 0;  ///< 1 or more; 0 = no lease.
  constexpr auto operator<=>(const LeaseKey&) const = default;
};

struct LeaseGrant {
  LeaseKey key;
  /// The inode's attributes as the lock's value block gives them; absent if there is no valid value block,
  /// the caller then asks the backend while it holds the lease.
  std::optional<FileAttr> attr;
};

/// Receives recalls. Called on the provider's own thread, with none of its locks held; returns at once, never
/// blocks.
class LeaseListener {
 public:
  virtual ~LeaseListener() = default;
  /// Somebody waits for the lock of `inode`, of which the lease `key` is held. May come before Acquire has
  /// returned that key, may come for a key already released, never comes twice for one key.
  virtual void OnRecall(InodeId inode, LeaseKey key) = 0;
  /// Leases mean nothing any more (lock domain gone, event queue overflowed): all held ones are void from now
  /// on.
  virtual void OnLeasesLost(const std::string& why) = 0;
};

/// While it lives, the inode is not wiped although its last name may be removed on another node.
class OpenPin {
 public:
  virtual ~OpenPin() = default;
};

/// While it lives, no gateway of another node appends to the inode.
class AppendLock {
 public:
  virtual ~AppendLock() = default;
};

/// Grants and revokes the right to serve an inode from caches. Thread-safe.
class LeaseProvider {
 public:
  virtual ~LeaseProvider() = default;

  /// Where recalls go. REQUIRES: called once, before the first Acquire. The listener outlives Stop().
  virtual void Start(LeaseListener* listener) = 0;
  /// No callback runs or starts after this has returned; all leases are released.
  virtual void Stop() = 0;

  /// Blocks until granted, for as long as a writer holds the lock; call on acquisition threads only, never
  /// under a mutex, and never while an older lease of the same inode is held. kBusy: cannot be had now (a
  /// writer has it open, or a recall came while it was being granted). kUnavailable: no leases at all any
  /// more.
  virtual Result<LeaseGrant> Acquire(const NodeRef& node) = 0;
  /// Whether AcquireUnder is there.
  virtual bool LeasesTrees() const { return false; }
  /// A lease of `node` that is part of the one of `root`, which is held: for an inode that nobody can change
  /// before he has changed `root`'s. Whoever wants the lock of `root` has every such lease recalled, and gets
  /// it when all have been released, `root`'s own included, in whatever order. Never blocks. kBusy: `root` is
  /// not held any more.
  virtual Result<LeaseKey> AcquireUnder(LeaseKey /*root*/, const NodeRef& /*node*/) {
    return Status(StatusCode::kUnsupported, "leases of trees");
  }
  /// Gives the lease back; the writer proceeds. Idempotent. Never waits for the cluster or for a callback.
  virtual void Release(LeaseKey key) = 0;

  /// Keeps an inode alive for a file that is open here without the backend knowing. Call with a lease held:
  /// if it is still held afterwards, the pin counts. Does not block; the provider outlives the pin.
  /// kUnsupported: open the backend's file instead.
  virtual Result<std::unique_ptr<OpenPin>> PinOpen(const NodeRef& node) = 0;

  /// For a backend that does not keep appends of two nodes apart itself: waits for those of other nodes. The
  /// size known before the call is out of date. kUnsupported: nothing of the kind is needed.
  virtual Result<std::unique_ptr<AppendLock>> LockAppends(const NodeRef& /*node*/) {
    return Status(StatusCode::kUnsupported, "appends need no lock");
  }

  /// Returns when every recall caused by something that happened before the call has been delivered to the
  /// listener.
  virtual Status Barrier() = 0;

  /// Whether the file system below may keep pages from before the last write, until a later one
  /// (BackendFile::ForgetPages). Not while a lease is held from before they were read.
  virtual bool KeepsOldPages() const { return false; }

  /// Tick of the coarsest writer's clock plus allowed clock skew between nodes: how long a stamp stays racy.
  virtual int64_t StampGuardNs() const = 0;
};

}  // namespace ocfsgw::coherence
