#pragma once

#include <atomic>
#include <memory>
#include <string>

#include "coherence/lease_provider.h"
#include "ocfs2-backend/descriptor.h"
#include "ocfs2-backend/lease_slots.h"
#include "ocfs2-backend/lock_name.h"
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
};

/// Leases that are OCFS2's own inode locks: an open lock file of dlmfs is a PR lock on the inode's metadata,
/// for which every writer on every node waits until it is closed (fs/ocfs2/dlmfs, fs/ocfs2/dlmglue.c).
///
/// Thread-safe. The recall thread only marks, closes and calls the listener; it waits for nothing.
/// Lock files are closed, never unlinked: at NL they keep the value block for the next Acquire, on any node,
/// and unlinking one that is open elsewhere on the node can panic kernels without the fix for CVE-2022-49337.
/// Any NodeRef of the volume will do: only its id counts (block number and on-disk generation).
/// Stop does not interrupt an Acquire or PinOpen that waits for a writer; it fails once the writer is done.
/// None may be in progress when the object is destroyed.
class O2dlmLeaseProvider final : public coherence::LeaseProvider {
 public:
  /// Joins the volume's lock domain. kUnavailable, with one line that says what to do, where that fails.
  static Result<std::unique_ptr<O2dlmLeaseProvider>> Open(O2dlmOptions options);
  ~O2dlmLeaseProvider() override { Stop(); }

  void Start(coherence::LeaseListener* listener) override;
  void Stop() override;
  /// Besides the interface's: kBusy when the process is out of descriptors; kSystem ESTALE when the block
  /// number now belongs to an inode of another generation; kUnavailable for good once the domain is gone.
  Result<coherence::LeaseGrant> Acquire(const coherence::NodeRef& node) override;
  void Release(coherence::LeaseKey key) override { slots_.Release(key); }
  Result<std::unique_ptr<coherence::OpenPin>> PinOpen(const coherence::NodeRef& node) override;
  Status Barrier() override { return recalls_.Barrier(); }
  int64_t StampGuardNs() const override;

 private:
  explicit O2dlmLeaseProvider(O2dlmOptions options)
      : options_(std::move(options)), domain_(options_.dlmfs + "/" + options_.uuid + "/") {}

  Status JoinDomain() const;
  Result<std::optional<coherence::FileAttr>> AcquireSlot(coherence::LeaseKey key, InodeId inode);
  // Takes the lock at PR; blocks until it is granted.
  Result<UniqueFd> OpenLock(LockKind kind, InodeId inode);
  std::optional<coherence::FileAttr> ReadValueBlock(int fd, InodeId inode) const;
  Status OnOpenFailed(int err);
  void OnEvent(EventKey key, uint32_t events);
  void LoseLeases();

  const O2dlmOptions options_;
  const std::string domain_;                      // directory of the lock files, with '/'
  coherence::LeaseListener* listener_ = nullptr;  // set before the recall thread starts
  LeaseSlots slots_;
  std::atomic<bool> lost_{false};  // domain gone; once set, stays
  bool told_lost_ = false;         // recall thread only
  RecallThread recalls_;           // last: its thread uses the others
};

}  // namespace ocfsgw::ocfs2
