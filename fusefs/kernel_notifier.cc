#include "fusefs/kernel_notifier.h"

#include <cerrno>

#include "base/log.h"

namespace ocfsgw::fusefs {
namespace {

/// One queued task per inode at most (LeaseState's invariant 4): this is never reached.
constexpr size_t kQueueMax = 1 << 22;

}  // namespace

KernelNotifier::KernelNotifier()
    : executor_({.name = "notify", .threads = kThreads, .queue_max = kQueueMax}) {}

void KernelNotifier::Attach(fuse_session* session, const InodeTable* inodes) {
  inodes_ = inodes;
  session_.store(session, std::memory_order_release);
}

void KernelNotifier::Detach() {
  session_.store(nullptr, std::memory_order_release);
  executor_.Stop();
}

void KernelNotifier::InvalidatePages(InodeId inode, std::vector<coherence::ByteRange> ranges,
                                     std::function<void()> done) {
  const bool posted = executor_.Post([this, inode, ranges = std::move(ranges), done] {
    Notify(inode, ranges);
    done();
  });
  if (!posted) done();  // stopping: the mount is gone, and the kernel's pages with it
}

void KernelNotifier::Notify(InodeId inode, const std::vector<coherence::ByteRange>& ranges) const {
  fuse_session* const session = session_.load(std::memory_order_acquire);
  if (session == nullptr) return;
  const auto ino = inodes_->IdOf(inode);
  if (!ino) return;
  const auto invalidate = [&](off_t offset, off_t length) {
    const int error = fuse_lowlevel_notify_inval_inode(session, *ino, offset, length);
    if (error != 0 && error != -ENOENT && error != -ENOTCONN && error != -EBADF) {
      log::Error("the kernel refused to give pages of inode {} back: error {}", inode.ino, -error);
    }
  };
  invalidate(-1, 0);  // the attributes
  for (const auto& range : ranges) {
    invalidate(static_cast<off_t>(range.begin),
               range.end == coherence::ByteRange::kToEnd ? 0 : static_cast<off_t>(range.end - range.begin));
  }
}

}  // namespace ocfsgw::fusefs
