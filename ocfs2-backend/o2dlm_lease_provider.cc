#include "ocfs2-backend/o2dlm_lease_provider.h"

#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/vfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <climits>
#include <thread>

#include "base/log.h"
#include "ocfs2-backend/value_block.h"

namespace ocfsgw::ocfs2 {

using coherence::FileAttr;
using coherence::LeaseGrant;
using coherence::LeaseKey;
using coherence::NodeRef;

namespace {

constexpr uint32_t kDlmfsMagic = 0x76a9f425;   // fs/ocfs2/dlmfs/dlmfs.c
constexpr int64_t kWriterTickNs = 10'000'000;  // HZ=100, the coarsest clock of file time stamps in use
// Priming waits for other nodes' leases, which acquiring does not: some acquisition threads stay free of it.
constexpr int kPrimersMax = 8;
constexpr rlim_t kDescriptorReserve = 256;
constexpr Duration kPauseMin = std::chrono::seconds(1);
constexpr Duration kPauseMax = std::chrono::seconds(60);
constexpr Duration kStarvedLogEvery = std::chrono::seconds(60);
// A lock file that is being unlinked can be had again in milliseconds.
constexpr int kAppendTries = 20;
constexpr Duration kBetweenAppendTries = std::chrono::milliseconds(1);
// "trusted.": symbolic links have no user attributes.
constexpr const char* kNoSuchAttribute = "trusted.ocfsgw.prime";

class HeldLock final : public LeaseHold {
 public:
  explicit HeldLock(LockFile file) : file_(std::move(file)) {}
  int fd() const { return file_.fd(); }

 private:
  const LockFile file_;
};

class HeldAppendLock final : public coherence::AppendLock {
 public:
  explicit HeldAppendLock(LockFile file) : file_(std::move(file)) {}

 private:
  const LockFile file_;
};

// Lock files get no descriptor from this number on (the kernel hands out the lowest): what the backend needs
// to serve inodes without a lease must be left.
int DescriptorMax() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return 0;
  const rlim_t reserve = std::min(limit.rlim_cur / 4, kDescriptorReserve);
  return static_cast<int>(std::min<rlim_t>(limit.rlim_cur - reserve, INT_MAX));
}

Status Unavailable(std::string line) { return {StatusCode::kUnavailable, std::move(line)}; }
Status DomainLost() { return Unavailable("lock domain is lost: no leases for now"); }
Status RecalledMeanwhile() { return {StatusCode::kBusy, "recalled while being granted"}; }

}  // namespace

void PrimeValueBlock(coherence::Backend& backend, const NodeRef& node) {
  // ENODATA is what is wanted; after any other error the value block is as empty as before.
  static_cast<void>(backend.SetXattr(node, kNoSuchAttribute, {}, XATTR_REPLACE));
}

Result<std::unique_ptr<O2dlmLeaseProvider>> O2dlmLeaseProvider::Open(O2dlmOptions options) {
  std::unique_ptr<O2dlmLeaseProvider> provider(new O2dlmLeaseProvider(std::move(options)));
  auto* self = provider.get();
  {
    OCFSGW_ASSIGN_OR_RETURN(auto domain, self->JoinDomain());
    MutexLock lock(self->mutex_);
    self->domain_ = std::move(domain);
  }
  OCFSGW_RETURN_IF_ERROR(provider->recalls_.Open(
      "ocfsgw-recall", {.on_start = nullptr,
                        .on_event = [self](EventKey key, uint32_t events) { self->OnEvent(key, events); },
                        .on_wake = [self] { self->TellLoss(); }}));
  return provider;
}

void O2dlmLeaseProvider::Start(coherence::LeaseListener* listener) {
  listener_ = listener;
  recalls_.Start();
}

void O2dlmLeaseProvider::Stop() {
  recalls_.Stop();
  pinners_.Stop();
  slots_.Close();
}

Result<LeaseGrant> O2dlmLeaseProvider::Acquire(const NodeRef& node) {
  // Their lock file is open still, and dlmfs would have us wait until it is closed.
  if (slots_.HasLeavingFollowers(node->id())) return Status(StatusCode::kBusy, "its tree is being recalled");
  const LeaseKey key = slots_.Begin(node->id());
  if (key.generation == 0) return Status(StatusCode::kShutdown, "lease provider stopped");
  auto attr = AcquireSlot(key, node);
  if (attr.ok() && slots_.Finish(key)) return LeaseGrant{key, *std::move(attr)};
  slots_.Release(key);
  return attr.ok() ? RecalledMeanwhile() : attr.status();
}

Result<LeaseKey> O2dlmLeaseProvider::AcquireUnder(LeaseKey root, const NodeRef& node) {
  const LeaseKey key = slots_.Begin(node->id());
  if (key.generation == 0) return Status(StatusCode::kShutdown, "lease provider stopped");
  if (slots_.Follow(key, root)) return key;
  slots_.Release(key);
  return RecalledMeanwhile();
}

// | step         | why, and why here                                                                      |
// |--------------|----------------------------------------------------------------------------------------|
// | W and M lock | TakeLocks                                                                              |
// | priming      | if the value block is empty, with both given back: it takes M exclusively, and waits   |
// |              | for local writers, who wait for W. There is no lease yet that it could recall          |
// | epoll        | before the lease counts, so that a recall is seen; one that is here already shows, too |
// | W given back | a later writer finds M held, and recalls it                                            |
Result<std::optional<FileAttr>> O2dlmLeaseProvider::AcquireSlot(LeaseKey key, const NodeRef& node) {
  OCFSGW_ASSIGN_OR_RETURN(Locks locks, TakeLocks(node->id()));
  if (locks.empty && options_.prime) {
    locks = {};
    Prime(node);
    OCFSGW_ASSIGN_OR_RETURN(locks, TakeLocks(node->id()));
  }
  const auto lock = std::make_shared<HeldLock>(std::move(locks.meta));
  if (!slots_.SetHold(key, lock)) return RecalledMeanwhile();
  if (Status watched = recalls_.Watch(lock->fd(), EPOLLIN | EPOLLONESHOT, key); !watched.ok()) {
    return Status(StatusCode::kBusy, watched.ToString());
  }
  if (locks.attr && locks.attr->id != node->id()) {
    return Status::FromErrno(ESTALE, "block number used by another inode now");
  }
  return locks.attr;
}

// | step        | why, and why here                                                                       |
// |-------------|-----------------------------------------------------------------------------------------|
// | W lock, PR  | An O_DIRECT writer takes W, takes and drops M to make others forget, and only then      |
// |             | writes, with times that may not show it. While we have W no writer is between the two.  |
// |             | OCFS2 takes W before M, so do we.                                                       |
// | M lock, PR  | the lease; waits for a writer that has it                                               |
// | value block | the version that this lease covers                                                      |
Result<O2dlmLeaseProvider::Locks> O2dlmLeaseProvider::TakeLocks(InodeId inode) {
  Locks locks;
  OCFSGW_ASSIGN_OR_RETURN(locks.write, OpenLock(LockKind::kWrite, inode));
  OCFSGW_ASSIGN_OR_RETURN(locks.meta, OpenLock(LockKind::kMeta, inode));
  ReadValueBlock(inode, locks);
  return locks;
}

void O2dlmLeaseProvider::Prime(const NodeRef& node) {
  if (priming_.fetch_add(1) < kPrimersMax) options_.prime(node);
  priming_.fetch_sub(1);
}

void O2dlmLeaseProvider::ReadValueBlock(InodeId inode, Locks& locks) const {
  // Only with the lock held: the kernel BUGs otherwise. Reads memory, does not wait.
  std::array<std::byte, kValueBlockBytes> block;
  const ssize_t got = Retry([&] { return ::pread(locks.meta.fd(), block.data(), block.size(), 0); });
  const auto bytes = std::span(block).first(static_cast<size_t>(std::max<ssize_t>(got, 0)));
  locks.empty = std::all_of(bytes.begin(), bytes.end(), [](std::byte byte) { return byte == std::byte{0}; });
  locks.attr = ParseValueBlock(bytes, inode.ino, options_.cluster_size);
}

Result<std::unique_ptr<coherence::OpenPin>> O2dlmLeaseProvider::PinOpen(const NodeRef& node) {
  return pins_.Add(node->id());
}

Result<std::unique_ptr<coherence::AppendLock>> O2dlmLeaseProvider::LockAppends(const NodeRef& node) {
  for (int tries = 1;; ++tries) {
    auto file = OpenLock(LockKind::kAppend, node->id(), LockLevel::kExclusive);
    if (file.ok())
      return std::unique_ptr<coherence::AppendLock>(std::make_unique<HeldAppendLock>(*std::move(file)));
    if (!file.status().Is(StatusCode::kBusy) || tries == kAppendTries) return file.status();
    std::this_thread::sleep_for(kBetweenAppendTries);
  }
}

void O2dlmLeaseProvider::Release(LeaseKey key) {
  const auto inode = slots_.InodeOf(key);
  const bool posted = inode && pins_.NeedLock(*inode) && pinners_.Post([this, key, id = *inode] {
    pins_.Lock(id);
    slots_.Release(key);
  });
  if (!posted) slots_.Release(key);
}

int64_t O2dlmLeaseProvider::StampGuardNs() const { return kWriterTickNs + options_.clock_skew_ns_max; }

Result<LockFile> O2dlmLeaseProvider::OpenLock(LockKind kind, InodeId inode, LockLevel level) {
  OCFSGW_ASSIGN_OR_RETURN(const auto domain, Domain());
  const std::string name = LockName(kind, inode.ino, inode.generation, inode.ino == options_.volume_root);
  auto opened = domain->Open(name, level);
  if (!opened.ok()) return OnOpenFailed(domain, name, opened.status());
  if (opened->fd() >= DescriptorMax()) {
    return OnOpenFailed(domain, name, Status::FromErrno(EMFILE, "lock file"));
  }
  OnOpened();
  return opened;
}

void O2dlmLeaseProvider::OnEvent(EventKey key, uint32_t events) {
  if ((events & (EPOLLHUP | EPOLLERR)) != 0) {
    {
      MutexLock lock(mutex_);
      if (domain_) Lose("a held lock file failed");
    }
    TellLoss();
    return;
  }
  if (const auto inode = slots_.Recall(key)) listener_->OnRecall(*inode, key);
  for (const LeaseKey follower : slots_.Followers(key)) {
    if (const auto inode = slots_.Recall(follower)) listener_->OnRecall(*inode, follower);
  }
}

// --- the domain ---

Result<std::shared_ptr<LockFiles>> O2dlmLeaseProvider::JoinDomain() const {
  struct statfs fs {};
  const bool is_dlmfs = ::statfs(options_.dlmfs.c_str(), &fs) == 0 && fs.f_type == kDlmfsMagic;
  if (!is_dlmfs && !options_.any_file_system) {
    return Unavailable(options_.dlmfs + ": dlmfs is not mounted there; modprobe ocfs2_dlmfs, then " +
                       "mount -t ocfs2_dlmfs none " + options_.dlmfs);
  }
  auto joined = LockFiles::Join(options_.dlmfs, options_.uuid, options_.lock_files_max);
  if (joined.ok()) return joined;
  return Unavailable("cannot join lock domain " + options_.dlmfs + "/" + options_.uuid + ": " +
                     joined.status().ToString() +
                     "; is this node root in the volume's o2cb cluster, with its heartbeat running?");
}

Result<std::shared_ptr<LockFiles>> O2dlmLeaseProvider::Domain() {
  {
    MutexLock lock(mutex_);
    if (domain_) return domain_;
    if (joining_ || clock_.Now() < rejoin_at_) return DomainLost();
    joining_ = true;
  }
  auto joined = JoinDomain();
  MutexLock lock(mutex_);
  joining_ = false;
  if (joined.ok()) {
    domain_ = *joined;
  } else {
    Lose(joined.status().ToString());
  }
  return joined;
}

void O2dlmLeaseProvider::Lose(const std::string& why) {
  domain_.reset();
  bad_locks_.clear();
  pause_ = proven_ ? kPauseMin : std::min(pause_ * 2, kPauseMax);
  rejoin_at_ = clock_.Now() + pause_;
  if (!proven_) return;  // told already, and nothing was granted since
  proven_ = false;
  loss_ = why;
  recalls_.Wake();  // the listener is told on the recall thread
}

void O2dlmLeaseProvider::TellLoss() {
  std::string why;
  {
    MutexLock lock(mutex_);
    why = std::exchange(loss_, {});
  }
  if (why.empty()) return;
  slots_.RecallAll();
  listener_->OnLeasesLost("lock domain " + options_.uuid + ": " + why);
}

void O2dlmLeaseProvider::OnOpened() {
  {
    MutexLock lock(mutex_);
    bad_locks_.clear();
    if (proven_ || !domain_) return;
    proven_ = true;
  }
  log::Info("lock domain {}: leases can be had again", options_.uuid);
}

Status O2dlmLeaseProvider::OnOpenFailed(const std::shared_ptr<LockFiles>& domain, const std::string& name,
                                        const Status& failed) {
  const Status busy(StatusCode::kBusy, failed.ToString());
  if (!failed.Is(StatusCode::kSystem)) return busy;
  switch (failed.sys_errno()) {
    case EMFILE:
    case ENFILE:
    case ENOMEM:
      if (StarvationIsNews()) {
        log::Warning("{}: inodes are served without a lease for now (see max_leases, ulimit -Hn)",
                     failed.ToString());
      }
      return busy;
    case ENOENT:
    case ENOTDIR:
    case ENODEV:
    case ESTALE: {
      MutexLock lock(mutex_);
      if (domain == domain_) Lose("its directory has gone");
      return DomainLost();
    }
    default: {
      MutexLock lock(mutex_);
      if (domain != domain_) return DomainLost();
      bad_locks_.insert(name);
      if (bad_locks_.size() < kBadLocksMax) return busy;
      Lose("no lock can be had: " + failed.ToString());
      return DomainLost();
    }
  }
}

bool O2dlmLeaseProvider::StarvationIsNews() {
  MutexLock lock(mutex_);
  if (clock_.Now() < starved_until_) return false;
  starved_until_ = clock_.Now() + kStarvedLogEvery;
  return true;
}

}  // namespace ocfsgw::ocfs2
