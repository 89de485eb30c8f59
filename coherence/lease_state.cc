#include "coherence/lease_state.h"

#include <algorithm>
#include <cassert>
#include <utility>

namespace ocfsgw::coherence {

LeaseActions LeaseState::OnWant(bool urgent, TimePoint now, bool contended) {
  LeaseActions actions;
  if (phase_ == LeasePhase::kRecalled && urgent) {
    Drop(actions);
    actions.forced = actions.release;
  }
  if (phase_ == LeasePhase::kNone && mutations_ == 0 && ((urgent && !contended) || now >= hold_off_until_)) {
    phase_ = LeasePhase::kAcquiring;
    cancelled_ = false;
    actions.acquire = true;
  }
  return actions;
}

LeaseActions LeaseState::OnGranted() {
  assert(phase_ == LeasePhase::kAcquiring);
  LeaseActions actions;
  if (cancelled_) {
    phase_ = LeasePhase::kNone;
    actions.release = true;
    return actions;
  }
  assert(mutations_ == 0);
  phase_ = LeasePhase::kHeld;
  ++epoch_;
  return actions;
}

LeaseActions LeaseState::OnRefused(TimePoint hold_off_until) {
  assert(phase_ == LeasePhase::kAcquiring);
  phase_ = LeasePhase::kNone;
  hold_off_until_ = std::max(hold_off_until_, hold_off_until);
  return {};
}

LeaseActions LeaseState::OnRecall(TimePoint hold_off_until, bool at_once) {
  LeaseActions actions;
  hold_off_until_ = std::max(hold_off_until_, hold_off_until);
  if (phase_ == LeasePhase::kAcquiring) {
    cancelled_ = true;
    actions.release = true;
  } else if (phase_ == LeasePhase::kHeld) {
    ++epoch_;
    if (at_once) {
      Drop(actions);
    } else {
      phase_ = LeasePhase::kRecalled;
      actions.distrust = trusted();  // also in case the timer comes before any notifier
      Advance(actions);
      actions.start_timer = phase_ == LeasePhase::kRecalled;
    }
  }
  return actions;
}

LeaseActions LeaseState::OnRecallThatMayWait() {
  if (phase_ != LeasePhase::kHeld) return OnRecall(TimePoint::min());
  LeaseActions actions;
  phase_ = LeasePhase::kStale;
  actions.release = true;
  actions.start_stale_timer = true;
  return actions;
}

LeaseActions LeaseState::OnStaleEnd(uint32_t epoch) {
  LeaseActions actions;
  if (phase_ == LeasePhase::kStale && epoch == epoch_) {
    ++epoch_;
    Drop(actions);
    DistrustLater(actions);  // not on the timers' thread
  }
  return actions;
}

LeaseActions LeaseState::OnLost() {
  LeaseActions actions;
  if (phase_ == LeasePhase::kAcquiring) {
    cancelled_ = true;
  } else if (phase_ != LeasePhase::kNone) {
    ++epoch_;
    Drop(actions);
    DistrustLater(actions);  // not on the provider's thread; nobody waits for a lease that is void
  }
  return actions;
}

LeaseActions LeaseState::OnTimer(uint32_t epoch) {
  LeaseActions actions;
  if (phase_ == LeasePhase::kRecalled && epoch == epoch_) {
    Drop(actions);
    actions.forced = true;
    actions.distrust = false;  // was asked for by the recall
  }
  return actions;
}

LeaseActions LeaseState::OnInvalidated(const PageMarks& marks) {
  assert(invalidations_ > 0);
  LeaseActions actions;
  --invalidations_;
  gone_.covered = std::max(gone_.covered, marks.covered);
  gone_.suspect = std::max(gone_.suspect, marks.suspect);
  if (phase_ == LeasePhase::kRecalled) {
    if (!covered() || invalidations_ == 0) Advance(actions);
  }
  TakeBackSuspects(actions);
  return actions;
}

bool LeaseState::OnRevived(uint32_t epoch, uint64_t mark) {
  if (!held() || epoch != epoch_) return false;
  ++present_.covered;
  gone_.suspect = std::max(gone_.suspect, mark);
  return true;
}

bool LeaseState::BeginReply(uint32_t epoch) {
  if (!serving() || epoch != epoch_) return false;
  ++replies_;
  ++present_.covered;
  return true;
}

LeaseActions LeaseState::EndReply() {
  assert(replies_ > 0);
  LeaseActions actions;
  --replies_;
  Advance(actions);
  return actions;
}

bool LeaseState::Trust(uint32_t epoch) {
  if (!serving() || epoch != epoch_ || suspect()) return false;
  if (!trusted()) trust_ = ++present_.covered;
  return true;
}

uint64_t LeaseState::BeginUncovered(LeaseActions& actions) {
  actions.distrust = trusted();
  open_.push_back(++present_.suspect);
  return present_.suspect;
}

LeaseActions LeaseState::EndUncovered(uint64_t ticket) {
  LeaseActions actions;
  const auto it = std::find(open_.begin(), open_.end(), ticket);
  assert(it != open_.end());
  open_.erase(it);
  TakeBackSuspects(actions);
  return actions;
}

LeaseActions LeaseState::OnMutationBegin() {
  LeaseActions actions;
  ++mutations_;
  ++epoch_;
  if (phase_ == LeasePhase::kAcquiring) {
    cancelled_ = true;
  } else if (phase_ != LeasePhase::kNone) {
    Drop(actions);
  }
  return actions;
}

void LeaseState::OnMutationEnd(TimePoint hold_off_until) {
  assert(mutations_ > 0);
  --mutations_;
  hold_off_until_ = std::max(hold_off_until_, hold_off_until);
}

void LeaseState::Drop(LeaseActions& actions) {
  phase_ = LeasePhase::kNone;
  actions.release = true;
  actions.distrust = trusted();
  if (covered()) {
    gone_.covered = present_.covered;
    ++present_.suspect;
    TakeBackSuspects(actions);
  }
}

void LeaseState::DistrustLater(LeaseActions& actions) {
  if (actions.distrust && !actions.invalidate)
    Invalidate(actions);  // an older one may be stuck, this one must run
  actions.distrust = false;
}

void LeaseState::Advance(LeaseActions& actions) {
  if (phase_ != LeasePhase::kRecalled || replies_ > 0) return;
  if (covered()) {
    Invalidate(actions);
  } else {
    phase_ = LeasePhase::kNone;
    actions.release = true;
  }
}

uint64_t LeaseState::SuspectReach() const {
  if (open_.empty()) return present_.suspect;
  // A ticket may be a WRITE's, and the page that is left out for it one that has been suspect for longer: the
  // rest of that page is as old as before.
  if (mutations_ > 0) return gone_.suspect;
  return open_.front() - 1;
}

void LeaseState::TakeBackSuspects(LeaseActions& actions) {
  if (!actions.invalidate && invalidations_ == 0 && SuspectReach() > gone_.suspect) Invalidate(actions);
}

void LeaseState::Invalidate(LeaseActions& actions) {
  ++invalidations_;
  actions.invalidate = true;
  actions.marks = {present_.covered, SuspectReach()};
}

}  // namespace ocfsgw::coherence
