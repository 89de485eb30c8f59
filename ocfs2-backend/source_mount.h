#pragma once

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/ids.h"
#include "base/status.h"
#include "ocfs2-backend/descriptor.h"
#include "ocfs2-backend/ocfs2_ioctl.h"

namespace ocfsgw::ocfs2 {

/// The tree below SOURCE, through a mount of our own that nobody else sees: detached, private, noatime,
/// without what is mounted below it. noatime because with relatime a mere read would update the access time
/// and so recall leases, our own among them; O_NOATIME is ignored by OCFS2. SOURCE may become the gateway's
/// own mountpoint afterwards. Immutable, thread-safe. All descriptors are close-on-exec.
class SourceMount {
 public:
  /// kInvalidArgument, with one line for the user, if `path` is not a directory that can be used. Where a
  /// private mount is not permitted (no CAP_SYS_ADMIN) the directory itself is used and a warning logged.
  static Result<std::unique_ptr<SourceMount>> Open(const std::string& path);

  /// The directory, opened for reading (so it can serve open_by_handle_at(2)); valid as long as this object.
  int root_fd() const { return root_.get(); }
  /// st_dev of the file system; an object with another one is on another file system.
  dev_t device() const { return device_; }
  bool is_ocfs2() const { return is_ocfs2_; }
  /// The file system is one of those known to set ctime when an extended attribute is changed; tmpfs, for
  /// one, does not on all kernels.
  bool xattrs_move_ctime() const { return xattrs_move_ctime_; }
  bool is_private() const { return is_private_; }
  VolumeId volume() const { return volume_; }
  /// Empty unless is_ocfs2().
  const Ocfs2Info& ocfs2() const { return ocfs2_; }
  /// Whether the volume's own locks can serve as leases. kUnsupported, with one line for the user, if it is
  /// not OCFS2, is mounted `coherency=buffered` (O_DIRECT writers then take no lock that a reader could wait
  /// for) or `nocluster`.
  Status CheckClusterLeases() const;
  /// The volume's root, which may be above the source: through this mount, or another one of the volume that
  /// can be reached from here. It keeps no mount busy. kUnsupported, with one line for the user, if there is
  /// none.
  Result<UniqueFd> OpenVolumeRoot() const;

 private:
  SourceMount() = default;

  UniqueFd tree_;  // keeps the detached mount alive; none if !is_private_
  UniqueFd root_;
  dev_t device_ = 0;
  bool is_ocfs2_ = false;
  bool xattrs_move_ctime_ = false;
  bool is_private_ = false;
  VolumeId volume_;
  Ocfs2Info ocfs2_;
  std::string super_options_;  // of the file system, from /proc/self/mountinfo: comma-separated
};

/// Where the root of the file system `device` is mounted, by the text of /proc/PID/mountinfo; a later mount
/// may cover one of them.
std::vector<std::string> FindRootMounts(const std::string& mountinfo, dev_t device);

/// The super block's options of the file system `device` in the text of /proc/PID/mountinfo (proc(5)); empty
/// if it is not mounted.
std::string FindSuperOptions(const std::string& mountinfo, dev_t device);

}  // namespace ocfsgw::ocfs2
