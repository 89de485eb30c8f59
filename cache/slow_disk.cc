#include "cache/slow_disk.h"

namespace ocfsgw::cache {

std::optional<SlowDisk::Lookup> SlowDisk::Begin(TimePoint now) {
  if (HasLate(now)) {
    SetSlow();
  }
  if (slow_ || lookups_.size() >= kLookupsMax) {
    return std::nullopt;
  }
  return lookups_.insert(lookups_.end(), now);
}

void SlowDisk::End(Lookup lookup, TimePoint now) {
  if (now - *lookup > limit_) {
    SetSlow();
  }
  lookups_.erase(lookup);
}

void SlowDisk::Probed(Duration took, TimePoint now) {
  quick_probes_ = took <= limit_ / 2 && !HasLate(now) ? quick_probes_ + 1 : 0;
  slow_ = slow_ && quick_probes_ < kQuickProbes;
}

void SlowDisk::SetSlow() {
  slow_ = true;
  quick_probes_ = 0;
}

}  // namespace ocfsgw::cache
