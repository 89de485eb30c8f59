#pragma once

#include <algorithm>

#include "base/clock.h"

namespace ocfsgw::coherence {

/// How long a lease may be left alone before it is given back. What the kernel answers from its own caches is
/// not seen here, so an inode that nobody asks for may be in use all the time: it is asked for again as soon
/// as its lease has been given back. One that is, within the time it had, has earned twice that time, up to
/// kGrowth times the first; one that is not starts anew. Not thread-safe.
class IdleTime {
 public:
  static constexpr int kGrowth = 16;

  /// `first`: the time allowed at first.
  void OnAsked(TimePoint now, Duration first) {
    if (given_back_) {
      const bool soon = now - given_back_at_ < times_ * first;
      times_ = soon ? std::min(2 * times_, kGrowth) : 1;
      given_back_ = false;
    }
    asked_at_ = now;
  }
  void OnGivenBack(TimePoint now) {
    given_back_ = true;
    given_back_at_ = now;
  }
  bool Over(TimePoint now, Duration first) const { return now - asked_at_ >= times_ * first; }

 private:
  int times_ = 1;
  bool given_back_ = false;  // for being idle, and not asked for since
  TimePoint asked_at_{};
  TimePoint given_back_at_{};
};

}  // namespace ocfsgw::coherence
