#include "bench/machine.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>
#include <sys/sysmacros.h>
#include <sys/utsname.h>

#include <cstdlib>
#include <fstream>
#include <sstream>
#include <thread>

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
  const std::string device = fmt::format("{}:{}", major(st.st_dev), minor(st.st_dev));
  std::ifstream mounts("/proc/self/mountinfo");
  for (std::string line; std::getline(mounts, line);) {
    std::istringstream words(line);
    std::string id, parent, number;
    words >> id >> parent >> number;
    const size_t dash = line.find(" - ");
    if (number == device && dash != std::string::npos)
      return line.substr(dash + 3, line.find(' ', dash + 3) - dash - 3);
  }
  return {};
}

}  // namespace ocfsgw::bench
