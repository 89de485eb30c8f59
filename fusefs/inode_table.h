#pragma once

#define FUSE_USE_VERSION 312
#include <fuse_lowlevel.h>

#include <memory>
#include <optional>
#include <unordered_map>

#include "base/ids.h"
#include "base/mutex.h"
#include "coherence/coherent_fs.h"
#include "fusefs/grant_table.h"

namespace ocfsgw::fusefs {

/// The kernel's node ids of one connection. An id is given out once and never again, so no generation is
/// needed. Thread-safe; under the mutex only GrantTable's is taken.
/// 1. An inode is known under one id as long as its lookup count is not 0.
/// 2. The root is id 1 and is never forgotten.
/// 3. A guarded id is in the guardian's table from before the kernel learns it until the kernel forgets it.
class InodeTable {
 public:
  /// Each costs a descriptor.
  static constexpr size_t kHoldsMax = 512;

  /// `grants`: the guardian's table; null: there is no guardian. Outlives this one. `connection`: this one's
  /// number in it.
  explicit InodeTable(coherence::InodePtr root, GrantTable* grants = nullptr, uint32_t connection = 0);

  /// Null if the id was forgotten.
  coherence::InodePtr Get(fuse_ino_t ino) const;
  /// Counts one lookup of the inode; what the kernel is to be told of it.
  fuse_entry_param Remember(const coherence::Entry& entry);
  /// An inode that the kernel does not know any more.
  struct Forgotten {
    coherence::InodePtr inode;
    std::shared_ptr<coherence::NodeHold> hold;  ///< What Keep was given, or null.
  };
  /// Nothing if the kernel still knows the id. The destructor of what is returned may block.
  std::optional<Forgotten> Forget(fuse_ino_t ino, uint64_t lookups);
  /// Keeps the hold of an inode that has no name left until the kernel forgets it. False: the kernel does not
  /// know it now, or kHoldsMax are kept.
  bool Keep(InodeId id, const std::shared_ptr<coherence::NodeHold>& hold);
  /// The id under which the kernel knows the inode at present.
  std::optional<fuse_ino_t> IdOf(InodeId id) const;
  /// Whether somebody will take back what the kernel is granted for this id, should this process die. If not,
  /// nothing may be granted that outlives a request.
  bool Guarded(fuse_ino_t ino) const;
  size_t size() const;

 private:
  struct Known {
    coherence::InodePtr inode;
    uint64_t lookups = 0;
    uint32_t slot = GrantTable::kNone;
    std::shared_ptr<coherence::NodeHold> hold{};
  };
  uint32_t Guard(fuse_ino_t ino) REQUIRES(mutex_) {
    return grants_ == nullptr ? GrantTable::kNone : grants_->Add({connection_, ino});
  }

  mutable Mutex mutex_;
  GrantTable* const grants_;
  const uint32_t connection_;
  size_t holds_ GUARDED_BY(mutex_) = 0;
  fuse_ino_t next_ GUARDED_BY(mutex_) = FUSE_ROOT_ID + 1;
  std::unordered_map<fuse_ino_t, Known> by_ino_ GUARDED_BY(mutex_);
  std::unordered_map<InodeId, fuse_ino_t> by_id_ GUARDED_BY(mutex_);
};

}  // namespace ocfsgw::fusefs
