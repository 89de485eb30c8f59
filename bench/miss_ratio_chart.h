#pragma once

#include <string>

#include "bench/replay.h"

namespace ocfsgw::bench {

/// Miss-ratio curves as an SVG document: one panel for each trace, one line for each policy and the optimum,
/// from the cache sizes that were replayed. Across: cache size in percent of the distinct objects, in
/// logarithmic scale; up: misses / requests.
std::string MissRatioChart(const ReplayResults& results);

}  // namespace ocfsgw::bench
