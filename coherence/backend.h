#pragma once

#include <sys/statvfs.h>

#include <cerrno>
#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/ids.h"
#include "base/status.h"
#include "coherence/attr.h"

namespace ocfsgw::coherence {

/// An inode as its backend finds it: immutable, costs no descriptor where the file system has file handles.
class BackendNode {
 public:
  explicit BackendNode(InodeId id) : id_(id) {}
  virtual ~BackendNode() = default;
  BackendNode(const BackendNode&) = delete;
  BackendNode& operator=(const BackendNode&) = delete;
  InodeId id() const { return id_; }
  /// Bytes from which Backend::Resolve makes this node again after a restart; empty where that is not
  /// possible.
  virtual std::string Token() const = 0;

 private:
  const InodeId id_;
};
using NodeRef = std::shared_ptr<const BackendNode>;

struct Found {
  NodeRef node;
  FileAttr attr;
};

/// Where an inode was when it was last looked up.
struct Place {
  NodeRef directory;
  std::string name;
};

struct DirectoryEntry {
  std::string name;
  uint64_t ino = 0;
  uint8_t type = 0;  ///< DT_* of readdir(3).
};

/// Whose identity a new object is created with.
struct Caller {
  uint32_t uid = 0;
  uint32_t gid = 0;
  uint32_t umask = 0;            ///< Applied where no default ACL takes its place.
  std::vector<uint32_t> groups;  ///< Supplementary ones; filled in only where they count (set-group-ID).
};

/// An open file of the shared file system; closed by the destructor. Thread-safe, as descriptors are.
class BackendFile {
 public:
  virtual ~BackendFile() = default;
  /// Fewer bytes than asked for only at the end of the file.
  virtual Result<size_t> Read(uint64_t offset, std::span<std::byte> into) = 0;
  /// A descriptor, as long as the file is open, for the kernel to use the file without us; -1: there is none.
  virtual int Descriptor() const { return -1; }
  /// Has this node's kernel forget the clean pages it keeps of the file and nobody has mapped: later reads
  /// are of what the file system has. A hint, without an error.
  virtual void ForgetPages() {}
  /// Writes all of it or fails. A short write (full disk) is returned as the number of bytes written, if it
  /// is not 0. `append`: at the end of the file, wherever that is, in one atomic step; `offset` does not
  /// count then.
  virtual Result<size_t> Write(uint64_t offset, std::span<const std::byte> from, bool append) = 0;
  virtual Status Sync(bool data_only) = 0;
  /// What close(2) of one of several descriptors would report.
  virtual Status Flush() = 0;
  /// `mode` as in fallocate(2).
  virtual Status Allocate(int mode, uint64_t offset, uint64_t length) = 0;
  /// `whence` SEEK_DATA or SEEK_HOLE.
  virtual Result<uint64_t> Seek(uint64_t offset, int whence) = 0;
  virtual Result<FileAttr> Stat() = 0;
  /// Copies up to `length` bytes of `source`, another open file of the same backend, as copy_file_range(2):
  /// shares blocks where the file system can. The bytes copied.
  virtual Result<uint64_t> CopyFrom(BackendFile& /*source*/, uint64_t /*from*/, uint64_t /*to*/,
                                    uint64_t /*length*/) {
    return Status(StatusCode::kUnsupported, "no copies here");
  }
  /// `operation` of flock(2). Without LOCK_NB it may wait for ever; a signal ends that with EINTR.
  virtual Status Lock(int /*operation*/) { return {StatusCode::kUnsupported, "no locks here"}; }
};

struct Created {
  Found found;
  std::unique_ptr<BackendFile> file;
};

/// While it lives, so does the inode, whether or not it has a name. The destructor may free the inode's
/// space, and block as a removal does. Thread-safe.
class NodeHold {
 public:
  virtual ~NodeHold() = default;
  /// Whether somebody should go on holding the inode, now that a name of it has been removed.
  virtual bool Needed() = 0;
};

/// While it lives, nobody else has the same lock, on any node.
class NodeLock {
 public:
  virtual ~NodeLock() = default;
};

/// Blocking calls on the shared file system by inode, below every cache of ours. Thread-safe. Every call may
/// wait for the cluster's lock manager: never call with a mutex held, nor while holding a lease that is being
/// recalled (see docs/COHERENCE.md, forced release). Errors are kSystem with the file system's own errno, to
/// be passed on unchanged. Names are single components without '/'; `.` and `..` are not used.
class Backend {
 public:
  virtual ~Backend() = default;

  virtual NodeRef Root() = 0;
  /// A node from BackendNode::Token(), without I/O; the first use of it says ESTALE if the inode is gone.
  /// kUnsupported where inodes have no handles, kCorrupt if `token` is not one of this backend's.
  virtual Result<NodeRef> Resolve(InodeId id, const std::string& token) = 0;

  virtual Result<Found> Lookup(const NodeRef& parent, const std::string& name) = 0;
  virtual Result<FileAttr> Stat(const NodeRef& node) = 0;
  /// When the inode was made, which never changes; nothing where the file system does not keep it.
  virtual Result<std::optional<FileTime>> Birth(const NodeRef& /*node*/) { return std::optional<FileTime>(); }
  /// `file` may be an open file of the node, or null.
  virtual Result<FileAttr> SetAttr(const NodeRef& node, const AttrChange& change, BackendFile* file) = 0;
  virtual Result<std::string> ReadLink(const NodeRef& node) = 0;
  /// All entries of a directory, `.` and `..` left out.
  virtual Result<std::vector<DirectoryEntry>> List(const NodeRef& directory) = 0;

  /// `flags` of open(2): access mode, O_TRUNC, O_APPEND, O_SYNC and O_DSYNC count, others are ignored.
  /// REQUIRES: a regular file (a FIFO would block).
  virtual Result<std::unique_ptr<BackendFile>> Open(const NodeRef& node, int flags) = 0;
  /// Creates a regular file and opens it. A name that exists is not opened, since nobody has checked whether
  /// the caller may: EEXIST if `flags` has O_EXCL, else ESTALE, on which the kernel looks the name up again.
  virtual Result<Created> Create(const NodeRef& parent, const std::string& name, uint32_t mode, int flags,
                                 const Caller& caller) = 0;
  /// Creates and opens a regular file without a name, as O_TMPFILE of open(2): it is gone when it is closed
  /// unless Link has given it one. EOPNOTSUPP where the file system has no such files.
  virtual Result<Created> CreateUnnamed(const NodeRef& /*directory*/, uint32_t /*mode*/, int /*flags*/,
                                        const Caller& /*caller*/) {
    return Status::FromErrno(EOPNOTSUPP, "O_TMPFILE");
  }
  virtual Result<Found> MakeNode(const NodeRef& parent, const std::string& name, uint32_t mode, uint64_t rdev,
                                 const Caller& caller) = 0;
  virtual Result<Found> MakeDirectory(const NodeRef& parent, const std::string& name, uint32_t mode,
                                      const Caller& caller) = 0;
  virtual Result<Found> MakeSymlink(const NodeRef& parent, const std::string& name, const std::string& target,
                                    const Caller& caller) = 0;
  /// `places`: names that the node may have, for a file system that links only what it reaches by its name.
  virtual Result<Found> Link(const NodeRef& node, const std::vector<Place>& places, const NodeRef& parent,
                             const std::string& name) = 0;
  /// For a node of which a name is about to be removed: it can be used afterwards for as long as it is held.
  /// Null if it can be used anyway, or cannot be held.
  virtual std::shared_ptr<NodeHold> Hold(const NodeRef& /*node*/) { return nullptr; }
  virtual Status Unlink(const NodeRef& parent, const std::string& name) = 0;
  virtual Status RemoveDirectory(const NodeRef& parent, const std::string& name) = 0;
  /// `flags` of renameat2(2); `caller` for what RENAME_WHITEOUT makes.
  virtual Status Rename(const NodeRef& from, const std::string& from_name, const NodeRef& to,
                        const std::string& to_name, unsigned flags, const Caller& caller) = 0;

  virtual Result<std::string> GetXattr(const NodeRef& node, const std::string& name) = 0;
  /// Names, each ended by NUL, as listxattr(2) gives them.
  virtual Result<std::string> ListXattr(const NodeRef& node) = 0;
  /// `flags` of setxattr(2).
  virtual Status SetXattr(const NodeRef& node, const std::string& name, std::span<const std::byte> value,
                          int flags) = 0;
  virtual Status RemoveXattr(const NodeRef& node, const std::string& name) = 0;

  /// Inode flags and project (chattr(1), FS_IOC_GETFLAGS and its kin): `command` as in ioctl(2), which says
  /// by its direction bits whether `in` is taken or an answer of its size comes back.
  virtual Result<std::string> Ioctl(const NodeRef& /*node*/, unsigned /*command*/,
                                    std::span<const std::byte> /*in*/) {
    return Status::FromErrno(ENOTTY, "ioctl");
  }
  /// Whether inodes may have POSIX ACLs, and new ones take default ACLs or Caller::umask into account.
  virtual bool HasAcls() { return false; }
  /// Whether a change of an extended attribute shows in ctime: answers may be kept under the stamp then.
  virtual bool XattrsMoveCtime() { return false; }

  /// flock(2) of a directory, exclusively. Does not wait: EWOULDBLOCK if somebody has it.
  virtual Result<std::unique_ptr<NodeLock>> LockDirectory(const NodeRef& /*directory*/) {
    return Status::FromErrno(EOPNOTSUPP, "lock of a directory");
  }
  /// Whether somebody on this node, this process included, has a regular file open for writing now.
  virtual Result<bool> IsOpenForWriting(const NodeRef& /*node*/) {
    return Status::FromErrno(EOPNOTSUPP, "writers of a file");
  }

  virtual Status SyncDirectory(const NodeRef& directory, bool data_only) = 0;
  virtual Result<struct statvfs> StatFs() = 0;
};

/// FS_*_FL of chattr(1), of a regular file or directory. Errors as of Backend::Ioctl.
Result<uint32_t> InodeFlags(Backend& backend, const NodeRef& node);

}  // namespace ocfsgw::coherence
