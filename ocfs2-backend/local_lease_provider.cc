#include "ocfs2-backend/local_lease_provider.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>

namespace ocfsgw::ocfs2 {

using coherence::LeaseGrant;
using coherence::LeaseKey;
using coherence::NodeRef;

namespace {

constexpr EventKey kInotifyKey{1, 0};
constexpr EventKey kSignalKey{2, 0};

// Any real-time signal does: it is directed at the recall thread.
int LeaseSignal() { return SIGRTMIN + 7; }

constexpr uint32_t kNameEvents = IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO;
// IN_MASK_CREATE: fail if the inode is still watched for a lease about to end, rather than share that one's
// watch.
constexpr uint32_t kWatchMask =
    kNameEvents | IN_ATTRIB | IN_MODIFY | IN_DELETE_SELF | IN_MOVE_SELF | IN_MASK_CREATE;

bool OutOfResources(int err) { return err == EMFILE || err == ENFILE || err == ENOMEM || err == ENOSPC; }

Status Busy(const Status& reason) { return {StatusCode::kBusy, reason.ToString()}; }

}  // namespace

// Descriptor with its lease, and watch. The maps forget both before the kernel can use the numbers again.
class LocalLeaseProvider::Hold final : public LeaseHold {
 public:
  Hold(LocalLeaseProvider& owner, InodeId inode) : owner_(owner), inode_(inode) {}
  ~Hold() override {
    bool pinned = false;
    {
      MutexLock lock(owner_.mutex_);
      if (watch >= 0) owner_.by_watch_.erase(watch);
      if (fd) owner_.by_fd_.erase(fd.get());
      pinned = fd && owner_.pinned_.contains(inode_);
    }
    // Fails if the inode, and its watch with it, is gone.
    if (watch >= 0) ::inotify_rm_watch(owner_.inotify_.get(), watch);
    if (!pinned || ::fcntl(fd.get(), F_SETLEASE, F_UNLCK) != 0) return;
    MutexLock lock(owner_.mutex_);
    const auto kept = owner_.pinned_.find(inode_);
    if (kept != owner_.pinned_.end() && !kept->second.fd) kept->second.fd = std::move(fd);
  }

  UniqueFd fd;  // regular files only
  int watch = -1;

 private:
  LocalLeaseProvider& owner_;
  const InodeId inode_;
};

class LocalLeaseProvider::Pin final : public coherence::OpenPin {
 public:
  Pin(LocalLeaseProvider& owner, InodeId inode) : owner_(owner), inode_(inode) {
    MutexLock lock(owner_.mutex_);
    ++owner_.pinned_[inode_].pins;
  }
  ~Pin() override {
    UniqueFd last;  // closed outside of the mutex: it may free the inode
    MutexLock lock(owner_.mutex_);
    const auto pinned = owner_.pinned_.find(inode_);
    if (--pinned->second.pins > 0) return;
    last = std::move(pinned->second.fd);
    owner_.pinned_.erase(pinned);
  }

 private:
  LocalLeaseProvider& owner_;
  const InodeId inode_;
};

Result<std::unique_ptr<LocalLeaseProvider>> LocalLeaseProvider::Open(const PosixBackend& backend) {
  std::unique_ptr<LocalLeaseProvider> provider(new LocalLeaseProvider(backend));
  auto* self = provider.get();
  Status opened = self->recalls_.Open("ocfsgw-recall",
                                      {.on_start = [self] { self->PrepareThread(); },
                                       .on_event = [self](EventKey key, uint32_t) { self->OnEvent(key); },
                                       .on_wake = [] {}});
  if (opened.ok()) {
    self->inotify_ = UniqueFd(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
    opened = self->inotify_ ? self->recalls_.Watch(self->inotify_.get(), EPOLLIN, kInotifyKey)
                            : Status::LastErrno("inotify_init (fs.inotify.max_user_instances)");
  }
  if (!opened.ok()) return Status(StatusCode::kUnavailable, opened.ToString());
  return provider;
}

void LocalLeaseProvider::Start(coherence::LeaseListener* listener) {
  listener_ = listener;
  recalls_.Start();
}

void LocalLeaseProvider::Stop() {
  recalls_.Stop();
  slots_.Close();
}

// A signalfd shows the signals of the thread that reads it, so this thread owns the leases' signals. SIGIO
// comes instead when the queue of real-time signals is full (fcntl(2), F_SETSIG).
void LocalLeaseProvider::PrepareThread() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, LeaseSignal());
  sigaddset(&set, SIGIO);
  ::pthread_sigmask(SIG_BLOCK, &set, nullptr);
  signals_ = UniqueFd(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
  if (signals_ && recalls_.Watch(signals_.get(), EPOLLIN, kSignalKey).ok()) {
    recall_thread_id_ = static_cast<int>(::syscall(SYS_gettid));
  }
}

Result<LeaseGrant> LocalLeaseProvider::Acquire(const NodeRef& node) {
  if (recall_thread_id_ == 0) return Status(StatusCode::kUnavailable, "lease signals cannot be received");
  const LeaseKey key = slots_.Begin(node->id());
  if (key.generation == 0) return Status(StatusCode::kShutdown, "lease provider stopped");
  Status status = AcquireSlot(key, node);
  if (status.ok() && !slots_.Finish(key)) status = Status(StatusCode::kBusy, "recalled while being granted");
  if (status.ok()) return LeaseGrant{key, std::nullopt};
  slots_.Release(key);
  return status;
}

// Open, watch, lease, and only then the caller's stat: nothing that changes after the stat goes unseen.
Status LocalLeaseProvider::AcquireSlot(LeaseKey key, const NodeRef& node) {
  auto opened = backend_.OpenPath(node);
  if (!opened.ok()) {
    return OutOfResources(opened.status().sys_errno()) ? Busy(opened.status()) : opened.status();
  }
  const int path_fd = opened->get();
  struct stat st {};
  if (::fstat(path_fd, &st) != 0) return Status::LastErrno("stat");

  auto hold = std::make_shared<Hold>(*this, node->id());
  OCFSGW_RETURN_IF_ERROR(AddWatch(key, path_fd, *hold));
  if (S_ISREG(st.st_mode)) {
    // O_NONBLOCK: do not wait for others' write leases.
    const ProcPath path(path_fd);
    hold->fd = UniqueFd(Retry([&] { return ::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC); }));
    if (!hold->fd) {
      const Status failed = Status::LastErrno("open for a lease");
      return failed.IsErrno(EAGAIN) || OutOfResources(failed.sys_errno()) ? Busy(failed) : failed;
    }
    {
      MutexLock lock(mutex_);
      by_fd_[hold->fd.get()] = key;  // before the lease: its signal names the descriptor only
    }
    OCFSGW_RETURN_IF_ERROR(SetLease(hold->fd.get()));
  }
  if (!slots_.SetHold(key, std::move(hold))) return {StatusCode::kBusy, "recalled while being granted"};
  return Status::Ok();
}

Status LocalLeaseProvider::AddWatch(LeaseKey key, int fd, Hold& hold) {
  {
    MutexLock lock(mutex_);
    ++adding_watches_;
  }
  // Nothing but a watch comes of it, and no descriptor stays: an open directory would hide its own removal.
  const int watch = ::inotify_add_watch(inotify_.get(), ProcPath(fd).c_str(), kWatchMask);
  const int err = errno;
  bool changed = false;
  {
    MutexLock lock(mutex_);
    if (watch >= 0) {
      by_watch_[watch] = key;
      changed = early_events_.contains(watch);
    }
    if (--adding_watches_ == 0) early_events_.clear();
  }
  hold.watch = watch;
  if (changed) return {StatusCode::kBusy, "changed while being granted"};
  if (watch >= 0) return Status::Ok();
  const Status failed = Status::FromErrno(err, "inotify_add_watch (fs.inotify.max_user_watches)");
  return err == EEXIST || OutOfResources(err) ? Busy(failed) : failed;
}

Status LocalLeaseProvider::SetLease(int fd) const {
  struct f_owner_ex owner {};
  owner.type = F_OWNER_TID;
  owner.pid = recall_thread_id_;
  if (::fcntl(fd, F_SETOWN_EX, &owner) != 0 || ::fcntl(fd, F_SETSIG, LeaseSignal()) != 0) {
    return Status::LastErrno("F_SETOWN_EX");
  }
  if (::fcntl(fd, F_SETLEASE, F_RDLCK) == 0) return Status::Ok();
  const Status failed = Status::LastErrno("F_SETLEASE");
  switch (failed.sys_errno()) {
    case EAGAIN:  // somebody has it open for writing
    case ENOMEM:
      return Busy(failed);
    case EINVAL:  // no leases on this file system, or fs.leases-enable is 0
    case EOPNOTSUPP:
    case EACCES:  // not the owner, and no CAP_LEASE
      return {StatusCode::kUnsupported, failed.ToString()};
    default:
      return failed;
  }
}

Result<std::unique_ptr<coherence::OpenPin>> LocalLeaseProvider::PinOpen(const NodeRef& node) {
  return std::unique_ptr<coherence::OpenPin>(new Pin(*this, node->id()));
}

void LocalLeaseProvider::OnEvent(EventKey key) { key == kInotifyKey ? ReadInotify() : ReadSignals(); }

void LocalLeaseProvider::ReadInotify() {
  alignas(struct inotify_event) std::array<char, 16384> buffer;
  for (;;) {
    const ssize_t got = Retry([&] { return ::read(inotify_.get(), buffer.data(), buffer.size()); });
    if (got <= 0) return;
    for (ssize_t at = 0; at < got;) {
      const auto* event = reinterpret_cast<const struct inotify_event*>(buffer.data() + at);
      at += static_cast<ssize_t>(sizeof(*event) + event->len);
      if ((event->mask & IN_Q_OVERFLOW) != 0) LoseLeases("inotify queue overflowed");
      // With a name and no change of names: a child changed, which its own lease covers. IN_IGNORED alone:
      // our own inotify_rm_watch, or the end of an inode whose removal was told before.
      const bool of_child = event->len > 0 && (event->mask & kNameEvents) == 0;
      if (!of_child && (event->mask & IN_IGNORED) == 0) OnWatch(event->wd);
    }
  }
}

void LocalLeaseProvider::OnWatch(int watch) {
  LeaseKey key;
  {
    MutexLock lock(mutex_);
    const auto found = by_watch_.find(watch);
    if (found != by_watch_.end()) {
      key = found->second;
    } else if (adding_watches_ > 0) {
      early_events_.insert(watch);
    }
  }
  Recall(key);
}

void LocalLeaseProvider::ReadSignals() {
  struct signalfd_siginfo info {};
  while (Retry([&] { return ::read(signals_.get(), &info, sizeof(info)); }) == sizeof(info)) {
    if (info.ssi_signo == static_cast<uint32_t>(SIGIO)) {
      LoseLeases("queue of lease signals overflowed");
    } else {
      OnLeaseBroken(info.ssi_fd);
    }
  }
}

void LocalLeaseProvider::OnLeaseBroken(int fd) {
  LeaseKey key;
  {
    MutexLock lock(mutex_);
    const auto found = by_fd_.find(fd);
    if (found == by_fd_.end()) return;
    key = found->second;
  }
  // A late signal of an earlier lease with the same descriptor number: this one is not being broken. If `fd`
  // is closed or used for something else by now, then `key` is released and the recall does nothing.
  if (::fcntl(fd, F_GETLEASE) == F_RDLCK) return;
  Recall(key);
}

void LocalLeaseProvider::Recall(LeaseKey key) {
  if (const auto inode = slots_.Recall(key)) listener_->OnRecall(*inode, key);
}

void LocalLeaseProvider::LoseLeases(const char* why) {
  slots_.RecallAll();
  listener_->OnLeasesLost(why);
}

}  // namespace ocfsgw::ocfs2
