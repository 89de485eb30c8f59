#include "fusefs/kernel_notifier.h"

#include <cerrno>
#include <thread>

#include "base/blocking.h"
#include "base/log.h"

namespace ocfsgw::fusefs {
namespace {

/// A few tasks per inode at most (LeaseState's invariant 4): this is never reached.
constexpr size_t kQueueMax = 1 << 22;

/// An answer that tells the kernel of an inode may have been written while the thread that asked has not made
/// the inode yet; after it is made, or forgotten again, the notification means something. So long as half the
/// default recall deadline.
constexpr int kUnknownAttempts = 2500;
constexpr auto kUnknownPause = std::chrono::milliseconds(1);

/// A name is not taken back by a notification that failed for want of memory.
constexpr int kRefusedAttempts = 500;
constexpr auto kRefusedPause = std::chrono::milliseconds(10);

}  // namespace

KernelNotifier::KernelNotifier()
    : attributes_({.name = "attributes", .threads = 1, .queue_max = kQueueMax}),
      pages_({.name = "notify", .threads = kThreads, .queue_max = kQueueMax}),
      directories_({.name = "names", .threads = kThreads, .queue_max = kQueueMax}) {}

void KernelNotifier::Attach(fuse_session* session, const InodeTable* inodes, NameTable* names,
                            KernelListings* listings) {
  const size_t attached = attached_.load(std::memory_order_relaxed);
  connections_.at(attached) = {session, inodes, names, listings};
  attached_.store(attached + 1, std::memory_order_release);
}

void KernelNotifier::Detach() {
  attached_.store(0, std::memory_order_release);
  attributes_.Stop();
  pages_.Stop();
  directories_.Stop();
}

template <typename Visit>
void KernelNotifier::ForEach(InodeId inode, const Visit& visit) const {
  for (const Connection& connection : Connections()) {
    if (const auto ino = connection.inodes->IdOf(inode)) visit(connection, *ino);
  }
}

bool KernelNotifier::HasSeveral(InodeId inode) const {
  if (Connections().size() < 2) return false;
  size_t connections = 0;
  ForEach(inode, [&](const Connection&, fuse_ino_t) { ++connections; });
  return connections > 1;
}

bool KernelNotifier::Invalidate(fuse_session* session, fuse_ino_t ino, off_t offset, off_t length) {
  AboutToBlock();
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
  bool done = true;
  ForEach(inode, [&](const Connection& connection, fuse_ino_t ino) {
    done &= Invalidate(connection.session, ino, -1, 0);
  });
  return done;
}

void KernelNotifier::KeepForgettingAttributes(InodeId inode) {
  attributes_.PostAfter(kUnknownPause, [this, inode] {
    if (!TryForgetAttributes(inode)) KeepForgettingAttributes(inode);
  });
}

void KernelNotifier::ForgetPages(fuse_session* session, fuse_ino_t ino,
                                 const std::vector<coherence::ByteRange>& ranges) {
  for (const auto& range : ranges) {
    Invalidate(session, ino, static_cast<off_t>(range.begin),
               range.end == coherence::ByteRange::kToEnd ? 0 : static_cast<off_t>(range.end - range.begin));
  }
}

void KernelNotifier::ForgetName(const Connection& connection, fuse_ino_t ino, const NameTable::Name& name) {
  // What is mounted on a name, or works below it, survives its ageing, but not its being dropped.
  const bool age = connection.names->can_expire();
  for (int attempt = 0; attempt < kRefusedAttempts; ++attempt) {
    const int error =
        age ? fuse_lowlevel_notify_expire_entry(connection.session, ino, name.name.data(), name.name.size(),
                                                FUSE_LL_EXPIRE_ONLY)
            : fuse_lowlevel_notify_inval_entry(connection.session, ino, name.name.data(), name.name.size());
    if (error == 0 || error == -ENOENT || error == -ENOTCONN || error == -EBADF) {
      connection.names->TakenBack(ino, name, !age && error == 0);
      return;
    }
    std::this_thread::sleep_for(kRefusedPause);  // out of memory
  }
  log::Error("the kernel refused to forget a name in node {}", ino);
}

void KernelNotifier::ForgetAllNames(const Connection& connection, fuse_ino_t ino) {
  for (const NameTable::Name& name : connection.names->TrustedIn(ino)) {
    if (name.superseded) {
      connection.names->TakenBack(ino, name, false);
    } else {
      ForgetName(connection, ino, name);
    }
  }
}

void KernelNotifier::Invalidate(InodeId inode, std::vector<coherence::ByteRange> ranges,
                                std::function<void()> done) {
  bool names = false;
  ForEach(inode, [&](const Connection& connection, fuse_ino_t ino) {
    names |= connection.names->HasDirectory(ino);
  });
  const bool posted =
      (names ? directories_ : pages_).Post([this, inode, names, ranges = std::move(ranges), done] {
        ForgetAttributes(inode, true);
        ForgetListing(inode);
        ForEach(inode, [&](const Connection& connection, fuse_ino_t ino) {
          if (names) {
            ForgetAllNames(connection, ino);
          } else {
            ForgetPages(connection.session, ino, ranges);
          }
        });
        done();
      });
  // What cannot be posted any more need not be done: the mount is gone, and what the kernel had with it.
  if (!posted) done();
}

void KernelNotifier::ForgetListing(InodeId directory) {
  ForEach(directory, [](const Connection& connection, fuse_ino_t ino) {
    if (!connection.listings->Has(ino)) return;
    Invalidate(connection.session, ino, 0, 0);
    connection.listings->TakenBack(ino);
  });
}

std::vector<coherence::TrustedName> KernelNotifier::TrustedNames(InodeId directory) {
  std::vector<coherence::TrustedName> trusted;
  ForEach(directory, [&trusted](const Connection& connection, fuse_ino_t ino) {
    for (auto& name : connection.names->TrustedIn(ino)) {
      if (name.superseded) continue;
      // Of a child that the kernel has forgotten it has no name either.
      const auto child = name.child == NameTable::kMissing ? nullptr : connection.inodes->Get(name.child);
      if (child) {
        trusted.push_back({std::move(name.name), child->id()});
      } else if (name.child == NameTable::kMissing) {
        trusted.push_back({std::move(name.name), std::nullopt});
      }
    }
  });
  return trusted;
}

void KernelNotifier::ForgetNames(InodeId directory, const std::vector<coherence::TrustedName>& names) {
  for (const coherence::TrustedName& wanted : names) {
    // Not posted any more: nothing has to be taken back.
    static_cast<void>(directories_.Post([this, directory, wanted] {
      ForEach(directory, [&wanted](const Connection& connection, fuse_ino_t ino) {
        for (const NameTable::Name& name : connection.names->TrustedIn(ino)) {
          if (name.name == wanted.name && !name.superseded) ForgetName(connection, ino, name);
        }
      });
    }));
  }
}

void KernelNotifier::Store(InodeId inode, uint64_t offset, std::byte byte) const {
  AboutToBlock();
  ForEach(inode, [&](const Connection& connection, fuse_ino_t ino) {
    fuse_bufvec buffer{};
    buffer.count = 1;
    buffer.buf[0].size = 1;
    buffer.buf[0].mem = &byte;
    const int error = fuse_lowlevel_notify_store(connection.session, ino, static_cast<off_t>(offset), &buffer,
                                                 static_cast<fuse_buf_copy_flags>(0));
    if (error != 0 && error != -ENOENT && error != -ENOTCONN && error != -EBADF) {
      log::Warning("the kernel did not take a byte of node {}: error {}", ino, -error);
    }
  });
}

}  // namespace ocfsgw::fusefs
