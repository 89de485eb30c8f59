#pragma once

#include <algorithm>
#include <vector>

#include "base/clock.h"

namespace ocfsgw::coherence {

/// Who of those that wait for a directory's attributes is refused with ESTALE, because names of it turned out
/// to be false and cannot be taken back: one of them has the directory locked, and it cannot be told which.
/// On ESTALE the kernel lets go of the directory and walks again, once. So all who wait are refused the first
/// time; for a good while after that just one at a time, the first that came: those who were locked out by
/// the first one come before those who walk again. Not thread-safe.
class NameRefusals {
 public:
  /// Names that are false, and cannot be taken back for so long, are a deadlock.
  static constexpr Duration kPatience = std::chrono::milliseconds(100);

  /// It ever came to that: names of this directory had better not be trusted.
  bool any() const { return any_; }

  /// It has come to that and goes on.
  bool active(TimePoint now) const { return any_ && now < last_ + 3 * kPatience; }

  void Enter(TimePoint since) { waiting_.push_back(since); }
  void Leave(TimePoint since) { waiting_.erase(std::find(waiting_.begin(), waiting_.end(), since)); }
  /// Whether the one that has waited since then is refused. `memory`: for how long it is one at a time.
  bool Refuse(TimePoint since, TimePoint now, Duration memory) {
    if (all_ >= since) return true;
    if (now < std::max(since, last_) + kPatience) return false;
    if (any_ && now < all_ + memory) {
      if (waiting_.front() != since) return false;
    } else {
      all_ = now;
    }
    any_ = true;
    last_ = now;
    return true;
  }

 private:
  bool any_ = false;
  TimePoint all_ = TimePoint::min();   ///< When all were refused.
  TimePoint last_ = TimePoint::min();  ///< When any was.
  std::vector<TimePoint> waiting_;     ///< Since when, in the order they came.
};

}  // namespace ocfsgw::coherence
