#include "fusefs/request.h"

#include <fcntl.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "fusefs/new_requests.h"

namespace ocfsgw::fusefs {
namespace {

double AttrTimeout(const MountContext& context, fuse_ino_t ino, const coherence::InodePtr& inode,
                   std::optional<uint32_t> lease) {
  return lease && MayOutlive(context, ino) && context.fs.leases().Trust(*inode, *lease) ? kWhileLeasedSeconds
                                                                                        : kNoTimeoutSeconds;
}

/// Supplementary groups of a thread (proc(5)); none if it cannot be seen. fuse_req_getgroups() of
/// libfuse 3.14 looks for the end of a string that has none.
std::vector<uint32_t> GroupsOf(pid_t thread) {
  std::ifstream status("/proc/" + std::to_string(thread) + "/status");
  std::vector<uint32_t> groups;
  for (std::string line; std::getline(status, line);) {
    if (!line.starts_with("Groups:")) continue;
    std::istringstream numbers(line.substr(std::strlen("Groups:")));
    for (uint32_t group = 0; numbers >> group;) groups.push_back(group);
  }
  return groups;
}

}  // namespace

bool MayOutlive(const MountContext& context, fuse_ino_t ino) {
  return context.may_trust.load(std::memory_order_relaxed) && context.inodes.Guarded(ino);
}

void DropIfLinksChange(MountContext& context, const coherence::InodePtr& inode) {
  if (context.fs.MustBeDropped(inode)) context.notifier.ForgetAttributes(inode->id(), false);
}

fuse_entry_param Offer(MountContext& context, const coherence::Entry& entry) {
  DropIfLinksChange(context, entry.inode);
  fuse_entry_param param = context.inodes.Remember(entry);
  param.attr_timeout = AttrTimeout(context, param.ino, entry.inode, entry.lease);
  return param;
}

int ToErrno(const Status& status) {
  switch (status.code()) {
    case StatusCode::kOk:
      return 0;
    case StatusCode::kNotFound:
      return ENOENT;
    case StatusCode::kBusy:
      return EBUSY;
    case StatusCode::kInvalidArgument:
      return EINVAL;
    case StatusCode::kUnsupported:
      return EOPNOTSUPP;
    case StatusCode::kShutdown:
      return ENOTCONN;
    case StatusCode::kCorrupt:
    case StatusCode::kUnavailable:
      return EIO;
    case StatusCode::kSystem:
      return status.sys_errno();
  }
  return EIO;
}

coherence::InodePtr InodeOf(fuse_req_t req, fuse_ino_t ino) {
  coherence::InodePtr inode = Context(req).inodes.Get(ino);
  if (!inode) fuse_reply_err(req, ESTALE);
  return inode;
}

std::shared_ptr<coherence::OpenFile> FileOf(fuse_req_t req, fuse_ino_t ino, const fuse_file_info* fi,
                                            bool writes) {
  MountContext& context = Context(req);
  if (!context.fast)
    return {std::shared_ptr<void>(), OpenFiles::Of(fi).file.get()};  // the kernel keeps it open
  const coherence::InodePtr inode = InodeOf(req, ino);
  if (!inode) return nullptr;
  context.used.Add(ino, inode);
  // Opened in the backend if need be, and closed with the request: kept open, it would keep the space of a
  // file that another node has removed.
  return std::make_shared<coherence::OpenFile>(inode, writes ? O_RDWR : O_RDONLY, nullptr, nullptr);
}

struct stat ToStat(const coherence::FileAttr& attr) {
  struct stat out {};
  out.st_ino = attr.id.ino;
  out.st_mode = attr.mode;
  out.st_nlink = attr.nlink;
  out.st_uid = attr.uid;
  out.st_gid = attr.gid;
  out.st_rdev = attr.rdev;
  out.st_size = static_cast<off_t>(attr.size);
  out.st_blocks = static_cast<blkcnt_t>(attr.blocks);
  out.st_blksize = attr.blksize;
  out.st_atim = {attr.atime.sec, attr.atime.nsec};
  out.st_mtim = {attr.mtime.sec, attr.mtime.nsec};
  out.st_ctim = {attr.ctime.sec, attr.ctime.nsec};
  return out;
}

void ReplyStatus(fuse_req_t req, const Status& status) { fuse_reply_err(req, ToErrno(status)); }

void ForgetNode(MountContext& context, fuse_ino_t ino, uint64_t lookups) {
  auto forgotten = context.inodes.Forget(ino, lookups);
  if (!forgotten) return;
  context.names.Forget(ino);
  context.listings.Forget(ino);
  context.used.Forget(ino);
  context.passthrough.Forget(ino);
  coherence::LeaseTable& leases = context.fs.leases();
  if (!forgotten->hold && !leases.HeldOfNoName(*forgotten->inode)) return;
  const auto removed = std::make_shared<InodeTable::Forgotten>(*std::move(forgotten));
  const auto drop = [&leases, removed] {
    leases.GiveBackOfNoName(removed->inode);
    removed->hold.reset();
  };
  // Space may be freed by it, and libfuse starts no worker in place of one that handles FORGET.
  if (!context.releases.Post(drop)) drop();
}

void KeepRemoved(MountContext& context, const coherence::Mutation& change) {
  if (const auto& removed = change.removed()) context.inodes.Keep(removed->inode->id(), removed->hold);
}

void ReplyEntry(fuse_req_t req, const NameAt& at, const Result<coherence::Entry>& entry) {
  if (!entry.ok()) {
    ReplyStatus(req, entry.status());
    return;
  }
  MountContext& context = Context(req);
  const fuse_entry_param param = Offer(context, *entry);
  context.names.Change(at.directory, at.name, param.ino);
  if (fuse_reply_entry(req, &param) != 0) ForgetNode(context, param.ino, 1);
}

void ReplyLookup(fuse_req_t req, const NameAt& at, const coherence::InodePtr& directory,
                 std::optional<uint32_t> lease, const Result<coherence::Entry>& entry) {
  MountContext& context = Context(req);
  fuse_entry_param param{};  // node id 0: there is no such name
  if (entry.ok()) {
    param = Offer(context, *entry);
  } else if (!lease || !entry.status().IsErrno(ENOENT)) {
    ReplyStatus(req, entry.status());
    return;
  }
  int error = 0;
  const NameTable::Child child{.ino = param.ino, .directory = S_ISDIR(param.attr.st_mode)};
  param.entry_timeout = kWhileLeasedSeconds;
  const bool trusted =
      lease && context.names.Offer(at.directory, at.name, child) &&
      context.fs.leases().AnswerUnder(directory, *lease, [&] { error = fuse_reply_entry(req, &param); });
  if (!trusted) {
    context.names.Tell(at.directory, at.name, param.ino);
    context.listings.ListAgain(at.directory);
    param.entry_timeout = kNoTimeoutSeconds;
    error = fuse_reply_entry(req, &param);
  }
  if (error != 0 && param.ino != 0) ForgetNode(context, param.ino, 1);
}

void ReplyAttr(fuse_req_t req, fuse_ino_t ino, const coherence::InodePtr& inode,
               const Result<coherence::Attributes>& known, bool statx) {
  if (!known.ok()) {
    ReplyStatus(req, known.status());
    return;
  }
  MountContext& context = Context(req);
  const struct stat st = ToStat(known->attr);
  if (!statx) {
    fuse_reply_attr(req, &st, AttrTimeout(context, ino, inode, known->lease));
    return;
  }
  const auto birth = context.fs.Birth(inode);
  if (birth.ok()) {
    ReplyStatx(req, st, *birth, AttrTimeout(context, ino, inode, known->lease));
  } else {
    ReplyStatus(req, birth.status());
  }
}

coherence::Caller CallerOf(fuse_req_t req, mode_t mode) {
  const fuse_ctx* const context = fuse_req_ctx(req);
  coherence::Caller caller{context->uid, context->gid, static_cast<uint32_t>(context->umask), {}};
  if ((mode & S_ISGID) == 0 || context->uid == 0) return caller;
  caller.groups = GroupsOf(context->pid);  // looked up in /proc, so only where they decide: may the bit stay?
  return caller;
}

}  // namespace ocfsgw::fusefs
