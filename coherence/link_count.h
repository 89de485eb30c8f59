#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>

#include "base/clock.h"

namespace ocfsgw::coherence {

/// Whether the kernel may be about to count a link less. When a removal of a name is answered it takes one
/// off the count that it has of the file (fuse_entry_unlinked() of Linux), also off one that it was told
/// meanwhile and that had the name gone already. A file with a name left then has none for the kernel, which
/// refuses to link it (vfs_link(): ENOENT). So what is told of the file while a removal is under way, and for
/// a moment after its answer, is to be dropped by the kernel. Thread-safe.
class LinkCount {
 public:
  /// The thread that waits for the answer may have to wait for a processor.
  static constexpr Duration kMoment = std::chrono::seconds(1);

  void OnRemoval() { removals_.fetch_add(1); }
  /// Before its answer.
  void OnRemoved(TimePoint now) {
    until_.store((now + kMoment).time_since_epoch().count());
    removals_.fetch_sub(1);
  }
  bool Changing(TimePoint now) const {
    return removals_.load() > 0 || now.time_since_epoch().count() < until_.load();
  }

 private:
  std::atomic<uint32_t> removals_{0};
  std::atomic<TimePoint::rep> until_{0};
};

}  // namespace ocfsgw::coherence
