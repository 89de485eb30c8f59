// Attributes, symbolic links, extended attributes.
#include <fcntl.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <climits>
#include <thread>

#include "ocfs2-backend/posix_backend.h"
#include "ocfs2-backend/posix_file.h"

namespace ocfsgw::ocfs2 {

using coherence::AttrChange;
using coherence::FileAttr;
using coherence::FileTime;
using coherence::NodeRef;

namespace {

struct timespec TimeToSet(const std::optional<FileTime>& time, bool now) {
  if (now) return {0, UTIME_NOW};
  if (!time) return {0, UTIME_OMIT};
  return {time->sec, time->nsec};
}

/// `open`: fd is of an open file. ftruncate(2) and O_TRUNC set the times even of a file that was of that
/// size, truncate(2) does not. O_TRUNC comes without the file, as a size of 0 does by truncate(2), and is
/// taken for what is meant.
Status SetSize(int fd, bool open, uint64_t size) {
  const auto to = static_cast<off_t>(size);
  if (open) {
    if (Retry([&] { return ::ftruncate(fd, to); }) != 0) return Status::LastErrno("ftruncate");
    return Status::Ok();
  }
  struct stat st {};
  if (size == 0 && Retry([&] { return ::fstat(fd, &st); }) != 0) return Status::LastErrno("stat");
  const ProcPath path(fd);
  if (Retry([&] { return ::truncate(path.c_str(), to); }) != 0) return Status::LastErrno("truncate");
  if (size != 0 || st.st_size != 0) return Status::Ok();
  const struct timespec times[2] = {{0, UTIME_OMIT}, {0, UTIME_NOW}};
  if (::utimensat(AT_FDCWD, path.c_str(), times, 0) != 0) return Status::LastErrno("utimens");
  return Status::Ok();
}

Status Apply(int fd, bool open, const AttrChange& change) {
  const ProcPath path(fd);
  if (change.size) OCFSGW_RETURN_IF_ERROR(SetSize(fd, open, *change.size));
  const bool nothing = change == AttrChange{};  // chown(2) to -1, -1: a new ctime
  if (change.uid || change.gid || nothing) {
    constexpr uint32_t kUnchanged = UINT32_MAX;
    const uid_t uid = change.uid.value_or(kUnchanged);
    const gid_t gid = change.gid.value_or(kUnchanged);
    if (Retry([&] { return ::fchownat(fd, "", uid, gid, AT_EMPTY_PATH); }) != 0) {
      return Status::LastErrno("chown");
    }
  }
  if (change.mode && Retry([&] { return ::chmod(path.c_str(), *change.mode & 07777); }) != 0) {
    return Status::LastErrno("chmod");
  }
  if (change.atime || change.mtime || change.atime_now || change.mtime_now) {
    const struct timespec times[2] = {TimeToSet(change.atime, change.atime_now),
                                      TimeToSet(change.mtime, change.mtime_now)};
    if (Retry([&] { return ::utimensat(AT_FDCWD, path.c_str(), times, 0); }) != 0) {
      return Status::LastErrno("utimens");
    }
  }
  return Status::Ok();
}

Result<FileAttr> StatFd(int fd, InodeId id) {
  struct stat st {};
  if (Retry([&] { return ::fstat(fd, &st); }) != 0) return Status::LastErrno("stat");
  return AttrFromStat(st, id);
}

// `get(buffer, size)` as getxattr(2): first into a small buffer, then into the largest there can be.
template <typename Get>
Result<std::string> GetSized(const char* what, size_t size_max, Get get) {
  std::string value(1024, '\0');
  ssize_t got = Retry([&] { return get(value.data(), value.size()); });
  if (got < 0 && errno == ERANGE) {
    value.resize(size_max);
    got = Retry([&] { return get(value.data(), value.size()); });
  }
  if (got < 0) return Status::LastErrno(what);
  value.resize(static_cast<size_t>(got));
  value.shrink_to_fit();
  return value;
}

}  // namespace

Result<FileAttr> PosixBackend::Stat(const NodeRef& node) {
  OCFSGW_ASSIGN_OR_RETURN(const NodeFd fd, OpenPath(node));
  return StatFd(fd.get(), node->id());
}

Result<std::optional<FileTime>> PosixBackend::Birth(const NodeRef& node) {
  if (!has_birth_) return std::optional<FileTime>();  // on OCFS2 to look would take a lock
  OCFSGW_ASSIGN_OR_RETURN(const NodeFd fd, OpenPath(node));
  return BirthOf(fd.get());
}

Result<FileAttr> PosixBackend::SetAttr(const NodeRef& node, const AttrChange& change,
                                       coherence::BackendFile* file) {
  if (file != nullptr) {
    const int fd = static_cast<PosixFile*>(file)->fd();
    OCFSGW_RETURN_IF_ERROR(Apply(fd, true, change));
    return StatFd(fd, node->id());
  }
  OCFSGW_ASSIGN_OR_RETURN(const NodeFd fd, OpenPath(node));
  OCFSGW_RETURN_IF_ERROR(Apply(fd.get(), false, change));
  return StatFd(fd.get(), node->id());
}

Result<std::string> PosixBackend::ReadLink(const NodeRef& node) {
  OCFSGW_ASSIGN_OR_RETURN(const NodeFd fd, OpenPath(node));
  std::string target(PATH_MAX, '\0');
  const ssize_t got = Retry([&] { return ::readlinkat(fd.get(), "", target.data(), target.size()); });
  // With an empty path the kernel says ENOENT where readlink(2) of a path says EINVAL: not a symbolic link.
  if (got < 0) return Status::FromErrno(errno == ENOENT ? EINVAL : errno, "readlink");
  target.resize(static_cast<size_t>(got));
  target.shrink_to_fit();
  return target;
}

Result<std::string> PosixBackend::GetXattr(const NodeRef& node, const std::string& name) {
  OCFSGW_ASSIGN_OR_RETURN(const NodeFd fd, OpenPath(node));
  const ProcPath path(fd.get());
  return GetSized("getxattr", XATTR_SIZE_MAX, [&](char* into, size_t size) {
    return ::getxattr(path.c_str(), name.c_str(), into, size);
  });
}

Result<std::string> PosixBackend::ListXattr(const NodeRef& node) {
  OCFSGW_ASSIGN_OR_RETURN(const NodeFd fd, OpenPath(node));
  const ProcPath path(fd.get());
  return GetSized("listxattr", XATTR_LIST_MAX,
                  [&](char* into, size_t size) { return ::listxattr(path.c_str(), into, size); });
}

Status PosixBackend::SetXattr(const NodeRef& node, const std::string& name, std::span<const std::byte> value,
                              int flags) {
  OCFSGW_ASSIGN_OR_RETURN(const NodeFd fd, OpenPath(node));
  const ProcPath path(fd.get());
  if (Retry([&] { return ::setxattr(path.c_str(), name.c_str(), value.data(), value.size(), flags); }) != 0) {
    return Status::LastErrno("setxattr " + name);
  }
  return Status::Ok();
}

Status PosixBackend::RemoveXattr(const NodeRef& node, const std::string& name) {
  OCFSGW_ASSIGN_OR_RETURN(const NodeFd fd, OpenPath(node));
  const ProcPath path(fd.get());
  if (Retry([&] { return ::removexattr(path.c_str(), name.c_str()); }) != 0) {
    return Status::LastErrno("removexattr " + name);
  }
  return Status::Ok();
}

Result<std::string> PosixBackend::Ioctl(const NodeRef& node, unsigned command,
                                        std::span<const std::byte> in) {
  std::string value(reinterpret_cast<const char*>(in.data()), in.size());
  value.resize(_IOC_SIZE(command));
  // Only these two kinds have inode flags that an open descriptor can reach without side effects.
  OCFSGW_ASSIGN_OR_RETURN(const FileAttr attr, Stat(node));
  if (!S_ISREG(attr.mode) && !S_ISDIR(attr.mode)) return Status::FromErrno(ENOTTY, "ioctl");
  OCFSGW_ASSIGN_OR_RETURN(const UniqueFd fd, OpenNode(node, O_RDONLY));
  if (Retry([&] { return ::ioctl(fd.get(), command, value.data()); }) != 0) {
    return Status::LastErrno("ioctl");
  }
  if ((_IOC_DIR(command) & _IOC_READ) == 0) value.clear();
  return value;
}

bool PosixBackend::HasAcls() {
  // The kernel leaves the umask to us then, and each request has another.
  bool own_umask = false;
  std::thread([&own_umask] { own_umask = ::unshare(CLONE_FS) == 0; }).join();
  if (!own_umask) return false;
  const auto acl = GetXattr(root_, "system.posix_acl_access");
  return acl.ok() || acl.status().IsErrno(ENODATA);
}

}  // namespace ocfsgw::ocfs2
