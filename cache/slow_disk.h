#pragma once

#include <cstddef>
#include <list>
#include <optional>

#include "base/clock.h"

namespace ocfsgw::cache {

/// Whether the cache's disk answers look-ups in time. It is slow from when a look-up has waited for it for
/// more than `limit` until it was quick to kQuickProbes probes in a row and no such look-up is left.
/// Thread-compatible: its owner locks. `now` never goes back.
///
/// 1. While it is slow no look-up begins: only those that were under way wait, each for as long as its own
///    reads take (a read of a file cannot be called off).
/// 2. No more than kLookupsMax are under way at a time.
class SlowDisk {
 public:
  /// Look-ups wait in threads that have other requests to answer, of which the session has 64 at most: a
  /// quarter of them is left when a disk hangs for ever.
  static constexpr size_t kLookupsMax = 48;
  static constexpr int kQuickProbes = 3;

  explicit SlowDisk(Duration limit) : limit_(limit) {}

  using Lookup = std::list<TimePoint>::iterator;
  /// A look-up is about to read the disk; nullopt: it must not. REQUIRES: End when it has read.
  std::optional<Lookup> Begin(TimePoint now);
  void End(Lookup lookup, TimePoint now);

  /// A probe took so long. It is quick if that is half the limit or less, so that a disk at the limit does
  /// not go in and out of service.
  void Probed(Duration took, TimePoint now);

  bool slow() const { return slow_; }

 private:
  bool HasLate(TimePoint now) const { return !lookups_.empty() && now - lookups_.front() > limit_; }
  void SetSlow();

  const Duration limit_;
  std::list<TimePoint> lookups_;  // when those under way began, the oldest first
  bool slow_ = false;
  int quick_probes_ = 0;  // in a row, since slow_
};

}  // namespace ocfsgw::cache
