#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <vector>

#include "base/mutex.h"
#include "coherence/lease_provider.h"

namespace ocfsgw::ocfs2 {

/// What a lease is made of (a descriptor, a watch); its destructor gives the lease back and must not block.
class LeaseHold {
 public:
  virtual ~LeaseHold() = default;
};

/// The leases of one provider: slot -> inode and hold, by keys that are never used again.
/// Thread-safe; its mutex is a leaf, and holds are destroyed outside it.
///
/// | state     | entered by | Recall                       | left by         |
/// |-----------|------------|------------------------------|-----------------|
/// | acquiring | Begin      | drops the hold, Finish fails | Finish, Release |
/// | held      | Finish     | tells the inode, once        | Release         |
///
/// A lease may *follow* another one, whose hold it shares: it is held like any other, and whoever recalls the
/// leader has to recall its followers, which stay when the leader is released.
///
/// Invariants: (1) a key names at most one lease ever; (2) Recall returns the inode at most once for a key,
/// and only if Finish has succeeded for it; (3) after Close no slot has a hold.
class LeaseSlots {
 public:
  /// A new slot, acquiring. Its key's generation is 0 after Close.
  coherence::LeaseKey Begin(InodeId inode) EXCLUDES(mutex_);
  /// Gives an acquiring slot its hold. False (and nothing kept) if it was recalled or closed.
  bool SetHold(coherence::LeaseKey key, std::shared_ptr<LeaseHold> hold) EXCLUDES(mutex_);
  /// The hold of an acquiring slot, null if it was recalled. It is not given back before the copy is gone:
  /// keep it across nothing that waits.
  std::shared_ptr<LeaseHold> GetHold(coherence::LeaseKey key) EXCLUDES(mutex_);
  /// Acquiring -> held. False if it was recalled meanwhile; the slot is still to be released then.
  bool Finish(coherence::LeaseKey key) EXCLUDES(mutex_);
  /// Acquiring -> held, with the hold of `leader`. False if that is not held, or is recalled.
  bool Follow(coherence::LeaseKey key, coherence::LeaseKey leader) EXCLUDES(mutex_);
  /// Those that follow `leader` and have not been released, whether or not it has; none will join them once
  /// it has been recalled.
  std::vector<coherence::LeaseKey> Followers(coherence::LeaseKey leader) const EXCLUDES(mutex_);
  /// Whether leases are left that follow a recalled one of `inode`.
  bool HasLeavingFollowers(InodeId inode) const EXCLUDES(mutex_);
  /// Marks a lease as recalled. Its inode, if the listener is to be told.
  std::optional<InodeId> Recall(coherence::LeaseKey key) EXCLUDES(mutex_);
  /// The inode of a lease that has not been released.
  std::optional<InodeId> InodeOf(coherence::LeaseKey key) EXCLUDES(mutex_);
  /// Gives the lease back, frees the slot. Idempotent.
  void Release(coherence::LeaseKey key) EXCLUDES(mutex_);
  /// Recalls every lease without telling: the listener has been told that all are void.
  void RecallAll() EXCLUDES(mutex_);
  /// Gives every lease back; Begin fails from now on.
  void Close() EXCLUDES(mutex_);
  /// Leases held or being acquired.
  size_t used() const EXCLUDES(mutex_);

 private:
  struct Slot {
    InodeId inode;
    std::shared_ptr<LeaseHold> hold;
    uint32_t generation = 0;
    bool used = false;
    bool held = false;
    bool recalled = false;
    coherence::LeaseKey leader{};  // generation 0: follows none
  };
  struct Led {
    InodeId inode;  // the leader's
    bool recalled = false;
    std::set<coherence::LeaseKey> followers;
  };
  Slot* Find(coherence::LeaseKey key) REQUIRES(mutex_);

  mutable Mutex mutex_;
  std::vector<Slot> slots_ GUARDED_BY(mutex_);
  std::vector<uint32_t> free_ GUARDED_BY(mutex_);
  std::map<coherence::LeaseKey, Led> led_ GUARDED_BY(mutex_);  // by leader; none without followers
  bool closed_ GUARDED_BY(mutex_) = false;
};

}  // namespace ocfsgw::ocfs2
