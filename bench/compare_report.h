#pragma once

#include <string>

#include "bench/compare.h"
#include "bench/machine.h"

namespace ocfsgw::bench {

/// Where, how and of what results are.
struct CompareSetting {
  Machine machine;
  std::string source_type, work_type;  ///< Of file system.
  std::string command;
  double load_at_end = 0;  ///< As Machine::load.
  unsigned rounds = 0;
  WorkloadParameters parameters;
};

/// For people: milliseconds, ratios to the bare directory, and the figures.
std::string CompareTable(const CompareResults& results);
/// One object; seconds of each round.
std::string CompareJson(const CompareSetting& setting, const CompareResults& results);
/// A line for each cell, with a header; seconds.
std::string CompareCsv(const CompareResults& results);
/// docs/PERFORMANCE.md; `chart`: of an SVG file, from there, empty if there is none.
std::string CompareMarkdown(const CompareSetting& setting, const CompareResults& results,
                            const std::string& chart);

}  // namespace ocfsgw::bench
