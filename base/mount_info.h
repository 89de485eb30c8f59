#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

namespace ocfsgw {

/// A line of /proc/PID/mountinfo, proc(5).
struct MountInfo {
  uint64_t id = 0;
  dev_t device = 0;
  std::string root;  ///< What of the file system is mounted; as written there, \040 for a blank.
  std::string path;  ///< Where, plain.
  std::vector<std::string> options;  ///< Per mount, then the optional fields: "shared:1", ...
  std::string type;
  std::string super_options;  ///< Comma-separated.
};

/// What is no such line is left out.
std::vector<MountInfo> ParseMountInfo(const std::string& text);
/// /proc/self/mountinfo as it is now; empty if it cannot be read.
std::string ReadMountInfo();

}  // namespace ocfsgw
