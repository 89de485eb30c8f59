#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/mutex.h"
#include "fusefs/trust_names.h"

namespace ocfsgw::fusefs {

using NodeId = uint64_t;  ///< libfuse's fuse_ino_t.

/// What the kernel may know of names, by node ids (docs/COHERENCE.md, "Names").
///
/// A name is offered for trust only in answers that the kernel works in with the directory locked, since
/// taking it back waits for that lock. Those are listings and answers to LOOKUPs of what it does not have;
/// the LOOKUP of a name that it has is a revalidation, whose answer may be worked in at any later time. Node
/// ids are never used twice. Thread-safe; the mutex is a leaf.
class NameTable {
 public:
  /// So many names of a directory are trusted at most, since taking them back takes time; and so many of the
  /// mount, since the kernel does not say when it forgets that there is none.
  static constexpr size_t kTrustedMax = 4096;
  static constexpr size_t kTrustedMountMax = 1 << 18;
  static constexpr NodeId kMissing = 0;  ///< The child of a name that does not exist.

  explicit NameTable(TrustNames trust) : trust_(trust) {}

  /// When the kernel has said so: names can be aged, not only dropped (Linux 6.2).
  void SetCanExpire(bool can) { can_expire_.store(can, std::memory_order_relaxed); }
  bool can_expire() const { return can_expire_.load(std::memory_order_relaxed); }

  struct Child {
    NodeId ino = kMissing;
    bool directory = false;
    bool listed = false;  ///< The answer is a listing.
  };
  /// The kernel is about to be told of a name; whether it may be told to trust it, which it counts as doing
  /// from now on. Call before the lease is looked at for the last time.
  bool Offer(NodeId directory, const std::string& name, const Child& child);
  /// The same where it is not told to trust it.
  void Tell(NodeId directory, const std::string& name, NodeId child);
  /// A change through this mount made the name, or removed it (kMissing). Before the answer.
  void Change(NodeId directory, const std::string& name, NodeId child);
  /// The kernel renames what it has, with its trust. Before the answer.
  void Move(NodeId from, const std::string& name, NodeId to, const std::string& new_name, bool exchange);
  bool Trusted(NodeId directory, const std::string& name);

  struct Name {
    std::string name;
    NodeId child = kMissing;
    uint64_t trust = 0, told = 0;  ///< When it was last told to trust it, or of it at all.
    /// The kernel has been answered a change of this name, made through this mount: it has something else
    /// there now, or will have before anybody else has the directory locked.
    bool superseded = false;
  };
  /// What the kernel trusts in a directory.
  std::vector<Name> TrustedIn(NodeId directory) const;
  /// Anything was told of names in it.
  bool HasDirectory(NodeId directory) const;
  /// It does not trust the name any more, unless it was told again. `gone`: it does not have it either.
  void TakenBack(NodeId directory, const Name& name, bool gone);

  /// The names that the kernel may have of a node, with their directories; some may be out of date.
  std::vector<std::pair<NodeId, std::string>> PlacesOf(NodeId ino) const;
  /// The kernel has forgotten the node.
  void Forget(NodeId ino);
  size_t size() const;

 private:
  struct Known {
    std::vector<NodeId> told;  ///< Nodes that the name may lead to in the kernel, trusted or not.
    bool trusted = false;
    NodeId trusted_child = kMissing;
    bool superseded = false;
    uint64_t last_trust = 0, last_told = 0;  ///< See Name.
    bool Has(NodeId child) const;
  };
  struct Directory {
    std::unordered_map<std::string, Known> names;
    size_t trusted = 0;
  };
  struct Place {
    NodeId directory = 0;
    std::string name;
  };
  bool MayTrust(const Child& child) const;
  Known* Find(NodeId directory, const std::string& name) REQUIRES(mutex_);
  void NoteTold(NodeId directory, const std::string& name, Known& known, NodeId child) REQUIRES(mutex_);
  void SetTrusted(NodeId directory, Known& known, bool trusted) REQUIRES(mutex_);
  Known Take(NodeId directory, const std::string& name) REQUIRES(mutex_);

  const TrustNames trust_;
  std::atomic<bool> can_expire_{false};  // relaxed: set before the first request
  mutable Mutex mutex_;
  uint64_t answers_ GUARDED_BY(mutex_) = 0;
  size_t trusted_ GUARDED_BY(mutex_) = 0;
  std::unordered_map<NodeId, Directory> directories_ GUARDED_BY(mutex_);
  /// Where a node was told of: what to clean up when it is forgotten.
  std::unordered_map<NodeId, std::vector<Place>> places_ GUARDED_BY(mutex_);
};

}  // namespace ocfsgw::fusefs
