// SETLK of flock(2): the source's own flock, which OCFS2 has across its cluster. SETLK and GETLK of fcntl(2),
// with fcntl=cluster; else byte-range locks are the kernel's own business, on this node. In a fast tree
// nobody says when a file is closed, and so when its locks end: flock(2) is refused, or the kernel's own
// business.

#include <fcntl.h>
#include <sys/file.h>

#include <cerrno>
#include <chrono>
#include <limits>
#include <optional>
#include <thread>

#include "base/log.h"
#include "fusefs/file_handle.h"
#include "fusefs/request.h"

namespace ocfsgw::fusefs {
namespace {

using coherence::CoherentFs;
using coherence::OpenFile;

/// The kernel sends RELEASE after close(2) has returned: a lock that was given back by closing may be held
/// for a moment yet. So long one that is not to be waited for is tried.
constexpr int kTries = 10;
constexpr Duration kBetweenTries = std::chrono::milliseconds(1);

Status TryForAMoment(CoherentFs& fs, OpenFile& file, int operation) {
  Status status;
  for (int i = 0; i < kTries; ++i) {
    std::this_thread::sleep_for(kBetweenTries);
    const bool held_here = file.inode()->flocks.load() > 0;
    status = fs.Lock(file, operation);
    if (!status.IsErrno(EWOULDBLOCK) || !held_here) break;
  }
  return status;
}

void Count(OpenFile& file, int operation) { file.SetFlocked((operation & LOCK_UN) == 0); }

void Flock(fuse_req_t req, fuse_ino_t /*ino*/, fuse_file_info* fi, int operation) {
  MountContext& context = Context(req);
  OpenFile& file = *OpenFiles::Of(fi).file;
  const bool wait = (operation & LOCK_NB) == 0;
  const bool held_here = file.inode()->flocks.load() > 0;
  const Status status = context.fs.Lock(file, operation | LOCK_NB);
  if (!status.IsErrno(EWOULDBLOCK) || !(wait || held_here)) {
    if (status.ok()) Count(file, operation);
    ReplyStatus(req, status);
    return;
  }
  const bool waits = context.lock_waiters.Wait(req, [&context, &file, operation, wait] {
    const Status locked =
        wait ? context.fs.Lock(file, operation) : TryForAMoment(context.fs, file, operation);
    if (locked.ok()) Count(file, operation);
    return locked;
  });
  if (waits) return;
  log::Warning("{} processes wait for locks of files already: one more is refused", LockWaiters::kMax);
  fuse_reply_err(req, ENOLCK);
}

void RefuseFlock(fuse_req_t req, fuse_ino_t /*ino*/, fuse_file_info* /*fi*/, int /*operation*/) {
  fuse_reply_err(req, ENOLCK);
}

// --- byte ranges ---

using ocfs2::ByteRangeLocks;
using ocfs2::RangeLock;

constexpr uint64_t kLastByte = std::numeric_limits<off_t>::max();

/// libfuse has made it of the kernel's first and last byte: whence is SEEK_SET, length 0 is up to the end.
RangeLock ToRange(const OpenFile& file, const fuse_file_info* fi, const struct flock& lock) {
  RangeLock range;
  range.inode = file.inode()->id();
  range.owner = fi->lock_owner;
  range.handle = fi->fh;
  range.first = static_cast<uint64_t>(lock.l_start);
  range.last = lock.l_len == 0 ? kLastByte : range.first + static_cast<uint64_t>(lock.l_len) - 1;
  range.pid = static_cast<uint32_t>(lock.l_pid);
  range.exclusive = lock.l_type == F_WRLCK;
  return range;
}

void OnInterrupt(fuse_req_t req, void* request) {
  // Answered by another thread: the kernel's request is locked here.
  Context(req).ranges->Cancel(static_cast<ByteRangeLocks::Request*>(request)->shared_from_this());
}

void SetRange(fuse_req_t req, fuse_ino_t /*ino*/, fuse_file_info* fi, struct flock* lock, int wait) {
  ByteRangeLocks& ranges = *Context(req).ranges;
  const RangeLock range = ToRange(*OpenFiles::Of(fi).file, fi, *lock);
  if (lock->l_type == F_UNLCK) {
    ranges.Unset(range, [req](const Status& status) { ReplyStatus(req, status); });
    return;
  }
  const auto request =
      std::make_shared<ByteRangeLocks::Request>(range, wait != 0, [req](const Status& status) {
        fuse_req_interrupt_func(req, nullptr, nullptr);  // nobody uses the request any more when this returns
        ReplyStatus(req, status);
      });
  fuse_req_interrupt_func(req, OnInterrupt, request.get());
  ranges.Set(request);
}

void GetRange(fuse_req_t req, fuse_ino_t /*ino*/, fuse_file_info* fi, struct flock* lock) {
  ByteRangeLocks& ranges = *Context(req).ranges;
  ranges.Test(ToRange(*OpenFiles::Of(fi).file, fi, *lock),
              [req, instance = ranges.instance()](const Result<std::optional<RangeLock>>& found) {
                if (!found.ok()) {
                  ReplyStatus(req, found.status());
                  return;
                }
                struct flock answer {};
                answer.l_type = F_UNLCK;
                if (const auto& in_the_way = *found) {
                  answer.l_type = in_the_way->exclusive ? F_WRLCK : F_RDLCK;
                  answer.l_start = static_cast<off_t>(in_the_way->first);
                  answer.l_len = in_the_way->last == kLastByte
                                     ? 0
                                     : static_cast<off_t>(in_the_way->last - in_the_way->first + 1);
                  // Another node's number would be taken for a process of this one.
                  answer.l_pid = in_the_way->instance == instance ? static_cast<pid_t>(in_the_way->pid) : 0;
                }
                fuse_reply_lock(req, &answer);
              });
}

}  // namespace

void AddLockOperations(fuse_lowlevel_ops& ops, const MountContext& context) {
  if (context.fast) {
    if (!context.local_flock) ops.flock = RefuseFlock;
    return;
  }
  ops.flock = Flock;
  if (context.ranges == nullptr) return;
  ops.setlk = SetRange;
  ops.getlk = GetRange;
}

}  // namespace ocfsgw::fusefs
