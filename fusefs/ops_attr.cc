// GETATTR and STATX, SETATTR, READLINK, STATFS.

#include <cerrno>

#include "fusefs/file_handle.h"
#include "fusefs/new_requests.h"
#include "fusefs/request.h"

namespace ocfsgw::fusefs {
namespace {

using coherence::AttrChange;
using coherence::FileTime;
using coherence::InodePtr;

/// A GETATTR or STATX.
struct Question {
  fuse_req_t req;
  fuse_ino_t ino;
  InodePtr inode;
  coherence::OpenFile* file;  ///< Opened, or null. The kernel waits with it until it has the answer.
  bool statx;
};

/// Answers, and where the kernel may drop the answer sees to it that it knows how long the file is.
/// REQUIRES: on one of the executors' threads if the latter is wanted, as `may_store` says. False: it is, and
/// nothing has been answered.
bool Answer(const Question& asked, const Result<coherence::Attributes>& known, bool may_store) {
  MountContext& context = Context(asked.req);
  DropIfLinksChange(context, asked.inode);
  if (known.ok() && !context.passthrough.Passes(asked.ino) &&
      context.fs.MayMissSize(asked.inode, known->attr, context.notifier.HasSeveral(asked.inode->id()))) {
    if (!may_store) return false;
    context.fs.TellSize(asked.inode, asked.file, known->attr.size, [&](uint64_t offset, std::byte last) {
      context.notifier.Store(asked.inode->id(), offset, last);
    });
  }
  ReplyAttr(asked.req, asked.ino, asked.inode, known, asked.statx);
  return true;
}

void GetAttr(fuse_req_t req, fuse_ino_t ino, fuse_file_info* fi) {
  const InodePtr inode = InodeOf(req, ino);
  if (!inode) return;
  MountContext& context = Context(req);
  coherence::LeaseTable& leases = context.fs.leases();
  const bool is_directory = leases.IsDirectory(*inode);
  const Question asked{
      .req = req,
      .ino = ino,
      .inode = inode,
      .file = fi != nullptr && !is_directory && !context.fast ? OpenFiles::Of(fi).file.get() : nullptr,
      .statx = IsStatx()};
  // The answer has to wait for what the kernel gives back only when other requests are answered: not here,
  // where the last worker may be needed for them.
  Executor& waiters = is_directory ? context.walks : context.settlers;
  const TimePoint since = std::chrono::steady_clock::now();
  if (!leases.Settled(*inode) && waiters.Post([asked, &context, since] {
        Answer(asked, context.fs.GetAttr(asked.inode, since), true);
      })) {
    return;
  }
  const auto known = context.fs.GetAttr(inode, since);
  if (Answer(asked, known, false)) return;
  if (!waiters.Post([asked, known] { Answer(asked, known, true); })) {
    ReplyAttr(req, ino, inode, known, asked.statx);
  }
}

FileTime ToFileTime(const timespec& time) { return {time.tv_sec, static_cast<uint32_t>(time.tv_nsec)}; }

AttrChange ToChange(const struct stat& attr, int to_set) {
  AttrChange change;
  if (to_set & FUSE_SET_ATTR_MODE) change.mode = attr.st_mode & 07777;
  if (to_set & FUSE_SET_ATTR_UID) change.uid = attr.st_uid;
  if (to_set & FUSE_SET_ATTR_GID) change.gid = attr.st_gid;
  if (to_set & FUSE_SET_ATTR_SIZE) change.size = attr.st_size;
  if (to_set & FUSE_SET_ATTR_ATIME) change.atime = ToFileTime(attr.st_atim);
  if (to_set & FUSE_SET_ATTR_MTIME) change.mtime = ToFileTime(attr.st_mtim);
  change.atime_now = (to_set & FUSE_SET_ATTR_ATIME_NOW) != 0;
  change.mtime_now = (to_set & FUSE_SET_ATTR_MTIME_NOW) != 0;
  return change;
}

void SetAttr(fuse_req_t req, fuse_ino_t ino, struct stat* attr, int to_set, fuse_file_info* fi) {
  const InodePtr inode = InodeOf(req, ino);
  if (!inode) return;
  coherence::CoherentFs& fs = Context(req).fs;
  const auto file = fi != nullptr ? FileOf(req, ino, fi, (to_set & FUSE_SET_ATTR_SIZE) != 0) : nullptr;
  if (fi != nullptr && !file) return;
  coherence::Mutation change(fs.leases());
  const auto changed = fs.SetAttr(change, inode, ToChange(*attr, to_set), file.get(), KillsSetIds());
  if (changed.ok()) {
    ReplyAttr(req, ino, inode, coherence::Attributes{*changed, std::nullopt});
  } else {
    ReplyStatus(req, changed.status());
  }
}

void ReadLink(fuse_req_t req, fuse_ino_t ino) {
  const InodePtr inode = InodeOf(req, ino);
  if (!inode) return;
  const auto target = Context(req).fs.ReadLink(inode);
  if (target.ok()) {
    fuse_reply_readlink(req, target->c_str());
  } else {
    ReplyStatus(req, target.status());
  }
}

void StatFs(fuse_req_t req, fuse_ino_t /*ino*/) {
  const auto stat = Context(req).fs.backend().StatFs();
  if (stat.ok()) {
    fuse_reply_statfs(req, &*stat);
  } else {
    ReplyStatus(req, stat.status());
  }
}

}  // namespace

void AddAttrOperations(fuse_lowlevel_ops& ops) {
  ops.getattr = GetAttr;
  ops.setattr = SetAttr;
  ops.readlink = ReadLink;
  ops.statfs = StatFs;
}

}  // namespace ocfsgw::fusefs
