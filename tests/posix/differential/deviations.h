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

/// What the tester adds to an outcome: that the descriptor has O_DIRECT, or is of neither a file nor a
/// directory; that it is of a directory or with O_PATH, and what it refers to has no name any more; that a
/// file was made immutable or append-only before; what a failed change has left of the set-id bits; the mtime
/// after a truncation.
inline constexpr const char* kHoleMark = " (only zeros)";  // what lseek(2) has called a hole
inline constexpr const char* kDirectMark = " (O_DIRECT)";
inline constexpr const char* kRemovedMark = " (removed)";
inline constexpr const char* kFlagsMark = " (inode flags)";
inline constexpr const char* kSpecialMark = " (special)";
inline constexpr const char* kMtimeMark = " mtime ";
inline constexpr const char* kSetIdMark = " (set-id ";

std::span<const Deviation> KnownDeviations();

}  // namespace ocfsgw::posixdiff
