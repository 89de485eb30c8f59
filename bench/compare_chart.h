#pragma once

#include <string>

#include "bench/compare.h"

namespace ocfsgw::bench {

/// Ratios to the bare directory as an SVG document: a group of bars for each workload and state, a bar for
/// each contender with its range, in logarithmic scale.
std::string CompareChart(const CompareResults& results);

}  // namespace ocfsgw::bench
