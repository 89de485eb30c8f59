#include <linux/fs.h>

#include <cstring>

#include "coherence/backend.h"

namespace ocfsgw::coherence {

Result<uint32_t> InodeFlags(Backend& backend, const NodeRef& node) {
  OCFSGW_ASSIGN_OR_RETURN(const std::string flags, backend.Ioctl(node, FS_IOC_GETFLAGS, {}));
  uint32_t bits = 0;  // an int, whatever the command's number says: ioctl_iflags(2)
  if (flags.size() < sizeof bits) return Status::FromErrno(EIO, "no inode flags");
  std::memcpy(&bits, flags.data(), sizeof bits);
  return bits;
}

}  // namespace ocfsgw::coherence
