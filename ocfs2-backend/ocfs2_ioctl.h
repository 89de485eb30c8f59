#pragma once

#include <cstdint>
#include <string>

#include "base/status.h"

namespace ocfsgw::ocfs2 {

struct Ocfs2Info {
  std::string uuid;           ///< 32 upper-case hex digits: the volume's name in the lock manager.
  uint32_t cluster_size = 0;  ///< Bytes.
  uint64_t root_ino = 0;      ///< Inode number of the volume's root directory; 0: not in this mount.
};

/// Asks an OCFS2 file system about itself (OCFS2_IOC_INFO); `fd` is any descriptor of the mount but an O_PATH
/// one. Needs no privilege. kSystem if it does not answer.
Result<Ocfs2Info> QueryOcfs2Info(int fd);

}  // namespace ocfsgw::ocfs2
