#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "base/clock.h"
#include "base/executor.h"
#include "coherence/lease_provider.h"
#include "ocfs2-backend/lease_slots.h"
#include "ocfs2-backend/lock_files.h"
#include "ocfs2-backend/lock_name.h"
#include "ocfs2-backend/open_pins.h"
#include "ocfs2-backend/recall_thread.h"

namespace ocfsgw::ocfs2 {

struct O2dlmOptions {
  std::string dlmfs;          ///< Where ocfs2_dlmfs is mounted.
  std::string uuid;           ///< Lock domain: SourceMount::ocfs2().uuid.
  uint32_t cluster_size = 0;  ///< SourceMount::ocfs2().cluster_size, bytes.
  uint64_t volume_root = 0;   ///< SourceMount::ocfs2().root_ino.
  /// How far the clocks of two nodes may be apart, nanoseconds. 5 s: what a node without working NTP drifts
  /// in days, and far more than one with it.
  int64_t clock_skew_ns_max = 5'000'000'000;
  /// Lock files kept in the domain, those in use included; each costs kernel memory (docs/OPERATIONS.md).
  size_t lock_files_max = 32768;
  /// Makes OCFS2 fill the empty value block of an inode, see PrimeValueBlock; null: empty ones stay empty.
  std::function<void(const coherence::NodeRef&)> prime;
  const Clock* clock = nullptr;  ///< For tests; null: the real one.
  bool any_file_system = false;  ///< For tests: `dlmfs` need not be dlmfs.
};

/// Makes OCFS2 itself write the attributes of `node` into the value block of its lock: an attempt to replace
/// an extended attribute that does not exist takes the lock exclusively, fails and changes nothing. Recalls
/// every lease on the inode. Has no effect on an immutable inode and on a read-only mount.
void PrimeValueBlock(coherence::Backend& backend, const coherence::NodeRef& node);

/// Leases that are OCFS2's own inode locks: an open lock file of dlmfs is a PR lock on the inode's metadata,
/// for which every writer on every node waits until it is closed (fs/ocfs2/dlmfs, fs/ocfs2/dlmglue.c).
///
/// Thread-safe. The recall thread only marks, closes and calls the listener; it waits for nothing.
/// Released lock files stay, see lock_files.h: they keep the value block for the next Acquire, on any node.
/// Any NodeRef of the volume will do: only its id counts (block number and on-disk generation).
/// Stop does not interrupt an Acquire or PinOpen that waits for a writer; it fails once the writer is done.
/// None may be in progress when the object is destroyed.
///
/// What an error of a lock file means:
/// | error                                         | what follows                   |
/// |-----------------------------------------------|--------------------------------|
/// | out of descriptors or memory                  | no lease of this inode for now |
/// | of one lock                                   | the same                       |
/// | of kBadLocksMax locks with no success between | the domain is lost             |
/// | the domain's directory has gone               | the domain is lost             |
///
/// Lost: all leases are void and the listener is told, once. Acquire then joins the domain anew after a pause
/// that doubles from 1 to 60 s for as long as no lease could be had.
class O2dlmLeaseProvider final : public coherence::LeaseProvider {
 public:
  /// Joins the volume's lock domain. kUnavailable, with one line that says what to do, where that fails.
  static Result<std::unique_ptr<O2dlmLeaseProvider>> Open(O2dlmOptions options);
  ~O2dlmLeaseProvider() override { Stop(); }

  void Start(coherence::LeaseListener* listener) override;
  void Stop() override;
  /// Besides the interface's: kBusy when the process is out of descriptors or this one lock fails; kSystem
  /// ESTALE when the block number now belongs to an inode of another generation; kUnavailable while the
  /// domain is lost.
  Result<coherence::LeaseGrant> Acquire(const coherence::NodeRef& node) override;
  bool LeasesTrees() const override { return true; }
  Result<coherence::LeaseKey> AcquireUnder(coherence::LeaseKey root, const coherence::NodeRef& node) override;
  /// With a file of the inode open, a thread of its own takes the open lock first, which takes a message or
  /// two.
  void Release(coherence::LeaseKey key) override;
  Result<std::unique_ptr<coherence::OpenPin>> PinOpen(const coherence::NodeRef& node) override;
  /// OCFS2 finds the end of the file before it has the inode's lock (ocfs2_file_write_iter of Linux 6.1), so
  /// that of two nodes' appends one can overwrite the other. A lock of our own, which the node keeps until
  /// another one wants it: appends of one node cost no message. Errors as Acquire.
  Result<std::unique_ptr<coherence::AppendLock>> LockAppends(const coherence::NodeRef& node) override;
  Status Barrier() override { return recalls_.Barrier(); }
  int64_t StampGuardNs() const override;
  bool KeepsOldPages() const override { return true; }

 private:
  static constexpr size_t kBadLocksMax = 3;
  static constexpr size_t kPinThreads = 4;
  static constexpr size_t kPinQueueMax = 65536;
  // The locks of one acquisition, and what the M lock's value block says.
  struct Locks {
    LockFile write;
    LockFile meta;
    bool empty = false;  // no valid value block
    std::optional<coherence::FileAttr> attr;
  };

  explicit O2dlmLeaseProvider(O2dlmOptions options)
      : options_(std::move(options)), clock_(options_.clock == nullptr ? real_clock_ : *options_.clock) {}

  Result<std::optional<coherence::FileAttr>> AcquireSlot(coherence::LeaseKey key,
                                                         const coherence::NodeRef& node);
  Result<Locks> TakeLocks(InodeId inode);
  // Unless enough of it is going on.
  void Prime(const coherence::NodeRef& node);
  // Takes the lock; blocks until it is granted.
  Result<LockFile> OpenLock(LockKind kind, InodeId inode, LockLevel level = LockLevel::kShared);
  void ReadValueBlock(InodeId inode, Locks& locks) const;

  // The domain.
  Result<std::shared_ptr<LockFiles>> JoinDomain() const;
  Result<std::shared_ptr<LockFiles>> Domain() EXCLUDES(mutex_);
  void OnOpened() EXCLUDES(mutex_);
  Status OnOpenFailed(const std::shared_ptr<LockFiles>& domain, const std::string& name, const Status& failed)
      EXCLUDES(mutex_);
  bool StarvationIsNews() EXCLUDES(mutex_);
  void Lose(const std::string& why) REQUIRES(mutex_);
  void OnEvent(EventKey key, uint32_t events);
  void TellLoss() EXCLUDES(mutex_);

  const O2dlmOptions options_;
  const RealClock real_clock_;
  const Clock& clock_;
  coherence::LeaseListener* listener_ = nullptr;  // set before the recall thread starts
  LeaseSlots slots_;
  OpenPins pins_{[this](InodeId id) { return OpenLock(LockKind::kOpen, id); }};
  AsioExecutor pinners_{{.name = "pin", .threads = kPinThreads, .queue_max = kPinQueueMax}};
  std::atomic<int> priming_{0};

  Mutex mutex_;
  std::shared_ptr<LockFiles> domain_ GUARDED_BY(mutex_);  // null while it is lost
  bool proven_ GUARDED_BY(mutex_) = true;                 // a lock could be had since it was joined
  bool joining_ GUARDED_BY(mutex_) = false;
  Duration pause_ GUARDED_BY(mutex_){};
  TimePoint rejoin_at_ GUARDED_BY(mutex_){};
  std::set<std::string> bad_locks_ GUARDED_BY(mutex_);  // that failed since the last success
  std::string loss_ GUARDED_BY(mutex_);                 // why; empty: told
  TimePoint starved_until_ GUARDED_BY(mutex_){};  // until then the lack of descriptors is not logged again

  RecallThread recalls_;  // last: its thread uses the others
};

}  // namespace ocfsgw::ocfs2
