// SETLK of flock(2): the source's own flock, which OCFS2 has across its cluster. Byte-range locks (fcntl(2))
// are the kernel's own business, on this node.

#include <sys/file.h>

#include <cerrno>
#include <chrono>
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
  OpenFile& file = OpenFiles::Of(fi);
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

}  // namespace

void AddLockOperations(fuse_lowlevel_ops& ops) { ops.flock = Flock; }

}  // namespace ocfsgw::fusefs
