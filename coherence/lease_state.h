#pragma once

#include <cstdint>
#include <vector>

#include "base/clock.h"

namespace ocfsgw::coherence {

enum class LeasePhase : uint8_t {
  kNone,       ///< No lease: nothing is served from caches.
  kAcquiring,  ///< An acquisition thread is asking for it.
  kHeld,       ///< Caches may be served.
  kRecalled,   ///< Somebody wants the lock: nothing more is served, the kernel's pages are being taken back.
  kStale,      ///< Given back, and what was known is served for a while all the same (max_staleness_ms).
};

/// What one invalidation takes back, all of it or what came before a moment: see LeaseState.
struct PageMarks {
  uint64_t covered = 0;
  uint64_t suspect = 0;
};

/// What the driver has to do after an event, in this order, outside of every mutex.
struct LeaseActions {
  bool distrust = false;  ///< Have the kernel ask for the attributes again: before `release`, on this thread.
  bool release = false;   ///< Give the lease back now.
  bool acquire = false;   ///< Ask the provider, on an acquisition thread; then OnGranted or OnRefused.
  bool invalidate = false;  ///< Take all pages back from the kernel but those of requests in flight; then
                            ///< OnInvalidated with `marks`.
  bool start_stale_timer = false;  ///< Call OnStaleEnd with the present epoch after the staleness allowed.
  bool start_timer = false;        ///< Call OnTimer with the present epoch after half the recall deadline.
  bool forced = false;             ///< `release` comes before the kernel's pages were taken back (counted).
  PageMarks marks;
};

/// The lease protocol of one inode as a pure state machine: no threads, no I/O, no clock (docs/COHERENCE.md
/// has the table). Not thread-safe: the owner's mutex guards it.
///
/// The names of a directory that the kernel was told to trust are its pages. Pages in the kernel are of two
/// kinds, each counted by a pair of growing numbers, "put there" and "taken
/// back": *covered* by the lease under which they were answered, and *suspect*, which no lease covers. Every
/// answer that will put suspect pages there (a READ without a lease, a WRITE through the page cache) draws a
/// ticket before it touches the backend and closes it after it was answered: until then its pages count as
/// present, and no invalidation takes them back.
///
/// The kernel may also be told to trust attributes for as long as the lease is held. They count as covered,
/// and as there is nothing to wait for in taking them back, that comes first in every release, forced or not:
/// from then on the kernel asks before it uses what it has.
///
/// 1. kHeld implies that no change of our own is under way.
/// 2. The epoch grows whenever something that was allowed before is not allowed any more.
/// 3. A lease is released with covered pages in the kernel only by force, by a local change, at once where
///    attributes guard them, or where staleness is allowed; but for the last they are suspect then.
/// 4. At most one acquisition runs at a time. Invalidations of suspect pages run one at a time; a recall
///    starts its own at once, since an older one may be waiting for a page of a READ that waits for the very
///    writer behind the recall.
/// 5. Attributes are trusted only while nothing is suspect.
class LeaseState {
 public:
  LeasePhase phase() const { return phase_; }
  bool held() const { return phase_ == LeasePhase::kHeld; }
  /// What is known may be served; unless held() it may be old, and nothing new belongs to it.
  bool serving() const { return held() || phase_ == LeasePhase::kStale; }
  uint32_t epoch() const { return epoch_; }
  /// The kernel may hold pages that no lease covers: attributes are not answered before they are gone.
  bool suspect() const { return present_.suspect > gone_.suspect; }
  /// The youngest suspect page there may be now, for SettledUpTo.
  uint64_t suspect_mark() const { return present_.suspect; }
  /// What an invalidation that starts now takes back: nothing from an open ticket on, nothing at all beside a
  /// WRITE.
  uint64_t SuspectReach() const;
  /// Until when OnWant asks for nothing.
  TimePoint hold_off_until() const { return hold_off_until_; }
  void set_hold_off_until(TimePoint until) { hold_off_until_ = until; }
  /// The kernel has something that the lease covers.
  bool covered() const { return present_.covered > gone_.covered; }
  /// A change of our own is under way.
  bool changing() const { return mutations_ > 0; }
  /// All pages up to `mark` have been taken back.
  bool SettledUpTo(uint64_t mark) const { return gone_.suspect >= mark; }
  /// Nothing refers to this inode from inside the protocol.
  bool idle() const {
    return phase_ == LeasePhase::kNone && mutations_ == 0 && replies_ == 0 && invalidations_ == 0 &&
           open_.empty();
  }

  /// Somebody would like to serve from caches. `urgent`: the kernel waits with a locked page (READ), so a
  /// recalled lease is given back by force before a new one is asked for, and the hold-off does not count
  /// unless the inode is `contended`.
  LeaseActions OnWant(bool urgent, TimePoint now, bool contended = false);
  LeaseActions OnGranted();
  LeaseActions OnRefused(TimePoint hold_off_until);
  /// The lock is wanted by another (or the lease is not worth keeping: then with a hold-off in the past).
  /// `at_once`: the kernel uses nothing of the inode without asking for its attributes first (a directory, a
  /// file that nobody has open), so the lease goes now and what the kernel has is suspect.
  LeaseActions OnRecall(TimePoint hold_off_until, bool at_once = false);
  /// The same where what is known may be served for a while without a lease: the writer waits for nothing.
  LeaseActions OnRecallThatMayWait();
  LeaseActions OnStaleEnd(uint32_t epoch);
  /// The provider lost all leases.
  LeaseActions OnLost();
  LeaseActions OnTimer(uint32_t epoch);
  LeaseActions OnInvalidated(const PageMarks& marks);
  /// What was suspect up to `mark` was found true under the lease of `epoch`: that lease covers it. False if
  /// the lease is not held any more.
  bool OnRevived(uint32_t epoch, uint64_t mark);

  /// Whether an answer that fills pages may be sent under the lease of `epoch`; if so EndReply must follow
  /// it.
  bool BeginReply(uint32_t epoch);
  LeaseActions EndReply();

  /// Whether the kernel may be told to trust attributes that belong to the lease of `epoch`. The answer may
  /// be sent at any time after this: the kernel drops attributes that it asked for before an invalidation.
  bool Trust(uint32_t epoch);
  /// Whether pages that the kernel has may be kept for another open of the file.
  bool MayKeepPages() const { return serving() && !suspect(); }

  /// A ticket for an answer that no lease covers; before the backend is touched.
  uint64_t BeginUncovered(LeaseActions& actions);
  /// The answer has been sent, or there was none.
  LeaseActions EndUncovered(uint64_t ticket);

  /// This gateway is about to change the inode: the lease goes first, and none is taken before OnMutationEnd.
  LeaseActions OnMutationBegin();
  void OnMutationEnd(TimePoint hold_off_until);

  // The exploration compares whole states (tests/unit/coherence/lease_world.h).
  friend struct LeaseStateProbe;

 private:
  bool trusted() const { return trust_ > gone_.covered; }
  void Drop(LeaseActions& actions);  // lease given back first, the kernel's pages taken back after it
  void DistrustLater(LeaseActions& actions);     // by an invalidation instead of on the calling thread
  void Advance(LeaseActions& actions);           // next step of a recall
  void TakeBackSuspects(LeaseActions& actions);  // unless that is being done, or can have no effect yet
  void Invalidate(LeaseActions& actions);

  LeasePhase phase_ = LeasePhase::kNone;
  bool cancelled_ = false;  // kAcquiring: give the grant back at once
  uint32_t epoch_ = 0;
  uint32_t mutations_ = 0;
  uint32_t invalidations_ = 0;  // running
  uint32_t replies_ = 0;        // answers being sent under the present or the recalled lease
  PageMarks present_;
  PageMarks gone_;
  uint64_t trust_ = 0;          // the covered mark of the attributes that the kernel trusts
  std::vector<uint64_t> open_;  // tickets, ascending
  TimePoint hold_off_until_{};
};

}  // namespace ocfsgw::coherence
