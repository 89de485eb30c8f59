#include "bench/machine.h"

#include <sys/stat.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>

#include <cstdlib>
#include <fstream>
#include <thread>

#include "base/mount_info.h"

namespace ocfsgw::bench {
namespace {

/// What follows `separator` in the first line of a file that begins with `key`, without blanks and quotes
/// around it.
std::string ValueOf(const char* path, const std::string& key, char separator) {
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    const size_t at = line.find(separator);
    if (at == std::string::npos || line.compare(0, key.size(), key) != 0) continue;
    const size_t begin = line.find_first_not_of(" \t\"", at + 1), end = line.find_last_not_of(" \t\"");
    return begin == std::string::npos ? std::string() : line.substr(begin, end - begin + 1);
  }
  return {};
}

}  // namespace

Machine ThisMachine() {
  Machine machine;
  utsname name{};
  if (uname(&name) == 0) machine.kernel = name.release;
  machine.distribution = ValueOf("/etc/os-release", "PRETTY_NAME", '=');
  machine.processor = ValueOf("/proc/cpuinfo", "model name", ':');
  machine.processors = std::thread::hardware_concurrency();
  struct sysinfo info {};
  if (sysinfo(&info) == 0)
    machine.memory_gib = static_cast<double>(info.totalram) * info.mem_unit / (1 << 30);
  if (getloadavg(&machine.load, 1) != 1) machine.load = 0;
  return machine;
}

std::string FileSystemOf(const std::string& directory) {
  struct stat st {};
  if (stat(directory.c_str(), &st) != 0) return {};
  for (const auto& mount : ParseMountInfo(ReadMountInfo())) {
    if (mount.device == st.st_dev) return mount.type;
  }
  return {};
}

}  // namespace ocfsgw::bench
