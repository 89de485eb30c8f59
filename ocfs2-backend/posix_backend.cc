#include "ocfs2-backend/posix_backend.h"

#include <fcntl.h>
#include <sys/statvfs.h>

#include "base/log.h"

namespace ocfsgw::ocfs2 {

using coherence::Found;
using coherence::NodeRef;

Result<std::unique_ptr<PosixBackend>> PosixBackend::Open(std::shared_ptr<const SourceMount> source) {
  std::unique_ptr<PosixBackend> backend(new PosixBackend(std::move(source)));
  const int root_fd = backend->source_->root_fd();
  const auto handle = HandleOf(root_fd);
  const Status usable = handle.ok() ? OpenHandle(root_fd, *handle, O_PATH).status() : handle.status();
  backend->uses_handles_ = usable.ok();
  if (!usable.ok()) {
    log::Warning("file handles cannot be used ({}): one descriptor per inode, nothing survives a restart",
                 usable.ToString());
  }
  UniqueFd root(Retry([&] { return ::openat(root_fd, ".", O_PATH | O_CLOEXEC); }));
  if (!root) return Status::LastErrno("open source");
  const int fd = root.get();
  OCFSGW_ASSIGN_OR_RETURN(Found found, backend->Identify(fd, std::move(root)));
  backend->root_ = std::move(found.node);
  OCFSGW_ASSIGN_OR_RETURN(const auto birth, BirthOf(root_fd));
  backend->has_birth_ = birth.has_value();
  return backend;
}

Result<UniqueFd> PosixBackend::OpenNode(const NodeRef& node, int flags) const {
  const auto& posix = static_cast<const PosixNode&>(*node);
  if (uses_handles_) {
    auto opened = OpenHandle(source_->root_fd(), posix.handle(), flags);
    if (opened.status().IsErrno(ESTALE)) recent_lookups_.Begin();
    return opened;
  }
  UniqueFd fd(Retry([&] { return ::open(ProcPath(posix.fd()).c_str(), flags | O_CLOEXEC); }));
  if (!fd) return Status::LastErrno("open");
  return fd;
}

Result<NodeFd> PosixBackend::OpenPath(const NodeRef& node) const {
  if (!uses_handles_) return NodeFd(static_cast<const PosixNode&>(*node).fd());
  OCFSGW_ASSIGN_OR_RETURN(UniqueFd fd, OpenNode(node, O_PATH));
  return NodeFd(std::move(fd));
}

Result<NodeRef> PosixBackend::Resolve(InodeId id, const std::string& token) {
  if (!uses_handles_) return Status(StatusCode::kUnsupported, "no file handles here");
  if (IdOfHandle(token, id.ino, source_->is_ocfs2()) != id) {
    return Status(StatusCode::kCorrupt, "not a file handle of this inode");
  }
  return NodeRef(std::make_shared<PosixNode>(id, token));
}

Result<Found> PosixBackend::Identify(int fd, UniqueFd path_fd) const {
  struct stat st {};
  if (Retry([&] { return ::fstat(fd, &st); }) != 0) return Status::LastErrno("stat");
  if (st.st_dev != source_->device()) return Status::FromErrno(EXDEV, "object of another file system");

  // On OCFS2 the generation is in the handle even where handles may not be opened.
  InodeId id{st.st_ino, 0};
  std::string handle;
  if (uses_handles_ || source_->is_ocfs2()) {
    OCFSGW_ASSIGN_OR_RETURN(handle, HandleOf(fd));
    const auto known = IdOfHandle(handle, st.st_ino, source_->is_ocfs2());
    if (!known) return Status::FromErrno(EIO, "file handle of an unknown form");
    id = *known;
  }
  if (uses_handles_) return Found{std::make_shared<PosixNode>(id, std::move(handle)), AttrFromStat(st, id)};
  if (!path_fd) {
    path_fd = UniqueFd(Retry([&] { return ::open(ProcPath(fd).c_str(), O_PATH | O_CLOEXEC); }));
    if (!path_fd) return Status::LastErrno("open");
  }
  return Found{std::make_shared<PosixNode>(id, std::move(path_fd)), AttrFromStat(st, id)};
}

Result<struct statvfs> PosixBackend::StatFs() {
  struct statvfs fs {};
  if (Retry([&] { return ::fstatvfs(source_->root_fd(), &fs); }) != 0) return Status::LastErrno("statfs");
  return fs;
}

}  // namespace ocfsgw::ocfs2
