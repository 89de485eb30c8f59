#pragma once

#include <fstream>
#include <string>

#include "base/status.h"

namespace ocfsgw::bench {

/// Where a trace goes: a file, or standard output. What was in the file is gone. Thread-compatible.
class TraceOutput {
 public:
  /// Standard output if `path` is empty. If the file cannot be opened, Flush says so.
  explicit TraceOutput(const std::string& path);
  /// Writes what is in `text`, and empties it. kSystem, beginning with the path.
  Status Flush(std::string& text);

 private:
  const std::string path_;
  std::ofstream file_;
};

}  // namespace ocfsgw::bench
