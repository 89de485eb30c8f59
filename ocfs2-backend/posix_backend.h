#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "coherence/backend.h"
#include "ocfs2-backend/posix_node.h"
#include "ocfs2-backend/recent_lookups.h"
#include "ocfs2-backend/source_mount.h"

namespace ocfsgw::ocfs2 {

/// A descriptor of a node for the length of one call: opened for it, or lent by the node.
class NodeFd {
 public:
  explicit NodeFd(UniqueFd owned) : owned_(std::move(owned)), fd_(owned_.get()) {}
  explicit NodeFd(int borrowed) : fd_(borrowed) {}
  int get() const { return fd_; }

 private:
  UniqueFd owned_;
  int fd_;
};

/// Backend on any POSIX file system of this machine: by file handle, without a descriptor per inode; where
/// the file system has no handles or the process may not open them (CAP_DAC_READ_SEARCH), each node keeps an
/// O_PATH descriptor, tokens are empty and Resolve is kUnsupported. Thread-safe, no lock of its own. Every
/// call is made of system calls that may block on the file system. System calls interrupted by a signal are
/// repeated. Objects on another file system (a mount below SOURCE): EXDEV. A name that is not a single
/// component: EINVAL. xattrs, chmod and truncate need /proc.
class PosixBackend final : public coherence::Backend {
 public:
  /// kSystem if the root cannot be examined. `source` is kept for as long as the backend or any of its nodes
  /// lives.
  static Result<std::unique_ptr<PosixBackend>> Open(std::shared_ptr<const SourceMount> source);

  /// False: a descriptor per node, see above.
  bool uses_handles() const { return uses_handles_; }
  /// Opens a node; `flags` as in open(2), O_CLOEXEC is added. kSystem ESTALE if the inode is gone.
  Result<UniqueFd> OpenNode(const coherence::NodeRef& node, int flags) const;
  /// An O_PATH descriptor, for calls that need no more.
  Result<NodeFd> OpenPath(const coherence::NodeRef& node) const;

  coherence::NodeRef Root() override { return root_; }
  Result<coherence::NodeRef> Resolve(InodeId id, const std::string& token) override;
  Result<coherence::Found> Lookup(const coherence::NodeRef& parent, const std::string& name) override;
  Result<coherence::FileAttr> Stat(const coherence::NodeRef& node) override;
  Result<std::optional<coherence::FileTime>> Birth(const coherence::NodeRef& node) override;
  /// Applied in the order size, owner, mode, times (chown clears set-id bits, truncate sets times); a failure
  /// half-way leaves what came before it.
  Result<coherence::FileAttr> SetAttr(const coherence::NodeRef& node, const coherence::AttrChange& change,
                                      coherence::BackendFile* file) override;
  Result<std::string> ReadLink(const coherence::NodeRef& node) override;
  Result<std::vector<coherence::DirectoryEntry>> List(const coherence::NodeRef& directory) override;
  /// REQUIRES: a regular file (a FIFO would block).
  Result<std::unique_ptr<coherence::BackendFile>> Open(const coherence::NodeRef& node, int flags) override;
  Result<coherence::Created> Create(const coherence::NodeRef& parent, const std::string& name, uint32_t mode,
                                    int flags, const coherence::Caller& caller) override;
  Result<coherence::Created> CreateUnnamed(const coherence::NodeRef& directory, uint32_t mode, int flags,
                                           const coherence::Caller& caller) override;
  Result<coherence::Found> MakeNode(const coherence::NodeRef& parent, const std::string& name, uint32_t mode,
                                    uint64_t rdev, const coherence::Caller& caller) override;
  Result<coherence::Found> MakeDirectory(const coherence::NodeRef& parent, const std::string& name,
                                         uint32_t mode, const coherence::Caller& caller) override;
  Result<coherence::Found> MakeSymlink(const coherence::NodeRef& parent, const std::string& name,
                                       const std::string& target, const coherence::Caller& caller) override;
  Result<coherence::Found> Link(const coherence::NodeRef& node, const std::vector<coherence::Place>& places,
                                const coherence::NodeRef& parent, const std::string& name) override;
  std::shared_ptr<coherence::NodeHold> Hold(const coherence::NodeRef& node) override;
  Status Unlink(const coherence::NodeRef& parent, const std::string& name) override;
  Status RemoveDirectory(const coherence::NodeRef& parent, const std::string& name) override;
  Status Rename(const coherence::NodeRef& from, const std::string& from_name, const coherence::NodeRef& to,
                const std::string& to_name, unsigned flags, const coherence::Caller& caller) override;
  Result<std::string> GetXattr(const coherence::NodeRef& node, const std::string& name) override;
  Result<std::string> ListXattr(const coherence::NodeRef& node) override;
  Status SetXattr(const coherence::NodeRef& node, const std::string& name, std::span<const std::byte> value,
                  int flags) override;
  Status RemoveXattr(const coherence::NodeRef& node, const std::string& name) override;
  Result<std::string> Ioctl(const coherence::NodeRef& node, unsigned command,
                            std::span<const std::byte> in) override;
  bool HasAcls() override;
  bool XattrsMoveCtime() override { return source_->xattrs_move_ctime(); }
  Result<std::unique_ptr<coherence::NodeLock>> LockDirectory(const coherence::NodeRef& directory) override;
  Result<bool> IsOpenForWriting(const coherence::NodeRef& node) override;
  Status SyncDirectory(const coherence::NodeRef& directory, bool data_only) override;
  Result<struct statvfs> StatFs() override;

 private:
  explicit PosixBackend(std::shared_ptr<const SourceMount> source) : source_(std::move(source)) {}

  // Node and attributes of what `fd` refers to; `path_fd`: an O_PATH descriptor that the node may keep, else
  // none.
  Result<coherence::Found> Identify(int fd, UniqueFd path_fd) const;
  Result<coherence::Found> LookupAt(int parent_fd, const std::string& name) const;
  Result<coherence::Created> CreatedFile(UniqueFd fd) const;
  // Runs `make(parent's descriptor)`, a creating system call, as `caller`, then looks the new object up.
  template <typename Make>
  Result<coherence::Found> MakeAt(const coherence::NodeRef& parent, const std::string& name,
                                  const coherence::Caller& caller, Make make);
  Status RemoveAt(const coherence::NodeRef& parent, const std::string& name, int flags);

  const std::shared_ptr<const SourceMount> source_;
  bool uses_handles_ = false;
  bool has_birth_ = false;  ///< The root has a time of birth.
  mutable RecentLookups recent_lookups_;
  coherence::NodeRef root_;
};

}  // namespace ocfsgw::ocfs2
