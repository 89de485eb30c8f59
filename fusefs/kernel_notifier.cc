#include "fusefs/kernel_notifier.h"

#include <cerrno>
#include <thread>

#include "base/log.h"

namespace ocfsgw::fusefs {
namespace {

/// A few tasks per inode at most (LeaseState's invariant 4): this is never reached.
constexpr size_t kQueueMax = 1 << 22;

/// An answer that tells the kernel of an inode may have been written while the thread that asked has not made
/// the inode yet; after it is made, or forgotten again, the notification means something.
constexpr int kUnknownAttempts = 200;
constexpr auto kUnknownPause = std::chrono::milliseconds(1);

}  // namespace

KernelNotifier::KernelNotifier()
    : attributes_({.name = "attributes", .threads = kAttributeThreads, .queue_max = kQueueMax}),
      pages_({.name = "notify", .threads = kThreads, .queue_max = kQueueMax}) {}

void KernelNotifier::Attach(fuse_session* session, const InodeTable* inodes, NameTable* names) {
  inodes_ = inodes;
  names_ = names;
  session_.store(session, std::memory_order_release);
}

void KernelNotifier::Detach() {
  session_.store(nullptr, std::memory_order_release);
  attributes_.Stop();
  pages_.Stop();
}

bool KernelNotifier::Invalidate(fuse_session* session, fuse_ino_t ino, off_t offset, off_t length) {
  const int error = fuse_lowlevel_notify_inval_inode(session, ino, offset, length);
  if (error == -ENOENT) return false;
  if (error != 0 && error != -ENOTCONN && error != -EBADF) {
    log::Error("the kernel refused to forget what it has of node {}: error {}", ino, -error);
  }
  return true;
}

bool KernelNotifier::ForgetAttributes(InodeId inode, bool may_wait) {
  for (int attempt = 0; attempt < kUnknownAttempts; ++attempt) {
    if (TryForgetAttributes(inode)) return true;
    if (!may_wait) return false;
    std::this_thread::sleep_for(kUnknownPause);
  }
  log::Warning("inode {}: the kernel has neither made nor forgotten it; going on without waiting", inode.ino);
  KeepForgetting(inode);
  return true;
}

bool KernelNotifier::TryForgetAttributes(InodeId inode) const {
  fuse_session* const session = session_.load(std::memory_order_acquire);
  if (session == nullptr) return true;
  const auto ino = inodes_->IdOf(inode);
  return !ino || Invalidate(session, *ino, -1, 0);
}

void KernelNotifier::KeepForgetting(InodeId inode) {
  attributes_.PostAfter(kUnknownPause, [this, inode] {
    if (!TryForgetAttributes(inode)) KeepForgetting(inode);
  });
}

void KernelNotifier::ForgetPages(fuse_session* session, fuse_ino_t ino,
                                 const std::vector<coherence::ByteRange>& ranges) const {
  for (const auto& range : ranges) {
    Invalidate(session, ino, static_cast<off_t>(range.begin),
               range.end == coherence::ByteRange::kToEnd ? 0 : static_cast<off_t>(range.end - range.begin));
  }
}

void KernelNotifier::ForgetNames(fuse_session* session, fuse_ino_t ino) const {
  for (const NameTable::Name& name : names_->TrustedIn(ino)) {
    // What is mounted on a name survives its ageing, but not its being dropped.
    const bool expire = names_->can_expire() && name.child != NameTable::kMissing;
    const int error =
        expire ? fuse_lowlevel_notify_expire_entry(session, ino, name.name.data(), name.name.size(),
                                                   FUSE_LL_EXPIRE_ONLY)
               : fuse_lowlevel_notify_inval_entry(session, ino, name.name.data(), name.name.size());
    if (error != 0 && error != -ENOENT && error != -ENOTCONN && error != -EBADF) {
      log::Error("the kernel refused to forget a name in node {}: error {}", ino, -error);
    }
    names_->TakenBack(ino, name, !expire || error == -ENOENT);
  }
}

void KernelNotifier::Invalidate(InodeId inode, std::vector<coherence::ByteRange> ranges,
                                std::function<void()> done) {
  // What cannot be posted any more need not be done: the mount is gone, and what the kernel had with it.
  const auto post_pages = [this, inode, ranges = std::move(ranges), done](bool attributes) {
    const bool posted = pages_.Post([this, inode, ranges, done, attributes] {
      if (attributes) ForgetAttributes(inode, true);
      fuse_session* const session = session_.load(std::memory_order_acquire);
      const auto ino = session != nullptr ? inodes_->IdOf(inode) : std::nullopt;
      if (ino) {
        ForgetPages(session, *ino, ranges);
        ForgetNames(session, *ino);
      }
      pages_busy_.fetch_sub(1);
      done();
    });
    if (!posted) {
      pages_busy_.fetch_sub(1);
      done();
    }
  };
  if (pages_busy_.fetch_add(1) <
      kThreads) {  // a thread is free: nothing to wait behind, one thread less to wake
    post_pages(true);
    return;
  }
  const bool posted = attributes_.Post([this, inode, post_pages] {
    ForgetAttributes(inode, true);
    post_pages(false);
  });
  if (!posted) {
    pages_busy_.fetch_sub(1);
    done();
  }
}

std::vector<coherence::TrustedName> KernelNotifier::TrustedNames(InodeId directory) {
  std::vector<coherence::TrustedName> trusted;
  if (session_.load(std::memory_order_acquire) == nullptr) return trusted;
  const auto ino = inodes_->IdOf(directory);
  if (!ino) return trusted;
  for (auto& name : names_->TrustedIn(*ino)) {
    if (name.superseded) continue;
    // Of a child that the kernel has forgotten it has no name either.
    const auto child = name.child == NameTable::kMissing ? nullptr : inodes_->Get(name.child);
    if (child) {
      trusted.push_back({std::move(name.name), child->id()});
    } else if (name.child == NameTable::kMissing) {
      trusted.push_back({std::move(name.name), std::nullopt});
    }
  }
  return trusted;
}

}  // namespace ocfsgw::fusefs
