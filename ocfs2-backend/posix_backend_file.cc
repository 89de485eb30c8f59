// Open files, and what else goes through a descriptor with read or write access.
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "ocfs2-backend/posix_backend.h"
#include "ocfs2-backend/posix_file.h"

namespace ocfsgw::ocfs2 {

using coherence::BackendFile;
using coherence::NodeRef;

namespace {

Status SyncFd(int fd, bool data_only) {
  if (Retry([&] { return data_only ? ::fdatasync(fd) : ::fsync(fd); }) != 0)
    return Status::LastErrno("fsync");
  return Status::Ok();
}

class DirectoryLock final : public coherence::NodeLock {
 public:
  explicit DirectoryLock(UniqueFd fd) : fd_(std::move(fd)) {}

 private:
  const UniqueFd fd_;
};

}  // namespace

Result<std::unique_ptr<BackendFile>> PosixBackend::Open(const NodeRef& node, int flags) {
  OCFSGW_ASSIGN_OR_RETURN(UniqueFd fd, OpenNode(node, flags & kOpenFlags));
  return std::unique_ptr<BackendFile>(std::make_unique<PosixFile>(node->id(), std::move(fd)));
}

Status PosixBackend::SyncDirectory(const NodeRef& directory, bool data_only) {
  OCFSGW_ASSIGN_OR_RETURN(const UniqueFd fd, OpenNode(directory, O_RDONLY | O_DIRECTORY));
  return SyncFd(fd.get(), data_only);
}

Result<std::unique_ptr<coherence::NodeLock>> PosixBackend::LockDirectory(const NodeRef& directory) {
  OCFSGW_ASSIGN_OR_RETURN(UniqueFd fd, OpenNode(directory, O_RDONLY | O_DIRECTORY));
  if (Retry([&] { return ::flock(fd.get(), LOCK_EX | LOCK_NB); }) != 0) return Status::LastErrno("flock");
  return std::unique_ptr<coherence::NodeLock>(std::make_unique<DirectoryLock>(std::move(fd)));
}

// The kernel grants a lease (fcntl(2)) for reading only where nobody has the file open for writing.
Result<bool> PosixBackend::IsOpenForWriting(const NodeRef& node) {
  OCFSGW_ASSIGN_OR_RETURN(const UniqueFd fd, OpenNode(node, O_RDONLY));
  if (Retry([&] { return ::fcntl(fd.get(), F_SETLEASE, F_RDLCK); }) == 0) return false;  // closed: given back
  if (errno == EAGAIN) return true;
  return Status::LastErrno("fcntl F_SETLEASE");
}

Result<size_t> PosixFile::Read(uint64_t offset, std::span<std::byte> into) {
  size_t done = 0;
  while (done < into.size()) {
    const ssize_t got = Retry([&] {
      return ::pread(fd(), into.data() + done, into.size() - done, static_cast<off_t>(offset + done));
    });
    if (got < 0) return Status::LastErrno("read");
    if (got == 0) break;
    done += static_cast<size_t>(got);
  }
  return done;
}

void PosixFile::ForgetPages() { ::posix_fadvise(fd(), 0, 0, POSIX_FADV_DONTNEED); }

Result<size_t> PosixFile::Write(uint64_t offset, std::span<const std::byte> from, bool append) {
  size_t done = 0;
  while (done < from.size()) {
    const iovec part{const_cast<std::byte*>(from.data() + done), from.size() - done};
    const ssize_t put = Retry([&] {
      return ::pwritev2(fd(), &part, 1, static_cast<off_t>(offset + done), append ? RWF_APPEND : 0);
    });
    if (put < 0 && done == 0) return Status::LastErrno("write");
    if (put <= 0) break;
    done += static_cast<size_t>(put);
    if (append) break;  // the rest could land behind somebody else's append
  }
  return done;
}

Status PosixFile::Sync(bool data_only) { return SyncFd(fd(), data_only); }

Status PosixFile::Flush() {
  const int copy = ::fcntl(fd(), F_DUPFD_CLOEXEC, 0);
  if (copy < 0) return Status::LastErrno("dup");
  if (::close(copy) != 0 && errno != EINTR) return Status::LastErrno("close");
  return Status::Ok();
}

Status PosixFile::Allocate(int mode, uint64_t offset, uint64_t length) {
  const auto at = static_cast<off_t>(offset);
  const auto bytes = static_cast<off_t>(length);
  if (Retry([&] { return ::fallocate(fd(), mode, at, bytes); }) != 0) return Status::LastErrno("fallocate");
  return Status::Ok();
}

Result<uint64_t> PosixFile::Seek(uint64_t offset, int whence) {
  const off_t found = Retry([&] { return ::lseek(fd(), static_cast<off_t>(offset), whence); });
  if (found < 0) return Status::LastErrno("seek");
  return static_cast<uint64_t>(found);
}

Result<uint64_t> PosixFile::CopyFrom(BackendFile& source, uint64_t from, uint64_t to, uint64_t length) {
  auto in = static_cast<off_t>(from);
  auto out = static_cast<off_t>(to);
  const int source_fd = static_cast<PosixFile&>(source).fd();
  const ssize_t copied = Retry([&] { return ::copy_file_range(source_fd, &in, fd(), &out, length, 0); });
  if (copied < 0) return Status::LastErrno("copy_file_range");
  return static_cast<uint64_t>(copied);
}

Status PosixFile::Lock(int operation) {
  if (::flock(fd(), operation) != 0) return Status::LastErrno("flock");
  return Status::Ok();
}

Result<coherence::FileAttr> PosixFile::Stat() {
  struct stat st {};
  if (Retry([&] { return ::fstat(fd(), &st); }) != 0) return Status::LastErrno("stat");
  return AttrFromStat(st, id_);
}

}  // namespace ocfsgw::ocfs2
