#pragma once

#include <atomic>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/ids.h"
#include "base/mutex.h"
#include "coherence/attr.h"
#include "coherence/backend.h"
#include "coherence/directory.h"
#include "coherence/hold_off.h"
#include "coherence/idle_time.h"
#include "coherence/kernel_cache.h"
#include "coherence/kernel_size.h"
#include "coherence/lease_provider.h"
#include "coherence/lease_state.h"
#include "coherence/link_count.h"
#include "coherence/name_refusals.h"
#include "coherence/recall_memory.h"
#include "coherence/seal.h"
#include "coherence/stamp.h"
#include "coherence/walk.h"
#include "coherence/xattrs.h"

namespace ocfsgw::coherence {

/// A block of a file that is being read from the backend, see SharedRead. Its inode's mutex guards it.
struct BlockRead {
  BlockRead(uint32_t of_epoch, uint64_t of_index) : epoch(of_epoch), index(of_index) {}
  const uint32_t epoch;  ///< Of the lease it is read under.
  const uint64_t index;
  bool ended = false;
  std::shared_ptr<const std::string> block;  ///< Null: not read, or not entirely under that lease.
};

/// One inode of the shared file system as this gateway knows it: its lease and what is known under that
/// lease. Owned by shared_ptr; LeaseTable keeps every inode whose lease is not idle alive.
///
/// Lock order: `mutex` is a leaf, except that LeaseTable's LRU mutex may be taken under it.
/// 1. `attr`, `stamp`, `names`, `xattrs`, `sealed_by`, `seal` are valid only while state.held(), and belong
/// to
///    state.epoch().
/// 2. `in_flight` has the page ranges of READs and WRITEs the kernel has sent and that no answer is being
/// sent for yet:
///    the kernel holds these pages locked.
struct Inode {
  explicit Inode(NodeRef n) : node(std::move(n)) {}

  /// REQUIRES: nobody else knows it yet.
  void Recover(const RecallRecord& record) NO_THREAD_SAFETY_ANALYSIS {
    recalled = record.recalled;
    stamp = record.stamp;
    hold_off = record.hold_off;
    state.set_hold_off_until(record.hold_off_until);
  }

  const NodeRef node;
  InodeId id() const { return node->id(); }

  mutable Mutex mutex;
  CondVar changed;  ///< Signalled after every event of `state`.
  LeaseState state GUARDED_BY(mutex);
  HoldOff hold_off GUARDED_BY(mutex);
  IdleTime idle GUARDED_BY(mutex);
  LeaseKey key GUARDED_BY(mutex);
  /// The root of the sealed tree it was last found in; null: of none.
  std::shared_ptr<Inode> tree GUARDED_BY(mutex);
  std::shared_ptr<const Seal> seal GUARDED_BY(mutex);  ///< By this lease it is the root of a sealed tree.
  /// Seal::id of the tree that the present or last lease is part of; 0: of none.
  uint64_t sealed_by GUARDED_BY(mutex) = 0;
  TimePoint asked GUARDED_BY(mutex);      ///< When the latest acquisition began.
  uint64_t losses GUARDED_BY(mutex) = 0;  ///< LeaseTable's count when the lease was asked for.
  FileAttr attr GUARDED_BY(mutex);
  Stamp stamp GUARDED_BY(mutex);
  uint64_t salt GUARDED_BY(mutex) = 0;  ///< For records under a racy stamp; new with every lease.
  /// The stamp could not be told from an earlier version's when this lease was granted.
  bool was_racy GUARDED_BY(mutex) = false;
  /// A writer had recalled the lease before, and the stamp is the same (O_DIRECT leaves the times to chance).
  bool distrusted GUARDED_BY(mutex) = false;
  bool recalled GUARDED_BY(mutex) = false;  ///< A writer recalled the lease since `stamp` was read.
  std::shared_ptr<Directory> names GUARDED_BY(mutex);
  std::shared_ptr<Xattrs> xattrs GUARDED_BY(mutex);
  std::vector<ByteRange> in_flight GUARDED_BY(mutex);
  /// At most one of each FUSE worker and each thread that reads ahead.
  std::vector<std::shared_ptr<BlockRead>> block_reads GUARDED_BY(mutex);
  std::atomic<uint64_t> block_reads_ended{0};  ///< Counts what has left `block_reads`.
  /// How often its backend's pages had to be forgotten when a lease was granted, and of these have been.
  std::atomic<uint64_t> forgets_due{0}, forgets_done{0};
  std::shared_ptr<Walk> walk GUARDED_BY(mutex);  ///< That has looked it up, until it is read; null: none.
  KernelSize kernel_size GUARDED_BY(mutex);      ///< Of a regular file.
  LinkCount links;                               ///< Of what is no directory.
  NameRefusals refusals GUARDED_BY(mutex);       ///< Of a directory.
  uint64_t hurried GUARDED_BY(mutex) = 0;        ///< Up to this mark false names are being taken back first.
  bool reviving GUARDED_BY(mutex) = false;  ///< Somebody compares its names, see CoherentFs::ReviveNames.

  /// When it was made, if the file system knows; not set: nobody has asked it yet.
  std::optional<std::optional<FileTime>> birth GUARDED_BY(mutex);

  /// LeaseTable's list that it is in, at `lru_position`; null: in none.
  std::list<std::shared_ptr<Inode>>* lru GUARDED_BY(mutex) = nullptr;
  std::list<std::shared_ptr<Inode>>::iterator lru_position GUARDED_BY(mutex);
  std::atomic<bool> earned{false};  ///< Worth a lease (second_access); relaxed.
  std::atomic<bool> used{false};    ///< Since the LRU's hand last passed; relaxed.
  /// Open files of this gateway: while there are none, nobody has the inode's pages mapped.
  std::atomic<uint32_t> opens{0};
  std::atomic<uint32_t> flocks{0};  ///< Those of them that have a lock of flock(2).
};
using InodePtr = std::shared_ptr<Inode>;

/// What a handler may rely on: the inode's state as of one moment under a lease.
struct LeaseView {
  uint32_t epoch = 0;
  FileAttr attr;
  StampHash stamp;       ///< Under which records are stored and looked up now.
  StampHash racy_stamp;  ///< Under which they were stored while the stamp was racy; equals `stamp` if it
                         ///< never was under this lease.
  bool settled = true;   ///< `stamp` proves something later: worth storing metadata under.
  bool quiet = true;     ///< No writer took the lease of late: worth telling the kernel names to trust.
  std::shared_ptr<Directory> names;  ///< Of a directory: what is known of its names under this lease.
  std::shared_ptr<Xattrs> xattrs;
  std::shared_ptr<Inode> tree;  ///< Of which the lease is part, see Inode::tree.
  bool tree_root = false;       ///< It stands for a sealed tree.
};

}  // namespace ocfsgw::coherence
