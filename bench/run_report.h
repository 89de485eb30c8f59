#pragma once

#include <string>

#include "bench/run.h"

namespace ocfsgw::bench {

/// Median round of the mount over the median round of the baseline: above 1, the mount is slower. Nothing if
/// there is no baseline, or no ended round. Likewise of one kind of operation, by the histograms' medians.
std::optional<double> RoundRatio(const WorkloadResult& result);
std::optional<double> OpRatio(const WorkloadResult& result, OpKind kind);

/// For people: latencies in microseconds.
std::string RunTable(const RunResults& results);
/// One object; latencies in nanoseconds, durations in seconds.
std::string RunJson(const RunResults& results);
/// A line for each workload, directory and kind of operation, with a header; latencies in nanoseconds.
std::string RunCsv(const RunResults& results);

}  // namespace ocfsgw::bench
