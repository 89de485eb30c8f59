#include "coherence/lease_state.h"

#include <algorithm>
#include <cassert>
#include <utility>

namespace ocfsgw::coherence {

LeaseActions LeaseState::OnWant(bool urgent, TimePoint now) {
  LeaseActions actions;
  if (phase_ == LeasePhase::kRecalled && urgent) {
    Drop(actions);
    actions.forced = actions.release;
  }
  if (phase_ == LeasePhase::kNone && mutations_ == 0 && (urgent || now >= hold_off_until_)) {
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

LeaseActions LeaseState::OnRecall(TimePoint hold_off_until) {
  LeaseActions actions;
  hold_off_until_ = std::max(hold_off_until_, hold_off_until);
  if (phase_ == LeasePhase::kAcquiring) {
    cancelled_ = true;
    actions.release = true;
  } else if (phase_ == LeasePhase::kHeld) {
    phase_ = LeasePhase::kRecalled;
    ++epoch_;
    Advance(actions);
    actions.start_timer = phase_ == LeasePhase::kRecalled;
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
  }
  return actions;
}

LeaseActions LeaseState::OnTimer(uint32_t epoch) {
  LeaseActions actions;
  if (phase_ == LeasePhase::kRecalled && epoch == epoch_) {
    Drop(actions);
    actions.forced = true;
  }
  return actions;
}

LeaseActions LeaseState::OnInvalidated(uint64_t upto) {
  assert(invalidations_ > 0);
  LeaseActions actions;
  --invalidations_;
  clean_ = std::max(clean_, upto);
  if (phase_ == LeasePhase::kRecalled) {
    if (!kernel_pages() || invalidations_ == 0) Advance(actions);
  } else if (invalidations_ == 0) {
    TakeBackSuspects(actions);
  }
  return actions;
}

bool LeaseState::BeginReply(uint32_t epoch) {
  if (phase_ != LeasePhase::kHeld || epoch != epoch_) return false;
  ++replies_;
  ++pages_;
  return true;
}

LeaseActions LeaseState::EndReply() {
  assert(replies_ > 0);
  LeaseActions actions;
  --replies_;
  Advance(actions);
  return actions;
}

LeaseActions LeaseState::OnUncoveredReply() {
  LeaseActions actions;
  suspect_ = ++pages_;
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

LeaseActions LeaseState::OnMutationEnd(bool wrote_pages, TimePoint hold_off_until) {
  assert(mutations_ > 0);
  LeaseActions actions;
  --mutations_;
  hold_off_until_ = std::max(hold_off_until_, hold_off_until);
  if (wrote_pages) ++pages_;
  // A lease taken before the last mutation ended would have been dropped by it: whatever the kernel has is
  // uncovered.
  if (kernel_pages()) {
    suspect_ = pages_;
    TakeBackSuspects(actions);
  }
  return actions;
}

void LeaseState::Drop(LeaseActions& actions) {
  phase_ = LeasePhase::kNone;
  actions.release = true;
  if (kernel_pages()) {
    suspect_ = pages_;
    TakeBackSuspects(actions);
  }
}

void LeaseState::Advance(LeaseActions& actions) {
  if (phase_ != LeasePhase::kRecalled || replies_ > 0) return;
  if (kernel_pages()) {
    Invalidate(actions);
  } else {
    phase_ = LeasePhase::kNone;
    actions.release = true;
  }
}

void LeaseState::TakeBackSuspects(LeaseActions& actions) {
  if (suspect() && invalidations_ == 0) Invalidate(actions);
}

void LeaseState::Invalidate(LeaseActions& actions) {
  ++invalidations_;
  actions.invalidate = true;
  actions.invalidate_upto = pages_;
}

}  // namespace ocfsgw::coherence
