#pragma once

#include <string>

#include "bench/replay.h"

namespace ocfsgw::bench {

/// `timing`: with requests per second, which differ from run to run; all else does not.
/// A table for people, and the mean share of the optimum for each policy.
std::string ReplayTable(const ReplayResults& results, bool timing);
/// {"seed", "interrupted", "traces": [{"trace", "format", "requests", "bytes", "objects", "cells": [{"size",
/// "capacity", "policy", "hits", "hit_ratio", "byte_hit_ratio", "share_of_optimum" (may be null),
/// "metadata_bytes_per_object", "requests_per_second"}]}], "mean_share_of_optimum": {policy: number}}
std::string ReplayJson(const ReplayResults& results, bool timing);
/// One line per cell, with a header; a share that is not known is empty.
std::string ReplayCsv(const ReplayResults& results, bool timing);

}  // namespace ocfsgw::bench
