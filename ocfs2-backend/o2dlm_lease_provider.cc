#include "ocfs2-backend/o2dlm_lease_provider.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include <array>

#include "ocfs2-backend/value_block.h"

namespace ocfsgw::ocfs2 {

using coherence::FileAttr;
using coherence::LeaseGrant;
using coherence::LeaseKey;
using coherence::NodeRef;

namespace {

constexpr uint32_t kDlmfsMagic = 0x76a9f425;   // fs/ocfs2/dlmfs/dlmfs.c
constexpr int64_t kWriterTickNs = 10'000'000;  // HZ=100, the coarsest clock of file time stamps in use

class HeldLock final : public LeaseHold {
 public:
  explicit HeldLock(UniqueFd fd) : fd_(std::move(fd)) {}
  int fd() const { return fd_.get(); }

 private:
  const UniqueFd fd_;
};

class HeldPin final : public coherence::OpenPin {
 public:
  explicit HeldPin(UniqueFd fd) : fd_(std::move(fd)) {}

 private:
  const UniqueFd fd_;
};

Status DomainGone() { return {StatusCode::kUnavailable, "lock domain is gone: no leases until a restart"}; }
Status RecalledMeanwhile() { return {StatusCode::kBusy, "recalled while being granted"}; }

}  // namespace

Result<std::unique_ptr<O2dlmLeaseProvider>> O2dlmLeaseProvider::Open(O2dlmOptions options) {
  std::unique_ptr<O2dlmLeaseProvider> provider(new O2dlmLeaseProvider(std::move(options)));
  OCFSGW_RETURN_IF_ERROR(provider->JoinDomain());
  auto* self = provider.get();
  OCFSGW_RETURN_IF_ERROR(provider->recalls_.Open(
      "ocfsgw-recall", {.on_start = nullptr,
                        .on_event = [self](EventKey key, uint32_t events) { self->OnEvent(key, events); },
                        .on_wake = [self] { self->LoseLeases(); }}));
  return provider;
}

Status O2dlmLeaseProvider::JoinDomain() const {
  const auto unavailable = [](std::string line) { return Status(StatusCode::kUnavailable, std::move(line)); };
  struct statfs fs {};
  if (::statfs(options_.dlmfs.c_str(), &fs) != 0 || fs.f_type != kDlmfsMagic) {
    return unavailable(options_.dlmfs + ": dlmfs is not mounted there; modprobe ocfs2_dlmfs, then " +
                       "mount -t ocfs2_dlmfs none " + options_.dlmfs);
  }
  if (::mkdir(domain_.c_str(), 0700) != 0 && errno != EEXIST) {
    return unavailable("cannot join lock domain " + domain_ + ": " + Status::LastErrno().ToString() +
                       "; is this node root in the volume's o2cb cluster, with its heartbeat running?");
  }
  return Status::Ok();
}

void O2dlmLeaseProvider::Start(coherence::LeaseListener* listener) {
  listener_ = listener;
  recalls_.Start();
}

void O2dlmLeaseProvider::Stop() {
  recalls_.Stop();
  slots_.Close();
}

Result<LeaseGrant> O2dlmLeaseProvider::Acquire(const NodeRef& node) {
  const LeaseKey key = slots_.Begin(node->id());
  if (key.generation == 0) return Status(StatusCode::kShutdown, "lease provider stopped");
  auto attr = AcquireSlot(key, node->id());
  if (attr.ok() && slots_.Finish(key)) return LeaseGrant{key, *std::move(attr)};
  slots_.Release(key);
  return attr.ok() ? RecalledMeanwhile() : attr.status();
}

// | step        | why, and why here                                                                       |
// |-------------|-----------------------------------------------------------------------------------------|
// | W lock, PR  | An O_DIRECT writer takes W, takes and drops M to make others forget, and only then      |
// |             | writes, with times that may not show it. While we have W no writer is between the two.  |
// |             | OCFS2 takes W before M, so do we.                                                       |
// | M lock, PR  | the lease; waits for a writer that has it                                               |
// | epoll       | before anything else, so that a recall is seen                                          |
// | value block | the version that this lease covers                                                      |
// | W given back| a later writer finds M held, and recalls it                                             |
Result<std::optional<FileAttr>> O2dlmLeaseProvider::AcquireSlot(LeaseKey key, InodeId inode) {
  OCFSGW_ASSIGN_OR_RETURN(const UniqueFd write_lock, OpenLock(LockKind::kWrite, inode));
  OCFSGW_ASSIGN_OR_RETURN(UniqueFd fd, OpenLock(LockKind::kMeta, inode));
  const auto lock = std::make_shared<HeldLock>(std::move(fd));
  if (!slots_.SetHold(key, lock)) return RecalledMeanwhile();
  if (Status watched = recalls_.Watch(lock->fd(), EPOLLIN | EPOLLONESHOT, key); !watched.ok()) {
    return Status(StatusCode::kBusy, watched.ToString());
  }
  auto attr = ReadValueBlock(lock->fd(), inode);
  if (attr && attr->id != inode) return Status::FromErrno(ESTALE, "block number used by another inode now");
  return attr;
}

Result<UniqueFd> O2dlmLeaseProvider::OpenLock(LockKind kind, InodeId inode) {
  if (lost_.load(std::memory_order_acquire)) return DomainGone();
  const std::string path =
      domain_ + LockName(kind, inode.ino, inode.generation, inode.ino == options_.volume_root);
  UniqueFd fd(Retry([&] { return ::open(path.c_str(), O_RDONLY | O_CREAT | O_CLOEXEC, 0600); }));
  if (!fd) return OnOpenFailed(errno);
  return fd;
}

Status O2dlmLeaseProvider::OnOpenFailed(int err) {
  switch (err) {
    case ENOENT:
    case ENODEV:
    case EIO:
      lost_.store(true, std::memory_order_release);
      recalls_.Wake();  // the listener is told on the recall thread
      return DomainGone();
    case EMFILE:
    case ENFILE:
    case ENOMEM:
      return {StatusCode::kBusy, Status::FromErrno(err, "lock file").ToString()};
    default:
      return Status::FromErrno(err, "lock file");
  }
}

std::optional<FileAttr> O2dlmLeaseProvider::ReadValueBlock(int fd, InodeId inode) const {
  // Only with the lock held: the kernel BUGs otherwise. Reads memory, does not wait.
  std::array<std::byte, kValueBlockBytes> block;
  const ssize_t got = Retry([&] { return ::pread(fd, block.data(), block.size(), 0); });
  if (got < 0) return std::nullopt;
  return ParseValueBlock(std::span(block).first(static_cast<size_t>(got)), inode.ino, options_.cluster_size);
}

Result<std::unique_ptr<coherence::OpenPin>> O2dlmLeaseProvider::PinOpen(const NodeRef& node) {
  OCFSGW_ASSIGN_OR_RETURN(UniqueFd fd, OpenLock(LockKind::kOpen, node->id()));
  return std::unique_ptr<coherence::OpenPin>(std::make_unique<HeldPin>(std::move(fd)));
}

int64_t O2dlmLeaseProvider::StampGuardNs() const { return kWriterTickNs + options_.clock_skew_ns_max; }

void O2dlmLeaseProvider::OnEvent(EventKey key, uint32_t events) {
  if ((events & (EPOLLHUP | EPOLLERR)) != 0) {
    lost_.store(true, std::memory_order_release);
    LoseLeases();
    return;
  }
  if (const auto inode = slots_.Recall(key)) listener_->OnRecall(*inode, key);
}

void O2dlmLeaseProvider::LoseLeases() {
  if (!lost_.load(std::memory_order_acquire) || told_lost_) return;
  told_lost_ = true;
  slots_.RecallAll();
  listener_->OnLeasesLost("lock domain " + options_.uuid + " is gone");
}

}  // namespace ocfsgw::ocfs2
