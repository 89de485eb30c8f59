#pragma once

#include <cstdint>
#include <iosfwd>
#include <limits>
#include <string>
#include <vector>

#include "base/status.h"

namespace ocfsgw::history {

/// What a change that never returned has as its end: it may take effect at any time.
inline constexpr int64_t kNever = std::numeric_limits<int64_t>::max();
/// As an intermediate value of a write: while it is in flight, a read may show what nobody wrote (content of
/// the new size with bytes of the old, say).
inline constexpr const char* kAnything = "*";
/// The same, and what was held long before, too: the number of an inode that may have been made, which may be
/// that of one removed before.
inline constexpr const char* kAnythingAgain = "**";
/// Values of the registers "name:DIRECTORY/NAME", which say whether a name exists.
inline constexpr const char* kPresent = "present";
inline constexpr const char* kAbsent = "absent";
inline constexpr const char* kNameRegister = "name:";

/// One operation of a recorded history. What is read and written are *registers*: a block of a file, the
/// whole content of a small file, a mode, an attribute, whether a name exists, which inode it leads to. Each
/// holds one value at a time, a word without blanks.
struct Operation {
  enum class Kind {
    kWrite,  ///< values: what may be seen while it is in flight, then what the register holds afterwards.
    kRead,   ///< values: what was seen; several where a block showed pieces of several writes.
    kList,   ///< object: a directory; values: the names seen.
    kFail,   ///< A look that ended in an error (values: which); claims nothing.
  };
  uint32_t process = 0;  ///< Its operations follow each other, in the order of the history.
  uint32_t place = 0;    ///< The mount it went through.
  int64_t start = 0;     ///< ns of a clock common to all; the operation began at this time or later.
  int64_t end = 0;       ///< It had ended by this time. kNever: it did not return.
  Kind kind = Kind::kRead;
  std::string object;
  std::vector<std::string> values;
};

/// One line each: PROCESS PLACE START END w|r|l|f OBJECT VALUE..., END "-" for kNever.
std::string Format(const Operation& operation);
/// Reads such lines; empty ones and those that begin with # are skipped. kInvalidArgument with the number of
/// the first line that is not one.
Result<std::vector<Operation>> Parse(std::istream& in);

}  // namespace ocfsgw::history
