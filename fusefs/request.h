#pragma once

#define FUSE_USE_VERSION 312
#include <fuse_lowlevel.h>

#include <atomic>
#include <span>
#include <string>

#include "base/executor.h"
#include "base/status.h"
#include "coherence/coherent_fs.h"
#include "fusefs/file_handle.h"
#include "fusefs/inode_table.h"
#include "fusefs/kernel_listings.h"
#include "fusefs/kernel_notifier.h"
#include "fusefs/lock_waiters.h"
#include "fusefs/name_table.h"
#include "fusefs/passthrough.h"
#include "fusefs/reader_gate.h"
#include "fusefs/used_nodes.h"
#include "ocfs2-backend/byte_range_locks.h"

namespace ocfsgw::fusefs {

/// What every handler works with: the session's userdata.
struct MountContext {
  coherence::CoherentFs& fs;
  InodeTable& inodes;
  NameTable& names;
  KernelListings& listings;
  Executor& settlers;  ///< For answers that wait for the kernel to give pages back.
  Executor& walks;     ///< For those that wait for names.
  Executor& releases;  ///< For what the kernel has forgotten.
  KernelNotifier& notifier;
  LockWaiters& lock_waiters;           ///< For those that wait for locks of files.
  ocfs2::ByteRangeLocks* ranges;       ///< Null: byte-range locks are the kernel's own business.
  bool has_acls = false;               ///< The source has POSIX ACLs.
  uint64_t read_ahead_bytes = 0;       ///< What the kernel is to be told; 0: nothing.
  bool fast = false;                   ///< A fast tree: the kernel does not say what it opens.
  bool local_flock = false;            ///< In a fast tree flock(2) is the kernel's own business.
  bool may_pass = false;               ///< See Passthrough.
  std::atomic<bool> says_kill{false};  ///< The kernel says what KillsSetIds() tells.
  std::atomic<bool> may_trust{false};  ///< See MayTrust; set when the kernel has said what it can.
  ReaderGate readers{ReaderGate::ReadersForThisMachine()};
  OpenFiles files{};
  Passthrough passthrough{};
  UsedNodes used{};  ///< In place of `files`, in a fast tree.
  OpenDirectories directories{};
};

/// The one table from Status to errno.
int ToErrno(const Status& status);

inline MountContext& Context(fuse_req_t req) { return *static_cast<MountContext*>(fuse_req_userdata(req)); }

/// The inode of a request, or ESTALE has been answered and null is returned.
coherence::InodePtr InodeOf(fuse_req_t req, fuse_ino_t ino);

/// The file of a request on one that is open, `writes`: to change what is in it; or ESTALE has been answered
/// and null is returned.
std::shared_ptr<coherence::OpenFile> FileOf(fuse_req_t req, fuse_ino_t ino, const fuse_file_info* fi,
                                            bool writes = false);

/// Whether the kernel may be told anything of the node that outlives the request.
bool MayOutlive(const MountContext& context, fuse_ino_t ino);

/// Fills `out` for fuse_reply_attr.
struct stat ToStat(const coherence::FileAttr& attr);

/// Answers with the error, or with success if ok.
void ReplyStatus(fuse_req_t req, const Status& status);
/// The name that a request is about.
struct NameAt {
  fuse_ino_t directory;
  const char* name;
};
/// Has the kernel drop what it is about to be told of the inode, if it has to (LinkCount). Before the answer.
void DropIfLinksChange(MountContext& context, const coherence::InodePtr& inode);
/// Counts one lookup of the inode; what the kernel is to be told of it, and whether it may trust the
/// attributes.
fuse_entry_param Offer(MountContext& context, const coherence::Entry& entry);
/// Answers what makes a name; counts the lookup, and takes it back if the kernel did not get the answer.
void ReplyEntry(fuse_req_t req, const NameAt& at, const Result<coherence::Entry>& entry);
/// Answers LOOKUP. The kernel is told to trust the name, or that there is none, while the lease of epoch
/// `lease` on `directory` is held.
void ReplyLookup(fuse_req_t req, const NameAt& at, const coherence::InodePtr& directory,
                 std::optional<uint32_t> lease, const Result<coherence::Entry>& entry);
/// What the change has removed stays usable for whoever still has it open. Call before the answer.
void KeepRemoved(MountContext& context, const coherence::Mutation& change);
/// The kernel has forgotten `lookups` lookups of a node.
void ForgetNode(MountContext& context, fuse_ino_t ino, uint64_t lookups);
/// Answers GETATTR, STATX if `statx`, and SETATTR. Of a STATX it may ask the backend for the time of birth.
void ReplyAttr(fuse_req_t req, fuse_ino_t ino, const coherence::InodePtr& inode,
               const Result<coherence::Attributes>& known, bool statx = false);

/// Whether the kernel drops attributes that it asked for before an invalidation, so that it may be told to
/// trust any: Linux 5.9; 7.32 is the protocol of 5.10.
inline bool MayTrust(const fuse_conn_info& connection) {
  return connection.proto_major > 7 || (connection.proto_major == 7 && connection.proto_minor >= 32);
}

/// `mode`: of the object to be made.
coherence::Caller CallerOf(fuse_req_t req, mode_t mode = 0);

/// How long the kernel may trust attributes: until they are taken back while their lease is held, else not
/// beyond the request.
inline constexpr double kWhileLeasedSeconds = 1e9;
inline constexpr double kNoTimeoutSeconds = 0;

/// Adds this folder's handlers to a table of operations, one function per file.
void AddNameOperations(fuse_lowlevel_ops& ops);
void AddAttrOperations(fuse_lowlevel_ops& ops);
void AddFileOperations(fuse_lowlevel_ops& ops, const MountContext& context);
void AddDirectoryOperations(fuse_lowlevel_ops& ops);
void AddXattrOperations(fuse_lowlevel_ops& ops);
void AddIoctlOperations(fuse_lowlevel_ops& ops);
void AddLockOperations(fuse_lowlevel_ops& ops, const MountContext& context);

}  // namespace ocfsgw::fusefs
