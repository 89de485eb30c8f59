// LeaseTable's ways to hold fewer leases: whether an inode is worth one, and giving back in large numbers.
#include "base/log.h"
#include "coherence/lease_table.h"

namespace ocfsgw::coherence {
namespace {

/// A lease is given back at most this part of lease_idle late.
constexpr int kSweepsPerIdleTime = 4;
constexpr Duration kSweepEveryMin = std::chrono::milliseconds(100);
constexpr Duration kSweepEveryMax = std::chrono::minutes(1);

/// Inodes in one task: with about 10 us each, the threads of recalls and timers are back within milliseconds.
constexpr size_t kLossBatch = 256;

bool IsHeldOfNoName(const Inode& inode) REQUIRES(inode.mutex) {
  return inode.state.held() && inode.attr.nlink == 0;
}

}  // namespace

bool LeaseTable::EarnsLease(Inode& inode) {
  if (inode.earned.load(std::memory_order_relaxed)) return true;
  // What is stored was leased before: a restarted gateway serves it at the first access.
  if (!second_access_.Note(inode.id(), clock_.Now()) && !store_.Has(inode.id())) {
    metrics_.first_accesses.Add();
    return false;
  }
  inode.earned.store(true, std::memory_order_relaxed);
  return true;
}

void LeaseTable::StartIdleSweep() {
  if (provider_ == nullptr || config_.lease_idle <= Duration{}) return;
  const Duration every =
      std::clamp<Duration>(config_.lease_idle / kSweepsPerIdleTime, kSweepEveryMin, kSweepEveryMax);
  timers_.PostAfter(every, [this] {
    // To take attributes back may have to wait for the kernel, which the timers' thread does not. If too many
    // acquisitions are queued, the next sweep will do.
    static_cast<void>(acquirers_.Post([this] { SweepIdle(); }));
    StartIdleSweep();
  });
}

void LeaseTable::SweepIdle() {
  for (const InodePtr& inode : HeldInodes()) {
    bool over = false;
    Step(inode, [&](Inode& i) REQUIRES(i.mutex) {
      const TimePoint now = clock_.Now();
      over = i.state.held() && i.idle.Over(now, config_.lease_idle);
      if (!over) return LeaseActions{};
      i.idle.OnGivenBack(now);
      return i.state.OnRecall(TimePoint::min(), MayGoAtOnce(i));  // without a hold-off: nobody else wants it
    });
    if (over) metrics_.unused_releases.Add();
  }
}

bool LeaseTable::HeldOfNoName(const Inode& inode) const {
  MutexLock lock(inode.mutex);
  return IsHeldOfNoName(inode);
}

void LeaseTable::GiveBackOfNoName(const InodePtr& inode) {
  Step(inode, [](Inode& i) REQUIRES(i.mutex) {
    return IsHeldOfNoName(i) ? i.state.OnRecall(TimePoint::min(), MayGoAtOnce(i)) : LeaseActions{};
  });
}

void LeaseTable::OnLeasesLost(const std::string& why) {
  losses_.fetch_add(1);  // from here on nothing is served under any of them, see Void
  log::Warning("all leases are lost: {}; reads go to the shared file system", why);
  DropVoid(std::make_shared<std::vector<InodePtr>>(HeldInodes()));
}

void LeaseTable::DropVoid(std::shared_ptr<std::vector<InodePtr>> inodes) {
  for (size_t i = 0; i < kLossBatch && !inodes->empty(); ++i) {
    Step(inodes->back(), [this](Inode& i) REQUIRES(i.mutex) {
      return Void(i) ? i.state.OnLost() : LeaseActions{};  // else a new lease by now
    });
    inodes->pop_back();
  }
  if (inodes->empty()) return;
  // Nothing in this waits; acquisition threads may be stuck in the very lock manager that is lost.
  timers_.PostAfter({}, [this, inodes = std::move(inodes)] { DropVoid(inodes); });
}

}  // namespace ocfsgw::coherence
