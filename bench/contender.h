#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bench/child_process.h"

namespace ocfsgw::bench {

/// A way to see a directory: itself, or a FUSE file system that shows it.
struct Contender {
  std::string_view name;
  std::string_view program;  ///< Empty: the directory itself.
  /// {source}, {mountpoint}, {cache} and {cache_mib} are replaced.
  std::vector<std::string> arguments;
  bool keeps_store = false;  ///< On its own disk space, {cache}; else what it reads is in the source alone.
};

/// In the order of the documentation; the first is the directory itself.
const std::vector<Contender>& Contenders();
/// Null if there is none of that name.
const Contender* FindContender(std::string_view name);

/// What a mount needs, all of it the caller's.
struct MountPlace {
  std::string source;      ///< Directory to be shown.
  std::string directory;   ///< Empty; mount point, cache and log are made in it.
  uint64_t cache_mib = 0;  ///< Space a store may take.
};

/// A contender at work. The destructor unmounts, by force if need be. Thread-compatible.
class Mounted {
 public:
  /// kUnavailable, and a line that says why: the program is not there, or it did not mount within 20 s.
  /// kShutdown once `stop` is set. kSystem if `place` cannot be used.
  static Result<std::unique_ptr<Mounted>> Mount(const Contender& contender, const MountPlace& place,
                                                const std::atomic<bool>& stop);
  ~Mounted();
  Mounted(const Mounted&) = delete;
  Mounted& operator=(const Mounted&) = delete;

  /// Where the source is to be seen.
  const std::string& path() const { return path_; }
  /// Where its store is, if it keeps one.
  const std::string& store() const { return store_; }

 private:
  Mounted() = default;

  std::string path_, store_;
  std::optional<ChildProcess> daemon_;
};

/// What runs, with words for directories: "bindfs -f SOURCE MOUNTPOINT". Empty for the directory itself.
std::string CommandText(const Contender& contender, uint64_t cache_mib);
/// The first line of what `contender --version` prints; empty if there is none.
std::string VersionOf(const Contender& contender, const std::string& directory);

}  // namespace ocfsgw::bench
