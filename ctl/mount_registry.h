#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "base/status.h"

/// Which gateways run on this machine: a small JSON file for each mount in /run/ocfsgw, so that ocfsgwctl
/// finds a gateway's control socket by mount point. Gateways and ocfsgwctl must see the same /run and the
/// same process ids.
namespace ocfsgw::ctl {

struct MountEntry {
  std::string mountpoint;
  std::string socket;
  std::string source;
  pid_t pid = 0;
};

/// /run/ocfsgw, or what the environment variable OCFSGW_RUN_DIR says.
std::string DefaultRunDirectory();

/// Keeps one mount's file there as long as it lives. If it cannot be written there is a warning in the log,
/// and ocfsgwctl will not find the mount; nothing else depends on it.
class MountRegistration {
 public:
  explicit MountRegistration(const MountEntry& entry, const std::string& directory = DefaultRunDirectory());
  ~MountRegistration();
  MountRegistration(const MountRegistration&) = delete;
  MountRegistration& operator=(const MountRegistration&) = delete;

 private:
  std::string path_;  ///< Empty: could not be written.
  pid_t pid_ = 0;
};

/// The mounts whose gateway runs, by mount point. Files of dead gateways are removed.
std::vector<MountEntry> ListMounts(const std::string& directory = DefaultRunDirectory());

/// The mount at `mountpoint`, or the only one if that is empty. kNotFound: there is none; kInvalidArgument:
/// there are several to choose from. The messages are for the user.
Result<MountEntry> FindMount(const std::string& mountpoint,
                             const std::string& directory = DefaultRunDirectory());

/// The mount that `path` is in, a canonical path (CanonicalPath): the one with the longest mount point.
std::optional<MountEntry> MountOf(const std::string& path,
                                  const std::string& directory = DefaultRunDirectory());

}  // namespace ocfsgw::ctl
