#pragma once

#include <cstdint>
#include <optional>

#include "base/unique_fd.h"

namespace ocfsgw::fusefs {

/// The kernel's control file system of FUSE (fusectl), mounted nowhere: in a container
/// /sys/fs/fuse/connections is missing as a rule, or read-only. Needs what mounting needs (CAP_SYS_ADMIN). A
/// connection is known by the minor number of its mount's device.
class FuseControl {
 public:
  FuseControl();

  /// Requests that have not been answered, written back pages among them; nothing if that cannot be told.
  std::optional<uint64_t> Waiting(uint32_t device) const;
  /// Cuts the connection, if there is a way.
  void Abort(uint32_t device) const;

 private:
  UniqueFd Open(uint32_t device, const char* file, int flags) const;
  UniqueFd root_;
};

}  // namespace ocfsgw::fusefs
