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

/// A name is not taken back by a notification that failed for want of memory.
constexpr int kRefusedAttempts = 500;
constexpr auto kRefusedPause = std::chrono::milliseconds(10);

}  // namespace

KernelNotifier::KernelNotifier()
    : attributes_({.name = "attributes", .threads = 1, .queue_max = kQueueMax}),
      pages_({.name = "notify", .threads = kThreads, .queue_max = kQueueMax}),
      directories_({.name = "names", .threads = kThreads, .queue_max = kQueueMax}) {}

void KernelNotifier::Attach(fuse_session* session, const InodeTable* inodes, NameTable* names) {
  inodes_ = inodes;
  names_ = names;
  session_.store(session, std::memory_order_release);
}

void KernelNotifier::Detach() {
  session_.store(nullptr, std::memory_order_release);
  attributes_.Stop();
  pages_.Stop();
  directories_.Stop();
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
  KeepForgettingAttributes(inode);
  return true;
}

bool KernelNotifier::TryForgetAttributes(InodeId inode) const {
  fuse_session* const session = session_.load(std::memory_order_acquire);
  if (session == nullptr) return true;
  const auto ino = inodes_->IdOf(inode);
  return !ino || Invalidate(session, *ino, -1, 0);
}

void KernelNotifier::KeepForgettingAttributes(InodeId inode) {
  attributes_.PostAfter(kUnknownPause, [this, inode] {
    if (!TryForgetAttributes(inode)) KeepForgettingAttributes(inode);
  });
}

void KernelNotifier::ForgetPages(fuse_session* session, fuse_ino_t ino,
                                 const std::vector<coherence::ByteRange>& ranges) const {
  for (const auto& range : ranges) {
    Invalidate(session, ino, static_cast<off_t>(range.begin),
               range.end == coherence::ByteRange::kToEnd ? 0 : static_cast<off_t>(range.end - range.begin));
  }
}

void KernelNotifier::ForgetName(fuse_session* session, fuse_ino_t ino, const NameTable::Name& name) const {
  // What is mounted on a name, or works below it, survives its ageing, but not its being dropped.
  const bool age = names_->can_expire();
  for (int attempt = 0; attempt < kRefusedAttempts; ++attempt) {
    const int error =
        age ? fuse_lowlevel_notify_expire_entry(session, ino, name.name.data(), name.name.size(),
                                                FUSE_LL_EXPIRE_ONLY)
            : fuse_lowlevel_notify_inval_entry(session, ino, name.name.data(), name.name.size());
    if (error == 0 || error == -ENOENT || error == -ENOTCONN || error == -EBADF) {
      names_->TakenBack(ino, name, !age && error == 0);
      return;
    }
    std::this_thread::sleep_for(kRefusedPause);  // out of memory
  }
  log::Error("the kernel refused to forget a name in node {}", ino);
}

void KernelNotifier::ForgetAllNames(fuse_session* session, fuse_ino_t ino) const {
  for (const NameTable::Name& name : names_->TrustedIn(ino)) {
    if (name.superseded) {
      names_->TakenBack(ino, name, false);
    } else {
      ForgetName(session, ino, name);
    }
  }
}

void KernelNotifier::Invalidate(InodeId inode, std::vector<coherence::ByteRange> ranges,
                                std::function<void()> done) {
  fuse_session* const session = session_.load(std::memory_order_acquire);
  const auto ino = session != nullptr ? inodes_->IdOf(inode) : std::nullopt;
  if (ino && names_->HasDirectory(*ino)) {
    InvalidateNames(inode, std::move(done));
  } else {
    InvalidatePages(inode, std::move(ranges), std::move(done));
  }
}

// What cannot be posted any more need not be done: the mount is gone, and what the kernel had with it.

void KernelNotifier::InvalidateNames(InodeId inode, std::function<void()> done) {
  const bool posted = directories_.Post([this, inode, done] {
    ForgetAttributes(inode, true);
    fuse_session* const session = session_.load(std::memory_order_acquire);
    const auto ino = session != nullptr ? inodes_->IdOf(inode) : std::nullopt;
    if (ino) ForgetAllNames(session, *ino);
    done();
  });
  if (!posted) done();
}

void KernelNotifier::InvalidatePages(InodeId inode, std::vector<coherence::ByteRange> ranges,
                                     std::function<void()> done) {
  const bool posted = pages_.Post([this, inode, ranges = std::move(ranges), done] {
    ForgetAttributes(inode, true);
    fuse_session* const session = session_.load(std::memory_order_acquire);
    const auto ino = session != nullptr ? inodes_->IdOf(inode) : std::nullopt;
    if (ino) ForgetPages(session, *ino, ranges);
    done();
  });
  if (!posted) done();
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

void KernelNotifier::ForgetNames(InodeId directory, const std::vector<coherence::TrustedName>& names) {
  for (const coherence::TrustedName& wanted : names) {
    // Not posted any more: nothing has to be taken back.
    static_cast<void>(directories_.Post([this, directory, wanted] {
      fuse_session* const session = session_.load(std::memory_order_acquire);
      const auto ino = session != nullptr ? inodes_->IdOf(directory) : std::nullopt;
      if (!ino) return;
      for (const NameTable::Name& name : names_->TrustedIn(*ino)) {
        if (name.name == wanted.name && !name.superseded) ForgetName(session, *ino, name);
      }
    }));
  }
}

void KernelNotifier::Store(fuse_ino_t ino, uint64_t offset, std::byte byte) const {
  fuse_session* const session = session_.load(std::memory_order_acquire);
  if (session == nullptr) return;
  fuse_bufvec buffer{};
  buffer.count = 1;
  buffer.buf[0].size = 1;
  buffer.buf[0].mem = &byte;
  const int error = fuse_lowlevel_notify_store(session, ino, static_cast<off_t>(offset), &buffer,
                                               static_cast<fuse_buf_copy_flags>(0));
  if (error != 0 && error != -ENOENT && error != -ENOTCONN && error != -EBADF) {
    log::Warning("the kernel did not take a byte of node {}: error {}", ino, -error);
  }
}

}  // namespace ocfsgw::fusefs
