// Names: looking up, listing, creating, linking, removing, renaming.
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <cstring>
#include <optional>

#include "ocfs2-backend/credentials.h"
#include "ocfs2-backend/posix_backend.h"
#include "ocfs2-backend/posix_file.h"

namespace ocfsgw::ocfs2 {

using coherence::Caller;
using coherence::Created;
using coherence::DirectoryEntry;
using coherence::Found;
using coherence::NodeHold;
using coherence::NodeRef;
using coherence::Place;

namespace {

/// Whoever removes a large file may be about to need its space, which is to be free when he is answered. The
/// largest cluster of OCFS2 is 1 MiB; in units of 512 bytes.
constexpr blkcnt_t kHeldBlocksMax = 2048;

/// The handle of an inode is good for as long as the inode is in use, and a descriptor is a use.
class PosixHold final : public coherence::NodeHold {
 public:
  explicit PosixHold(UniqueFd fd) : fd_(std::move(fd)) {}
  bool Needed() override {
    struct stat st {};
    if (::fstat(fd_.get(), &st) != 0) return false;
    if (S_ISDIR(st.st_mode)) return true;  // btrfs counts a link of a removed one
    return st.st_nlink == 0 && st.st_blocks <= kHeldBlocksMax;
  }

 private:
  const UniqueFd fd_;
};

}  // namespace

Result<Found> PosixBackend::LookupAt(int parent_fd, const std::string& name) const {
  // One walk to the inode, then everything by descriptor: handle and attributes belong together whatever
  // happens to the name meanwhile.
  UniqueFd child(Retry([&] { return ::openat(parent_fd, name.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC); }));
  if (!child) return Status::LastErrno("lookup " + name);
  const int fd = child.get();
  if (!uses_handles_) return Identify(fd, std::move(child));
  auto found = Identify(fd, {});
  recent_lookups_.Offer(child);
  return found;
}

Result<Found> PosixBackend::Lookup(const NodeRef& parent, const std::string& name) {
  OCFSGW_RETURN_IF_ERROR(CheckName(name));
  OCFSGW_ASSIGN_OR_RETURN(const NodeFd directory, OpenPath(parent));
  return LookupAt(directory.get(), name);
}

Result<std::vector<DirectoryEntry>> PosixBackend::List(const NodeRef& directory) {
  constexpr size_t kBufferBytes = 256 * 1024;  // about 8000 entries a call
  OCFSGW_ASSIGN_OR_RETURN(const UniqueFd fd, OpenNode(directory, O_RDONLY | O_DIRECTORY));
  // Uninitialized: the kernel says how much of it counts. operator new aligns it for dirent64.
  const std::unique_ptr<char[]> buffer(new char[kBufferBytes]);
  std::vector<DirectoryEntry> entries;
  for (;;) {
    const ssize_t got = Retry([&] { return ::getdents64(fd.get(), buffer.get(), kBufferBytes); });
    if (got < 0) return Status::LastErrno("getdents");
    if (got == 0) return entries;
    for (ssize_t at = 0; at < got;) {
      const auto* entry = reinterpret_cast<const struct dirent64*>(buffer.get() + at);
      at += entry->d_reclen;
      if (std::strcmp(entry->d_name, ".") == 0 || std::strcmp(entry->d_name, "..") == 0) continue;
      entries.push_back({entry->d_name, entry->d_ino, entry->d_type});
    }
  }
}

Result<Created> PosixBackend::Create(const NodeRef& parent, const std::string& name, uint32_t mode, int flags,
                                     const Caller& caller) {
  OCFSGW_RETURN_IF_ERROR(CheckName(name));
  OCFSGW_ASSIGN_OR_RETURN(const NodeFd directory, OpenPath(parent));
  UniqueFd fd;
  {
    const ScopedCaller scope(caller);
    const int open_flags = (flags & kOpenFlags & ~O_TRUNC) | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
    fd = UniqueFd(Retry([&] { return ::openat(directory.get(), name.c_str(), open_flags, mode & 07777); }));
  }
  if (!fd && errno == EEXIST && (flags & O_EXCL) == 0)
    return Status::FromErrno(ESTALE, name + " appeared meanwhile");
  if (!fd) return Status::LastErrno("create " + name);
  return CreatedFile(std::move(fd));
}

Result<Created> PosixBackend::CreateUnnamed(const NodeRef& directory, uint32_t mode, int flags,
                                            const Caller& caller) {
  OCFSGW_ASSIGN_OR_RETURN(const NodeFd parent, OpenPath(directory));
  UniqueFd fd;
  {
    const ScopedCaller scope(caller);
    const int open_flags = (flags & ((kOpenFlags & ~O_TRUNC) | O_EXCL)) | O_TMPFILE | O_CLOEXEC;
    fd = UniqueFd(Retry([&] { return ::openat(parent.get(), ".", open_flags, mode & 07777); }));
  }
  if (!fd) return Status::LastErrno("create");
  return CreatedFile(std::move(fd));
}

Result<Created> PosixBackend::CreatedFile(UniqueFd fd) const {
  OCFSGW_ASSIGN_OR_RETURN(Found found, Identify(fd.get(), {}));
  auto file = std::make_unique<PosixFile>(found.attr.id, std::move(fd));
  return Created{std::move(found), std::move(file)};
}

template <typename Make>
Result<Found> PosixBackend::MakeAt(const NodeRef& parent, const std::string& name, const Caller& caller,
                                   Make make) {
  OCFSGW_RETURN_IF_ERROR(CheckName(name));
  OCFSGW_ASSIGN_OR_RETURN(const NodeFd directory, OpenPath(parent));
  {
    const ScopedCaller scope(caller);
    if (Retry([&] { return make(directory.get()); }) != 0) return Status::LastErrno("create " + name);
  }
  return LookupAt(directory.get(), name);
}

Result<Found> PosixBackend::MakeNode(const NodeRef& parent, const std::string& name, uint32_t mode,
                                     uint64_t rdev, const Caller& caller) {
  return MakeAt(parent, name, caller, [&](int fd) { return ::mknodat(fd, name.c_str(), mode, rdev); });
}

Result<Found> PosixBackend::MakeDirectory(const NodeRef& parent, const std::string& name, uint32_t mode,
                                          const Caller& caller) {
  return MakeAt(parent, name, caller, [&](int fd) { return ::mkdirat(fd, name.c_str(), mode & 07777); });
}

Result<Found> PosixBackend::MakeSymlink(const NodeRef& parent, const std::string& name,
                                        const std::string& target, const Caller& caller) {
  return MakeAt(parent, name, caller, [&](int fd) { return ::symlinkat(target.c_str(), fd, name.c_str()); });
}

// OCFS2 looks the name up by which the kernel has reached the inode (ocfs2_link). By a handle that is any of
// its names, which may just be going, or none at all after the kernel has dropped its caches.
Result<Found> PosixBackend::Link(const NodeRef& node, const std::vector<Place>& places, const NodeRef& parent,
                                 const std::string& name) {
  OCFSGW_RETURN_IF_ERROR(CheckName(name));
  OCFSGW_ASSIGN_OR_RETURN(const NodeFd directory, OpenPath(parent));
  const auto link = [&](int source) {
    const ProcPath path(source);
    if (Retry([&] {
          return ::linkat(AT_FDCWD, path.c_str(), directory.get(), name.c_str(), AT_SYMLINK_FOLLOW);
        }) != 0) {
      return Status::LastErrno("link " + name);
    }
    return Status::Ok();
  };
  OCFSGW_ASSIGN_OR_RETURN(const NodeFd source, OpenPath(node));
  Status linked = link(source.get());
  for (const Place& place : places) {
    if (!linked.IsErrno(ENOENT)) break;
    const auto at = OpenPath(place.directory);
    if (!at.ok()) continue;
    const UniqueFd named(
        Retry([&] { return ::openat(at->get(), place.name.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC); }));
    if (!named) continue;
    const auto found = Identify(named.get(), {});
    if (found.ok() && found->node->id() == node->id()) linked = link(named.get());
  }
  OCFSGW_RETURN_IF_ERROR(linked);
  return LookupAt(directory.get(), name);
}

std::shared_ptr<NodeHold> PosixBackend::Hold(const NodeRef& node) {
  if (!uses_handles_) return nullptr;  // the node itself has a descriptor
  auto fd = OpenHandle(source_->root_fd(), static_cast<const PosixNode&>(*node).handle(), O_PATH);
  return fd.ok() ? std::make_shared<PosixHold>(*std::move(fd)) : nullptr;
}

Status PosixBackend::RemoveAt(const NodeRef& parent, const std::string& name, int flags) {
  OCFSGW_RETURN_IF_ERROR(CheckName(name));
  OCFSGW_ASSIGN_OR_RETURN(const NodeFd directory, OpenPath(parent));
  if (Retry([&] { return ::unlinkat(directory.get(), name.c_str(), flags); }) != 0) {
    return Status::LastErrno("remove " + name);
  }
  return Status::Ok();
}

Status PosixBackend::Unlink(const NodeRef& parent, const std::string& name) {
  return RemoveAt(parent, name, 0);
}

Status PosixBackend::RemoveDirectory(const NodeRef& parent, const std::string& name) {
  return RemoveAt(parent, name, AT_REMOVEDIR);
}

Status PosixBackend::Rename(const NodeRef& from, const std::string& from_name, const NodeRef& to,
                            const std::string& to_name, unsigned flags, const Caller& caller) {
  OCFSGW_RETURN_IF_ERROR(CheckName(from_name));
  OCFSGW_RETURN_IF_ERROR(CheckName(to_name));
  OCFSGW_ASSIGN_OR_RETURN(const NodeFd source, OpenPath(from));
  OCFSGW_ASSIGN_OR_RETURN(const NodeFd target, OpenPath(to));
  std::optional<ScopedCaller> scope;
  if ((flags & RENAME_WHITEOUT) != 0) scope.emplace(caller);
  if (Retry([&] {
        return ::renameat2(source.get(), from_name.c_str(), target.get(), to_name.c_str(), flags);
      }) != 0) {
    return Status::LastErrno("rename " + from_name);
  }
  return Status::Ok();
}

}  // namespace ocfsgw::ocfs2
