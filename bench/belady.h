#pragma once

#include <atomic>
#include <cstddef>
#include <optional>

#include "bench/trace.h"

namespace ocfsgw::bench {

struct Hits {
  uint64_t requests = 0;
  uint64_t bytes = 0;
};

/// What a cache of `capacity` objects hits that knows the future: the most that is possible for objects of
/// equal size, each of which is stored when it is asked for, as all our policies do (MIN; Belady, "A study of
/// replacement algorithms for a virtual-storage computer", IBM Systems Journal 1966; proof in Mattson et al.,
/// ibid. 1970). `bytes` are those of its hits, not the most that is possible. O(n log n). Nothing when `stop`
/// was set meanwhile.
std::optional<Hits> BeladyHits(const Trace& trace, size_t capacity, const std::atomic<bool>& stop);

}  // namespace ocfsgw::bench
