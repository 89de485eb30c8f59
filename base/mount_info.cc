#include "base/mount_info.h"

#include <sys/sysmacros.h>

#include <charconv>
#include <fstream>
#include <optional>
#include <sstream>

namespace ocfsgw {
namespace {

/// Undoes what proc(5) does to blanks, backslashes and the like: \040.
std::string Unescape(const std::string& field) {
  std::string plain;
  for (size_t i = 0; i < field.size(); ++i) {
    int value = 0;
    const char* const digits = field.data() + i + 1;
    if (field[i] == '\\' && i + 3 < field.size() &&
        std::from_chars(digits, digits + 3, value, 8).ptr == digits + 3) {
      plain += static_cast<char>(value);
      i += 3;
    } else {
      plain += field[i];
    }
  }
  return plain;
}

std::optional<MountInfo> ParseLine(const std::string& line) {
  // "36 35 98:0 /root /mountpoint opts shared:1 - type source superopts"
  std::istringstream words(line);
  MountInfo mount;
  std::string parent, path, word;
  unsigned major = 0, minor = 0;
  char colon = 0;
  if (!(words >> mount.id >> parent >> major >> colon >> minor >> mount.root >> path) || colon != ':')
    return {};
  mount.device = makedev(major, minor);
  mount.path = Unescape(path);
  while (words >> word && word != "-") mount.options.push_back(word);
  if (!(words >> mount.type)) return {};
  std::string source;
  words >> source >> mount.super_options;
  return mount;
}

}  // namespace

std::vector<MountInfo> ParseMountInfo(const std::string& text) {
  std::vector<MountInfo> mounts;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (auto mount = ParseLine(line)) mounts.push_back(*std::move(mount));
  }
  return mounts;
}

std::string ReadMountInfo() {
  std::ostringstream text;
  text << std::ifstream("/proc/self/mountinfo").rdbuf();
  return text.str();
}

}  // namespace ocfsgw
