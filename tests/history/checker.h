#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "tests/history/history.h"

namespace ocfsgw::history {

/// Which value a read may return (docs/COHERENCE.md, "What a legal read is"). An operation precedes another
/// if it ended before the other started, or if both are of one process and it comes first in the history.
/// A read R that shows the value of write W is illegal if
enum class Rule {
  kNeverWritten,  ///< there is no such W (unless R overlaps a write that allows kAnything or kAnythingAgain)
  kFuture,        ///< R precedes W
  kStale,         ///< W precedes a write W' that precedes R
  kBackwards,     ///< W precedes a write whose value a read that precedes R has shown
  kTorn,          ///< R shows several values, of which at least one is illegal by the rules above
};
// A value written more than once is legal if it is legal for one of the writes; any is while a write is in
// flight that allows kAnythingAgain. A listing is a read of each name of its directory that the history
// mentions.

struct CheckOptions {
  /// kBackwards between reads at different places. Off where a write in flight may be visible at the
  /// writer's own place first: FUSE puts it into the pages before it sends it.
  bool backwards_between_places = true;
};

struct Violation {
  Rule rule;
  size_t read;                  ///< Index in the history.
  std::string object;           ///< The register: for a listing, that of the name.
  std::string value;            ///< The illegal one.
  std::optional<size_t> proof;  ///< W', or the read that has shown a later write.
};

struct Report {
  size_t reads = 0;  ///< Registers read: a listing counts once for each name.
  size_t writes = 0;
  std::vector<Violation> violations;
};

/// Deterministic. O(n log n) as long as few writes never return. Writes of one register may overlap.
Report Check(const std::vector<Operation>& history, const CheckOptions& options = {});
/// Several lines: the rule, the read, the write it shows, the proof.
std::string Describe(const Violation& violation, const std::vector<Operation>& history);

}  // namespace ocfsgw::history
