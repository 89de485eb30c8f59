#pragma once

#include <algorithm>

#include "base/clock.h"

namespace ocfsgw::coherence {

/// How long a lease is not asked for again after a writer took it. A lease that did not last twice as long as
/// the hold-off before it was not worth its lock messages: the next hold-off is twice as long. One that did
/// starts anew with the shortest. Not thread-safe.
class HoldOff {
 public:
  struct Limits {
    Duration first = std::chrono::milliseconds(500);
    Duration most = std::chrono::seconds(30);
    Duration quiet = std::chrono::milliseconds(500);  ///< Without a recall, before quiet().
  };

  void OnGranted(TimePoint now) { granted_ = now; }
  void OnTaken(TimePoint now, const Limits& limits) {
    taken_ = now;
    length_ = now - granted_ >= 2 * length_ ? limits.first
                                            : std::clamp<Duration>(2 * length_, limits.first, limits.most);
  }
  /// A writer ever took a lease.
  bool ever() const { return taken_ != TimePoint::min(); }
  /// No writer took a lease for so long that one is not expected soon.
  bool quiet(TimePoint now, const Limits& limits) const { return now >= taken_ + limits.quiet; }
  /// When one that begins now ends.
  TimePoint End(TimePoint now, const Limits& limits) const { return now + std::max(length_, limits.first); }
  /// The inode is written so often that leases were lost several times in a row: READs do without one, too,
  /// until the hold-off has passed.
  bool contended(const Limits& limits) const {
    return length_ >= kContended * limits.first && length_ > Duration{};
  }

 private:
  static constexpr int kContended = 4;
  Duration length_{};
  TimePoint granted_{};
  TimePoint taken_ = TimePoint::min();  // never
};

}  // namespace ocfsgw::coherence
