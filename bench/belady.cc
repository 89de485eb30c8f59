#include "bench/belady.h"

#include <queue>
#include <vector>

namespace ocfsgw::bench {
namespace {

constexpr uint32_t kNever = UINT32_MAX;  // as the next use; TraceLimits keeps requests below

/// For each request, the number of the next one for the same object.
std::vector<uint32_t> NextUses(const Trace& trace) {
  std::vector<uint32_t> next(trace.requests.size());
  std::vector<uint32_t> seen(trace.objects(), kNever);
  for (size_t i = trace.requests.size(); i-- > 0;) {
    next[i] = seen[trace.requests[i]];
    seen[trace.requests[i]] = static_cast<uint32_t>(i);
  }
  return next;
}

}  // namespace

std::optional<Hits> BeladyHits(const Trace& trace, size_t capacity, const std::atomic<bool>& stop) {
  Hits hits;
  if (capacity == 0) return hits;
  const std::vector<uint32_t> next = NextUses(trace);
  constexpr uint32_t kAbsent = 0;                            // no next use is 0
  std::vector<uint32_t> resident(trace.objects(), kAbsent);  // next use of those that are resident
  size_t size = 0;
  // Farthest next use first. An entry is void if the object's next use is another by now; one that is never
  // used again has just one entry.
  std::priority_queue<std::pair<uint32_t, uint32_t>> farthest;
  for (size_t i = 0; i < trace.requests.size(); ++i) {
    if (i % 65536 == 0 && stop) return std::nullopt;
    const uint32_t object = trace.requests[i];
    if (resident[object] != kAbsent) {
      ++hits.requests;
      hits.bytes += trace.object_bytes[object];
    } else if (++size > capacity) {
      while (resident[farthest.top().second] != farthest.top().first) farthest.pop();
      resident[farthest.top().second] = kAbsent;
      farthest.pop();
      --size;
    }
    resident[object] = next[i];
    farthest.emplace(next[i], object);
  }
  return hits;
}

}  // namespace ocfsgw::bench
