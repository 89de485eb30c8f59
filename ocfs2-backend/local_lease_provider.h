#pragma once

#include <memory>
#include <set>
#include <unordered_map>

#include "base/mutex.h"
#include "coherence/lease_provider.h"
#include "ocfs2-backend/descriptor.h"
#include "ocfs2-backend/lease_slots.h"
#include "ocfs2-backend/posix_backend.h"
#include "ocfs2-backend/recall_thread.h"

namespace ocfsgw::ocfs2 {

/// Leases for a directory of this machine's own file systems, whose writers are all on this machine: the
/// kernel's file leases (F_SETLEASE, fcntl(2)) where there is one, inotify(7) for everything else.
///
/// | change                                         | noticed by              | strict |
/// |------------------------------------------------|-------------------------|--------|
/// | open for writing, truncate of a regular file   | lease: the writer waits | yes    |
/// | chmod, chown, times, xattrs, link, unlink, ... | inotify, afterwards     | no     |
/// | names of a directory                           | inotify, afterwards     | no     |
///
/// A writer waits at most /proc/sys/fs/lease-break-time, 45 s. Where it is not strict, the change is visible
/// before its recall is delivered; Barrier closes that gap for what happened before it. A removed directory
/// is told to its parent's lease, and to its own only where nodes hold no descriptors (an open one is not
/// deleted yet). Of writers on other machines this provider sees nothing.
///
/// Thread-safe; its mutex is a leaf. The lease signal goes to the recall thread alone, which blocks it:
/// signal masks of other threads do not matter. A regular file costs a descriptor and a watch, others a
/// watch. No Acquire may be in progress when the object is destroyed. `backend` must outlive the provider.
class LocalLeaseProvider final : public coherence::LeaseProvider {
 public:
  /// kUnavailable if the process may have no more inotify instances or descriptors.
  static Result<std::unique_ptr<LocalLeaseProvider>> Open(const PosixBackend& backend);
  ~LocalLeaseProvider() override { Stop(); }

  void Start(coherence::LeaseListener* listener) override;
  void Stop() override;
  /// Does not wait for writers: kBusy while one has the file open, and when descriptors or watches are used
  /// up. kUnsupported if the file system has no leases. The grant has no attributes: ask the backend.
  Result<coherence::LeaseGrant> Acquire(const coherence::NodeRef& node) override;
  void Release(coherence::LeaseKey key) override { slots_.Release(key); }
  /// Costs nothing until the lease of a pinned file ends: then its descriptor is kept.
  Result<std::unique_ptr<coherence::OpenPin>> PinOpen(const coherence::NodeRef& node) override;
  Status Barrier() override { return recalls_.Barrier(); }
  /// Two ticks at HZ=100: no clock skew within one machine.
  int64_t StampGuardNs() const override { return 20'000'000; }

 private:
  class Hold;
  class Pin;
  struct Pinned {
    size_t pins = 0;
    UniqueFd fd{};  ///< That of the first lease that ended since, if one did.
  };

  explicit LocalLeaseProvider(const PosixBackend& backend) : backend_(backend) {}
  Status AcquireSlot(coherence::LeaseKey key, const coherence::NodeRef& node);
  Status SetLease(int fd) const;
  Status AddWatch(coherence::LeaseKey key, int fd, Hold& hold);
  void PrepareThread();
  void OnEvent(EventKey key);
  void ReadInotify();
  void ReadSignals();
  void OnWatch(int watch);
  void OnLeaseBroken(int fd);
  void Recall(coherence::LeaseKey key);
  void LoseLeases(const char* why);

  const PosixBackend& backend_;
  coherence::LeaseListener* listener_ = nullptr;  // set before the recall thread starts
  UniqueFd inotify_;
  UniqueFd signals_;          // made by the recall thread, before Start returns
  int recall_thread_id_ = 0;  // likewise

  Mutex mutex_;
  std::unordered_map<int, coherence::LeaseKey> by_watch_ GUARDED_BY(mutex_);
  std::unordered_map<int, coherence::LeaseKey> by_fd_ GUARDED_BY(mutex_);
  std::unordered_map<InodeId, Pinned> pinned_ GUARDED_BY(mutex_);
  // Between inotify_add_watch and the entry in by_watch_: how many are there, and which unknown watches had
  // events.
  int adding_watches_ GUARDED_BY(mutex_) = 0;
  std::set<int> early_events_ GUARDED_BY(mutex_);

  LeaseSlots slots_;
  RecallThread recalls_;  // last: its thread uses the others
};

}  // namespace ocfsgw::ocfs2
