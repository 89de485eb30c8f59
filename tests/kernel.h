#pragma once

#include <sys/utsname.h>

#include <cstdio>
#include <utility>

namespace ocfsgw {

/// Whether the running kernel is older than Linux `major`.`minor`.
inline bool KernelBefore(int major, int minor) {
  utsname name{};
  std::pair<int, int> running;
  if (uname(&name) != 0 || std::sscanf(name.release, "%d.%d", &running.first, &running.second) != 2) {
    return true;
  }
  return running < std::pair(major, minor);
}

}  // namespace ocfsgw
