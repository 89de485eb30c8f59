#pragma once

#include <span>
#include <string>

#include "tests/posix/differential/step.h"

namespace ocfsgw::posixdiff {

/// A difference that is known. Narrow: it says for which call, and what either side tells.
struct Deviation {
  enum class After {
    kGoOn,  ///< Both sides are still in the same state.
    kEnd,   ///< They are not: the rest of the sequence cannot be compared.
  };
  const char* name;
  bool (*matches)(const Step& step, const std::string& bare, const std::string& gateway);
  After after;
  const char* reason;
};

/// End the outcome of a step on a descriptor with O_DIRECT, or in a sequence that has made a file immutable
/// or append-only.
inline constexpr const char* kDirectMark = " (O_DIRECT)";
inline constexpr const char* kFlagsMark = " (inode flags)";

std::span<const Deviation> KnownDeviations();

}  // namespace ocfsgw::posixdiff
