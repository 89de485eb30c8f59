#pragma once

#include <dirent.h>
#include <sys/stat.h>
#include <sys/types.h>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "tests/posix/differential/step.h"

namespace ocfsgw::posixdiff {

struct User {
  const char* name;
  uid_t uid;
  gid_t gid;
  std::vector<gid_t> groups;
};
inline constexpr gid_t kSharedGroup = 3000;
inline const std::vector<User> kUsers = {
    {"root", 0, 0, {}}, {"alice", 1001, 1001, {kSharedGroup, 3001}}, {"bob", 1002, 1002, {kSharedGroup}}};

/// The process state in which one user's steps run: descriptors, mappings, open directories. Its process
/// works in the sequence's directory.
class Actor {
 public:
  static constexpr int kSlots = 5;
  static constexpr int kMaps = 2;
  static constexpr int kDirectories = 2;
  static constexpr int kSlotOfDirectory = 100;

  struct Map {
    char* at = nullptr;
    size_t size = 0;
    int fd = -1;
  };
  struct Directory {
    DIR* stream = nullptr;
    std::string path;
    std::map<std::string, ino_t> at_open;
    std::map<std::string, int> seen;
    bool moved = false;  ///< By seekdir: what is seen twice or not at all is no fault.
    long mark = -1;
    std::string after_mark;
  };

  /// Becomes the user. False if that is not possible.
  bool Become(const User& user);
  std::string Run(const Step& step);

  int fd(int slot) const { return fds_[slot]; }
  /// Puts a descriptor into a slot, whatever it held is closed; the outcome.
  std::string Keep(int slot, int fd);
  std::string Drop(int slot);
  Map& map(int slot) { return maps_[slot % kMaps]; }
  Directory& directory(int slot) { return directories_[slot % kDirectories]; }

 private:
  int fds_[kSlots] = {-1, -1, -1, -1, -1};
  Map maps_[kMaps];
  Directory directories_[kDirectories];
};

/// "0" or another number as it is, "-ENOENT" for an error in errno.
std::string Outcome(long result);
/// The outcome of a read with what was read.
std::string Bytes(long result, const char* data);
std::string Bytes(const std::string& data);
/// What is the same for equal files on two file systems. Times are exact where they were set, else "now".
std::string StatText(const struct stat& st);
std::string TimeText(const timespec& time);
/// `size` bytes that depend on `seed`.
std::string Pattern(size_t size, int64_t seed);
/// Runs `access`, which touches mapped memory; false when it was answered by SIGBUS.
bool Touch(const void* context, void (*access)(const void* context));

}  // namespace ocfsgw::posixdiff
