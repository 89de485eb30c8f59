#pragma once

#include <cstdint>

#include "base/clock.h"

namespace ocfsgw::coherence {

enum class LeasePhase : uint8_t {
  kNone,       ///< No lease: nothing is served from caches.
  kAcquiring,  ///< An acquisition thread is asking for it.
  kHeld,       ///< Caches may be served.
  kRecalled,   ///< Somebody wants the lock: nothing more is served, the kernel's pages are being taken back.
};

/// What the driver has to do after an event, in this order, outside of every mutex.
struct LeaseActions {
  bool release = false;     ///< Give the lease back now.
  bool acquire = false;     ///< Ask the provider, on an acquisition thread; then OnGranted or OnRefused.
  bool invalidate = false;  ///< Take all pages back from the kernel but those of requests in flight; then
                            ///< OnInvalidated with `invalidate_upto`.
  uint64_t invalidate_upto = 0;
  bool start_timer = false;  ///< Call OnTimer with the present epoch after half the recall deadline.
  bool forced = false;       ///< `release` comes before the kernel's pages were taken back (counted).
};

/// The lease protocol of one inode as a pure state machine: no threads, no I/O, no clock (docs/COHERENCE.md
/// has the table). Not thread-safe: the owner's mutex guards it.
///
/// Pages in the kernel are tracked by three sequence numbers: `pages` counts the answers that put pages
/// there, `suspect` is the last of them that no lease covers any more, `clean` the last of them that has been
/// taken back.
///
/// 1. kHeld implies mutations() == 0.
/// 2. The epoch grows whenever something that was allowed before is not allowed any more.
/// 3. A lease is released with pages left in the kernel only by force or by a local mutation; they are
/// suspect then.
/// 4. At most one acquisition runs at a time. Invalidations of suspect pages run one at a time; a recall
/// starts its own at
///    once, since an older one may be waiting for a page of a READ that waits for the very writer behind the
///    recall.
class LeaseState {
 public:
  LeasePhase phase() const { return phase_; }
  bool held() const { return phase_ == LeasePhase::kHeld; }
  uint32_t epoch() const { return epoch_; }
  uint32_t mutations() const { return mutations_; }
  /// The kernel may hold pages that came from us.
  bool kernel_pages() const { return pages_ > clean_; }
  /// The kernel may hold pages that no lease covers: attributes are not answered before they are gone.
  bool suspect() const { return suspect_ > clean_; }
  /// Nothing refers to this inode from inside the protocol.
  bool idle() const {
    return phase_ == LeasePhase::kNone && mutations_ == 0 && replies_ == 0 && invalidations_ == 0;
  }

  /// Somebody would like to serve from caches. `urgent`: the kernel waits with a locked page (READ), so the
  /// hold-off does not count and a recalled lease is given back by force before a new one is asked for.
  LeaseActions OnWant(bool urgent, TimePoint now);
  LeaseActions OnGranted();
  LeaseActions OnRefused(TimePoint hold_off_until);
  /// The lock is wanted by another (or the lease is not worth keeping: then with a hold-off in the past).
  LeaseActions OnRecall(TimePoint hold_off_until);
  /// The provider lost all leases.
  LeaseActions OnLost();
  LeaseActions OnTimer(uint32_t epoch);
  LeaseActions OnInvalidated(uint64_t upto);

  /// Whether an answer that fills pages may be sent under the lease of `epoch`; if so EndReply must follow
  /// it.
  bool BeginReply(uint32_t epoch);
  LeaseActions EndReply();
  /// An answer that filled pages has been sent without a lease.
  LeaseActions OnUncoveredReply();

  /// This gateway is about to change the inode: the lease goes first, and none is taken before OnMutationEnd.
  LeaseActions OnMutationBegin();
  /// After the reply. `wrote_pages`: the kernel keeps what was written in its pages.
  LeaseActions OnMutationEnd(bool wrote_pages, TimePoint hold_off_until);

 private:
  void Drop(LeaseActions& actions);     // lease given back first, the kernel's pages taken back after it
  void Advance(LeaseActions& actions);  // next step of a recall
  void TakeBackSuspects(LeaseActions& actions);  // unless that is being done
  void Invalidate(LeaseActions& actions);

  LeasePhase phase_ = LeasePhase::kNone;
  bool cancelled_ = false;  // kAcquiring: give the grant back at once
  uint32_t epoch_ = 0;
  uint32_t mutations_ = 0;
  uint32_t invalidations_ = 0;  // running
  uint32_t replies_ = 0;        // answers being sent under the present or the recalled lease
  uint64_t pages_ = 0;
  uint64_t suspect_ = 0;
  uint64_t clean_ = 0;
  TimePoint hold_off_until_{};
};

}  // namespace ocfsgw::coherence
