#pragma once

#include <string>

namespace ocfsgw::bench {

/// What results depend on, as text for people. What cannot be found out is empty or 0.
struct Machine {
  std::string kernel, distribution, processor;
  unsigned processors = 0;  ///< That this process may use.
  double memory_gib = 0;
  double load = 0;  ///< Of the last minute, getloadavg(3).
};
Machine ThisMachine();

/// Type of the file system that `directory` is on, as in mountinfo, proc(5).
std::string FileSystemOf(const std::string& directory);

}  // namespace ocfsgw::bench
