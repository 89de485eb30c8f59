#pragma once

#include <vector>

#include "bench/compare.h"

namespace ocfsgw::bench {

/// A ratio that is to be reached.
struct Figure {
  const char* what;
  CompareKey above, below;
  const char* asked;  ///< As text; empty: as low as can be.
};

/// In the order of docs/PERFORMANCE.md.
const std::vector<Figure>& Figures();

}  // namespace ocfsgw::bench
