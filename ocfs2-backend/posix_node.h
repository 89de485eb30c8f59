#pragma once

#include <sys/stat.h>

#include <optional>
#include <string>

#include "coherence/backend.h"
#include "ocfs2-backend/descriptor.h"

namespace ocfsgw::ocfs2 {

/// An inode of a PosixBackend. Immutable. Holds either the kernel's file handle, or, where handles cannot be
/// opened, an O_PATH descriptor.
class PosixNode final : public coherence::BackendNode {
 public:
  PosixNode(InodeId id, std::string handle) : BackendNode(id), handle_(std::move(handle)) {}
  PosixNode(InodeId id, UniqueFd fd) : BackendNode(id), fd_(std::move(fd)) {}

  std::string Token() const override { return handle_; }
  /// Serialised `struct file_handle`; empty if this node holds a descriptor.
  const std::string& handle() const { return handle_; }
  int fd() const { return fd_.get(); }

 private:
  const std::string handle_;
  const UniqueFd fd_;
};

/// The kernel's handle of the inode that `fd` (O_PATH will do) refers to, as a serialised `struct
/// file_handle`: length and type (4 bytes each, native), then the handle. Errors: kSystem EOPNOTSUPP where
/// the file system has none.
Result<std::string> HandleOf(int fd);
/// Opens it; flags as in open(2), O_CLOEXEC is added. Errors: kSystem ESTALE if the inode is gone, EPERM
/// without CAP_DAC_READ_SEARCH.
Result<UniqueFd> OpenHandle(int mount_fd, const std::string& handle, int flags);
/// Which inode `handle` means. On OCFS2 the handle says it itself (type 1: block number, high half first, and
/// generation); elsewhere it is `ino` and 32 bits of a hash of the handle.
/// Nothing if `handle` is malformed, or is an OCFS2 handle of another inode than `ino`.
std::optional<InodeId> IdOfHandle(const std::string& handle, uint64_t ino, bool is_ocfs2);

/// When the inode that `fd` (O_PATH will do) refers to was made; nothing if the file system does not say.
Result<std::optional<coherence::FileTime>> BirthOf(int fd);
coherence::FileAttr AttrFromStat(const struct stat& st, InodeId id);
/// kSystem EINVAL unless `name` is one component of a path other than `.` and `..`.
Status CheckName(const std::string& name);

}  // namespace ocfsgw::ocfs2
