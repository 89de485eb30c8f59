#pragma once

#include <sys/types.h>

#include <string>

namespace ocfsgw::mounttest {

/// Cleans up after a test that dies (by CTest's time limit, say): a process that waits for the test's end and
/// then kills the gateway, unmounts and removes the directory.
class Janitor {
 public:
  Janitor(const std::string& mountpoint, const std::string& directory);
  /// The test has cleaned up itself.
  ~Janitor();
  Janitor(const Janitor&) = delete;
  Janitor& operator=(const Janitor&) = delete;

 private:
  int pipe_ = -1;  ///< Its end is what the janitor waits for.
  pid_t pid_ = -1;
};

}  // namespace ocfsgw::mounttest
