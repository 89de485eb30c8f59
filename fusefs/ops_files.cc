// OPEN, CREATE and TMPFILE, READ, WRITE and what else works on an open file. In a fast tree OPEN and FLUSH
// are refused as unknown, and the kernel sends neither again, nor RELEASE; it makes files by MKNOD as soon as
// CREATE is refused, too.

#include <fcntl.h>

#include <cerrno>
#include <limits>

#include "fusefs/file_handle.h"
#include "fusefs/new_requests.h"
#include "fusefs/request.h"

namespace ocfsgw::fusefs {
namespace {

using coherence::CoherentFs;
using coherence::InodePtr;
using coherence::Mutation;
using coherence::OpenFile;

/// Tells the kernel how to treat the handle. Pages of earlier opens are kept while a lease covers them. FLUSH
/// is needed only where something was written, since it is there to report errors of writes; with byte-range
/// locks of ours always, as closing gives them up, and any file may be locked later.
void Describe(const MountContext& context, const OpenFile& file, fuse_file_info* fi) {
  fi->direct_io = file.direct();
  fi->keep_cache = context.fs.leases().MayKeepPages(*file.inode());
  fi->noflush = context.ranges == nullptr && (fi->flags & O_ACCMODE) == O_RDONLY;
}

/// What whoever only writes gains by passing the file through to: a descriptor, or -1. Who appends does so
/// under a lock of ours, see CoherentFs::Write; O_DIRECT would be the source's own, with its alignment.
int WorthPassingTo(coherence::Backend& backend, OpenFile& file) {
  constexpr int kOthers = O_APPEND | O_DIRECT;
  if ((file.flags() & O_ACCMODE) != O_WRONLY || (file.flags() & kOthers) != 0) return -1;
  const auto backing = file.Backing(backend);
  return backing.ok() ? (*backing)->Descriptor() : -1;
}

/// Has the kernel use the file without us, if that is wanted and possible, or has to be. Right before the
/// answer, which this thread gives.
void PassThroughIfPossible(MountContext& context, fuse_ino_t ino, FileHandle& handle) {
  if (!context.passthrough.enabled()) return;
  OpenFile& file = *handle.file;
  handle.passed = context.passthrough.Open(ino, file.flags(), WorthPassingTo(context.fs.backend(), file));
  if (handle.passed.backing != 0) PassThrough(handle.passed.backing);
}

void CloseFile(MountContext& context, fuse_ino_t ino, const fuse_file_info* fi) {
  context.passthrough.Close(ino, OpenFiles::Of(fi).passed);
  context.files.Remove(fi->fh);
}

void Open(fuse_req_t req, fuse_ino_t ino, fuse_file_info* fi) {
  const InodePtr inode = InodeOf(req, ino);
  if (!inode) return;
  auto file = Context(req).fs.Open(inode, fi->flags);
  if (!file.ok()) {
    ReplyStatus(req, file.status());
    return;
  }
  MountContext& context = Context(req);
  Describe(context, **file, fi);
  fi->fh = context.files.Add(std::make_unique<FileHandle>(std::move(*file)));
  PassThroughIfPossible(context, ino, OpenFiles::Of(fi));
  if (fuse_reply_open(req, fi) != 0) CloseFile(context, ino, fi);
}

void Create(fuse_req_t req, fuse_ino_t parent, const char* name, mode_t mode, fuse_file_info* fi) {
  const InodePtr inode = InodeOf(req, parent);
  if (!inode) return;
  MountContext& context = Context(req);
  const bool named = (fi->flags & O_TMPFILE) != O_TMPFILE;  // see ReceiveNewRequests
  Mutation change(context.fs.leases());
  auto created = named ? context.fs.Create(change, inode, name, mode, fi->flags, CallerOf(req, mode))
                       : context.fs.CreateUnnamed(change, inode, mode, fi->flags, CallerOf(req, mode));
  if (!created.ok()) {
    ReplyStatus(req, created.status());
    return;
  }
  Describe(context, *created->second, fi);
  fi->fh = context.files.Add(std::make_unique<FileHandle>(std::move(created->second)));
  const fuse_entry_param param = context.inodes.Remember(created->first);
  if (named) context.names.Change(parent, name, param.ino);
  PassThroughIfPossible(context, param.ino, OpenFiles::Of(fi));
  if (fuse_reply_create(req, &param, fi) != 0) {
    CloseFile(context, param.ino, fi);
    ForgetNode(context, param.ino, 1);
  }
}

void Release(fuse_req_t req, fuse_ino_t ino, fuse_file_info* fi) {
  MountContext& context = Context(req);
  if (context.ranges != nullptr) context.ranges->DropHandle(OpenFiles::Of(fi).file->inode()->id(), fi->fh);
  CloseFile(context, ino, fi);
  fuse_reply_err(req, 0);
}

void OpenFast(fuse_req_t req, fuse_ino_t /*ino*/, fuse_file_info* /*fi*/) { fuse_reply_err(req, ENOSYS); }

void Read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset, fuse_file_info* fi) {
  const auto file = FileOf(req, ino, fi);
  if (!file) return;
  const Status status = Context(req).fs.Read(
      *file, static_cast<uint64_t>(offset), size, [req](std::span<const std::byte> bytes) {
        fuse_reply_buf(req, reinterpret_cast<const char*>(bytes.data()), bytes.size());
      });
  if (!status.ok()) ReplyStatus(req, status);
}

void Write(fuse_req_t req, fuse_ino_t ino, const char* data, size_t size, off_t offset, fuse_file_info* fi) {
  CoherentFs& fs = Context(req).fs;
  const auto opened = FileOf(req, ino, fi, true);
  if (!opened) return;
  OpenFile& file = *opened;
  Mutation change(fs.leases());
  const bool direct = Context(req).fast ? (fi->flags & O_DIRECT) != 0 : file.direct();
  // Pages written back from a mapping come with any handle of the inode's, direct or not.
  const bool cached = fi->writepage || !direct;
  const bool kill = Context(req).says_kill.load(std::memory_order_relaxed)
                        ? KillsSetIds()
                        : !cached && fuse_req_ctx(req)->uid != 0;
  const bool append = (fi->flags & O_APPEND) != 0 && !fi->writepage;
  const auto written =
      fs.Write(change, file, static_cast<uint64_t>(offset), std::as_bytes(std::span(data, size)),
               {.cached = cached, .append = append, .kill_set_ids = kill});
  if (written.ok()) {
    fuse_reply_write(req, *written);
  } else {
    ReplyStatus(req, written.status());
  }
}

void Flush(fuse_req_t req, fuse_ino_t /*ino*/, fuse_file_info* fi) {
  MountContext& context = Context(req);
  OpenFile& file = *OpenFiles::Of(fi).file;
  const Status flushed = context.fs.Flush(file);
  if (context.ranges == nullptr) {
    ReplyStatus(req, flushed);
    return;
  }
  context.ranges->DropOwner(file.inode()->id(), fi->lock_owner,
                            [req, flushed](const Status&) { ReplyStatus(req, flushed); });
}

void Sync(fuse_req_t req, fuse_ino_t ino, int data_only, fuse_file_info* fi) {
  if (const auto file = FileOf(req, ino, fi)) {
    ReplyStatus(req, Context(req).fs.Sync(*file, data_only != 0));
  }
}

void Allocate(fuse_req_t req, fuse_ino_t ino, int mode, off_t offset, off_t length, fuse_file_info* fi) {
  const auto file = FileOf(req, ino, fi, true);
  if (!file) return;
  CoherentFs& fs = Context(req).fs;
  Mutation change(fs.leases());
  ReplyStatus(req,
              fs.Allocate(change, *file, mode, static_cast<uint64_t>(offset), static_cast<uint64_t>(length)));
}

void CopyRange(fuse_req_t req, fuse_ino_t ino, off_t from, fuse_file_info* fi, fuse_ino_t to_ino, off_t to,
               fuse_file_info* to_fi, size_t length, int /*flags*/) {
  const auto source = FileOf(req, ino, fi);
  if (!source) return;
  const auto target = FileOf(req, to_ino, to_fi, true);
  if (!target) return;
  CoherentFs& fs = Context(req).fs;
  Mutation change(fs.leases());
  const auto copied =
      fs.CopyRange(change, *source, static_cast<uint64_t>(from), *target, static_cast<uint64_t>(to), length);
  if (copied.ok()) {
    fuse_reply_write(req, *copied);
  } else {
    ReplyStatus(req, copied.status());
  }
}

void Seek(fuse_req_t req, fuse_ino_t ino, off_t offset, int whence, fuse_file_info* fi) {
  const auto file = FileOf(req, ino, fi);
  if (!file) return;
  const auto at = Context(req).fs.Seek(*file, static_cast<uint64_t>(offset), whence);
  if (at.ok()) {
    fuse_reply_lseek(req, static_cast<off_t>(*at));
  } else {
    ReplyStatus(req, at.status());
  }
}

}  // namespace

void AddFileOperations(fuse_lowlevel_ops& ops, const MountContext& context) {
  if (context.fast) {
    ops.open = OpenFast;  // libfuse answers the others with ENOSYS by itself
  } else {
    ops.open = Open;
    ops.create = Create;
    ops.release = Release;
    ops.flush = Flush;
  }
  ops.read = Read;
  ops.write = Write;
  ops.fsync = Sync;
  ops.fallocate = Allocate;
  ops.copy_file_range = CopyRange;
  ops.lseek = Seek;
}

}  // namespace ocfsgw::fusefs
