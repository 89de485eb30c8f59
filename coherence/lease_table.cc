#include "coherence/lease_table.h"

#include <sys/stat.h>

#include <algorithm>
#include <random>

namespace ocfsgw::coherence {
namespace {

constexpr auto kAttributePause = std::chrono::milliseconds(1);

}  // namespace

LeaseTable::LeaseTable(const LeaseConfig& config, Backend& backend, LeaseProvider* provider,
                       cache::PageStore& store, KernelCache& kernel, Executor& acquirers, Executor& timers,
                       const Clock& clock, CoherenceMetrics& metrics)
    : config_(config),
      backend_(backend),
      provider_(provider),
      store_(store),
      kernel_(kernel),
      acquirers_(acquirers),
      timers_(timers),
      clock_(clock),
      metrics_(metrics),
      session_(std::random_device{}() | uint64_t{std::random_device{}()} << 32),
      second_access_(config.second_access) {}

LeaseTable::~LeaseTable() = default;

InodePtr LeaseTable::Get(const NodeRef& node) {
  if (InodePtr known = Find(node->id())) return known;
  // Declared before the lock: if another thread was faster, this one dies after it, and its deleter takes the
  // mutex.
  InodePtr fresh(new Inode(node), [this](Inode* inode) {
    RememberRecall(*inode);
    Erase(*inode);
    delete inode;
  });
  Shard& shard = ShardOf(node->id());
  MutexLock lock(shard.mutex);
  for (;;) {
    const auto it = shard.inodes.find(node->id());
    if (it == shard.inodes.end()) break;
    if (InodePtr known = it->second.ref.lock()) return known;
    shard.erased.Wait(shard.mutex);  // it is dying, and what it knows of recalls is being noted
  }
  if (const auto record = taken_.Take(node->id())) fresh->Recover(*record);
  shard.inodes.emplace(node->id(), Slot{fresh, fresh.get()});
  return fresh;
}

void LeaseTable::RememberRecall(const Inode& inode) {
  RecallRecord record;
  {
    MutexLock lock(inode.mutex);
    if (!inode.recalled && !inode.hold_off.ever()) return;
    record = {inode.recalled, inode.stamp, inode.hold_off, inode.state.hold_off_until()};
  }
  if (const auto forgotten = taken_.Remember(inode.id(), record)) store_.DropInode(*forgotten);
}

InodePtr LeaseTable::Find(InodeId id) {
  Shard& shard = ShardOf(id);
  MutexLock lock(shard.mutex);
  const auto it = shard.inodes.find(id);
  return it == shard.inodes.end() ? nullptr : it->second.ref.lock();
}

void LeaseTable::Erase(const Inode& inode) {
  Shard& shard = ShardOf(inode.id());
  MutexLock lock(shard.mutex);
  const auto it = shard.inodes.find(inode.id());
  if (it == shard.inodes.end() || it->second.inode != &inode) return;  // it never had the place
  shard.inodes.erase(it);
  shard.erased.NotifyAll();
}

void LeaseTable::NoteTaken(Inode& inode) const {
  if (inode.state.held()) inode.hold_off.OnTaken(clock_.Now(), config_.hold_off);
}

TimePoint LeaseTable::HoldOffEnd(const Inode& inode) const {
  return inode.hold_off.End(clock_.Now(), config_.hold_off);
}

std::optional<LeaseView> LeaseTable::Want(const InodePtr& inode, Urgency urgency) {
  if (provider_ == nullptr || !EarnsLease(*inode)) return std::nullopt;
  inode->used.store(true, std::memory_order_relaxed);
  InodePtr tree;
  {
    MutexLock lock(inode->mutex);
    inode->idle.OnAsked(clock_.Now(), config_.lease_idle);
    if (inode->state.serving() && !Void(*inode)) return View(*inode);
    tree = inode->tree;
  }
  if (tree) static_cast<void>(Want(tree, Urgency::kMetadata));
  const bool urgent = urgency != Urgency::kMetadata;
  const TimePoint deadline =
      std::chrono::steady_clock::now() + (urgency == Urgency::kNames
                                              ? std::min(NameRefusals::kPatience, config_.recall_deadline)
                                              : config_.recall_deadline);
  // A grant may be cancelled by a recall that overtakes it: try again, but leave the lock to a busy writer in
  // the end.
  for (int attempt = 0; attempt < (urgent ? 3 : 1); ++attempt) {
    Todo todo;
    bool acquiring = false;
    {
      MutexLock lock(inode->mutex);
      if (inode->state.serving() && !Void(*inode)) return View(*inode);
      const bool contended = urgency == Urgency::kPages && inode->hold_off.contended(config_.hold_off);
      todo = Note(inode, *inode, inode->state.OnWant(urgent, clock_.Now(), contended));
      acquiring = inode->state.phase() == LeasePhase::kAcquiring;
      if (todo.actions.acquire) inode->asked = std::chrono::steady_clock::now();
    }
    Do(inode, std::move(todo), true);
    if (!acquiring) break;
    MutexLock lock(inode->mutex);
    // Who comes later waits no longer: a lock that is kept costs its users the deadline once.
    const TimePoint until = std::min(deadline, inode->asked + config_.recall_deadline);
    while (inode->state.phase() == LeasePhase::kAcquiring) {
      if (!inode->changed.WaitUntil(inode->mutex, until)) return std::nullopt;
    }
    if (inode->state.held() && !Void(*inode)) return View(*inode);
  }
  return std::nullopt;
}

void LeaseTable::EndStaleness(const InodePtr& inode) {
  Step(inode, [](Inode& i) REQUIRES(i.mutex) { return i.state.OnStaleEnd(i.state.epoch()); });
}

std::optional<LeaseView> LeaseTable::Held(const Inode& inode) const {
  MutexLock lock(inode.mutex);
  if (!inode.state.held() || Void(inode)) return std::nullopt;
  return View(inode);
}

bool LeaseTable::StillHeld(const Inode& inode, uint32_t epoch) const {
  MutexLock lock(inode.mutex);
  return inode.state.held() && inode.state.epoch() == epoch && !Void(inode);
}

bool LeaseTable::Trust(Inode& inode, uint32_t epoch) {
  MutexLock lock(inode.mutex);
  return !Void(inode) && inode.state.Trust(epoch);
}

bool LeaseTable::MayKeepPages(const Inode& inode) const {
  MutexLock lock(inode.mutex);
  return !Void(inode) && inode.state.MayKeepPages();
}

LeaseView LeaseTable::View(const Inode& inode) const {
  LeaseView view;
  view.epoch = inode.state.epoch();
  view.attr = inode.attr;
  view.stamp = inode.stamp.Hash();
  view.quiet = inode.hold_off.quiet(clock_.Now(), config_.hold_off) && !inode.refusals.any();
  view.names = inode.names;
  view.xattrs = inode.xattrs;
  if (inode.sealed_by != 0) view.tree = inode.tree;
  view.tree_root = inode.seal != nullptr;
  view.racy_stamp = view.stamp;
  if (inode.was_racy) {
    view.racy_stamp = inode.stamp.Hash(inode.salt);
    view.settled = inode.state.held() && !inode.distrusted &&
                   !inode.stamp.RacyAt(clock_.WallNowNs(), provider_->StampGuardNs());
    if (!view.settled) view.stamp = view.racy_stamp;
  }
  return view;
}

LeaseTable::Todo LeaseTable::Note(const InodePtr& ref, Inode& inode, LeaseActions actions) {
  Todo todo{actions, inode.key, inode.state.epoch(), {}, 0, nullptr};
  if (actions.release) inode.key = {};
  if (actions.release && !inode.state.serving()) {
    todo.dropped_names = std::move(inode.names);
    inode.xattrs.reset();
  }
  if (actions.distrust || actions.invalidate) inode.kernel_size.OnInvalidation();
  // A directory has none but its listing, which goes with its names; a symbolic link's never change.
  const uint32_t mode = inode.attr.mode;
  if (actions.invalidate && !S_ISDIR(mode) && !S_ISLNK(mode)) todo.ranges = Complement(inode.in_flight);
  const bool leased = inode.state.serving() || inode.state.phase() == LeasePhase::kRecalled;
  if (leased != (inode.lru != nullptr)) {
    MutexLock lock(lru_mutex_);
    if (leased) {
      inode.lru = inode.sealed_by != 0 ? &in_trees_ : &lru_;
      inode.lru_position = inode.lru->insert(inode.lru->end(), ref);
    } else {
      inode.lru->erase(inode.lru_position);
      inode.lru = nullptr;
    }
  }
  inode.changed.NotifyAll();
  return todo;
}

void LeaseTable::Step(const InodePtr& inode, const Event& event, bool may_wait) {
  Todo todo;
  {
    MutexLock lock(inode->mutex);
    todo = Note(inode, *inode, event(*inode));
  }
  Do(inode, std::move(todo), may_wait);
}

void LeaseTable::Do(const InodePtr& inode, Todo todo, bool may_wait) {
  if (todo.actions.distrust && !kernel_.ForgetAttributes(inode->id(), may_wait)) {
    // The kernel is making the inode this very moment. As for pages, nobody waits longer for it than half the
    // recall deadline.
    timers_.PostAfter(kAttributePause, [this, inode, todo = std::move(todo)]() mutable {
      if (++todo.attempts * kAttributePause >= config_.recall_deadline / 2) {
        kernel_.KeepForgettingAttributes(inode->id());
        todo.actions.distrust = false;
      }
      Do(inode, std::move(todo), false);
    });
    return;
  }
  if (todo.actions.forced) metrics_.forced_releases.Add();
  if (todo.actions.release) {
    if (todo.key.generation != 0) provider_->Release(todo.key);
  }
  if (todo.actions.invalidate) {
    kernel_.Invalidate(inode->id(), std::move(todo.ranges), [this, inode, marks = todo.actions.marks] {
      Step(inode, [&marks](Inode& i) REQUIRES(i.mutex) { return i.state.OnInvalidated(marks); });
    });
  }
  if (todo.actions.start_stale_timer) {
    timers_.PostAfter(config_.max_staleness, [this, inode, epoch = todo.epoch] {
      Step(inode, [epoch](Inode& i) REQUIRES(i.mutex) { return i.state.OnStaleEnd(epoch); });
    });
  }
  if (todo.actions.start_timer) {
    timers_.PostAfter(config_.recall_deadline / 2, [this, inode, epoch = todo.epoch] {
      bool released = false;
      Step(inode, [&](Inode& i) REQUIRES(i.mutex) {
        const LeaseActions actions = i.state.OnTimer(epoch);
        released = actions.release;
        return actions;
      });
      if (released) metrics_.timer_releases.Add();
    });
  }
  if (todo.actions.acquire && !acquirers_.Post([this, inode] { Acquire(inode); })) {
    metrics_.refusals.Add();
    Step(inode, [this](Inode& i) REQUIRES(i.mutex) { return i.state.OnRefused(HoldOffEnd(i)); });
  }
}

Result<LeaseTable::Asked> LeaseTable::AskProvider(const InodePtr& inode) {
  if (auto asked = AskTree(inode)) return *std::move(asked);
  MakeRoom(&LeaseTable::lru_, config_.max_leases);
  Asked asked;
  OCFSGW_ASSIGN_OR_RETURN(asked.grant, provider_->Acquire(inode->node));
  if (!asked.grant.attr) {
    // No valid value block. A recall may come while the backend makes us wait behind its writer: OnRecall
    // closes the lease by the key it brings.
    auto attr = backend_.Stat(inode->node);
    if (!attr.ok()) {
      provider_->Release(asked.grant.key);
      return attr.status();
    }
    asked.grant.attr = *attr;
  }
  asked.seal = ReadSeal(inode, *asked.grant.attr);
  return asked;
}

void LeaseTable::Acquire(const InodePtr& inode) {
  const uint64_t losses = losses_.load();
  const auto asked = AskProvider(inode);
  if (!asked.ok()) {
    metrics_.refusals.Add();
    Step(inode, [this](Inode& i) REQUIRES(i.mutex) { return i.state.OnRefused(HoldOffEnd(i)); });
    return;
  }
  metrics_.acquisitions.Add();
  if (asked->sealed_by != 0) metrics_.sealed_acquisitions.Add();
  bool distrusted = false;
  Step(inode, [&](Inode& i) REQUIRES(i.mutex) {
    i.key = asked->grant.key;
    i.losses = losses;
    i.hold_off.OnGranted(clock_.Now());
    const LeaseActions actions = i.state.OnGranted();
    if (!actions.release) {
      i.attr = *asked->grant.attr;
      i.seal = asked->seal;
      const Stamp stamp = Stamp::Of(i.attr);
      const bool same_tree = asked->sealed_by != 0 && i.sealed_by == asked->sealed_by;
      i.sealed_by = asked->sealed_by;
      distrusted = i.recalled && stamp == i.stamp && !same_tree;
      i.distrusted = distrusted;
      i.stamp = stamp;
      if (i.recalled && !same_tree && provider_->KeepsOldPages()) i.forgets_due.fetch_add(1);
      i.recalled = false;
      i.salt = HashMix(session_, next_salt_.fetch_add(1, std::memory_order_relaxed)) | 1;
      i.was_racy = i.distrusted || i.stamp.RacyAt(clock_.WallNowNs(), provider_->StampGuardNs());
      i.names = std::make_shared<Directory>();
      i.xattrs = std::make_shared<Xattrs>();
    }
    return actions;
  });
  // Under this lease nothing of it is served, under later ones there is nothing left to serve.
  if (distrusted) store_.DropInode(inode->id());
  // OnLeasesLost may have looked at the list of held leases before this one was in it.
  if (losses_.load() != losses) {
    Step(inode, [](Inode& i) REQUIRES(i.mutex) { return i.state.OnLost(); });
  }
}

void LeaseTable::MakeRoom(HeldList list, size_t held_max) {
  InodePtr victim;
  {
    MutexLock lock(lru_mutex_);
    std::list<InodePtr>& held = this->*list;
    if (held.size() < held_max) return;
    // Second chance: what was used since the hand last passed goes to the end of the queue, once around at
    // most.
    for (size_t i = 0; i < held.size(); ++i) {
      if (!held.front()->used.exchange(false, std::memory_order_relaxed)) break;
      held.splice(held.end(), held, held.begin());
    }
    victim = held.front();
    held.splice(held.end(), held, held.begin());
  }
  metrics_.idle_releases.Add();
  Step(victim, [](Inode& i) REQUIRES(i.mutex) {
    if (!i.state.held()) return i.state.OnStaleEnd(i.state.epoch());
    return i.state.OnRecall(TimePoint::min(), MayGoAtOnce(i));
  });
}

bool LeaseTable::MayGoAtOnce(const Inode& inode) {
  return S_ISDIR(inode.attr.mode) || inode.opens.load() == 0;
}

std::vector<InodePtr> LeaseTable::HeldInodes() const {
  MutexLock lock(lru_mutex_);
  std::vector<InodePtr> inodes(lru_.begin(), lru_.end());
  inodes.insert(inodes.end(), in_trees_.begin(), in_trees_.end());
  return inodes;
}

void LeaseTable::OnRecall(InodeId id, LeaseKey key) {
  const InodePtr inode = Find(id);
  if (!inode) {
    provider_->Release(key);
    return;
  }
  metrics_.recalls.Add();
  const auto recall = [&](Inode& i) REQUIRES(i.mutex) {
    const bool acquiring = i.state.phase() == LeasePhase::kAcquiring;
    if (!acquiring && i.key != key) return LeaseActions{};
    i.recalled = true;
    if (acquiring) i.key = key;  // the grant is on its way here; its lease is closed by the recall's key
    if (config_.max_staleness > Duration{}) return i.state.OnRecallThatMayWait();
    NoteTaken(i);
    return i.state.OnRecall(HoldOffEnd(i), MayGoAtOnce(i));
  };
  Step(inode, recall, false);
}

Status LeaseTable::Barrier() {
  if (provider_ == nullptr) return Status::Ok();
  OCFSGW_RETURN_IF_ERROR(provider_->Barrier());
  const TimePoint deadline = std::chrono::steady_clock::now() + config_.recall_deadline;
  for (const InodePtr& inode : HeldInodes()) {
    MutexLock lock(inode->mutex);
    while (inode->state.phase() == LeasePhase::kRecalled || inode->state.suspect()) {
      if (!inode->changed.WaitUntil(inode->mutex, deadline)) {
        return {StatusCode::kBusy, "a recall has not been finished within the recall deadline"};
      }
    }
  }
  return Status::Ok();
}

size_t LeaseTable::held() const {
  MutexLock lock(lru_mutex_);
  return lru_.size();
}

size_t LeaseTable::held_in_trees() const {
  MutexLock lock(lru_mutex_);
  return in_trees_.size();
}

std::vector<ByteRange> Complement(std::vector<ByteRange> taken) {
  constexpr uint64_t kPage = 4096;
  for (auto& range : taken) {
    range.begin &= ~(kPage - 1);
    range.end =
        range.end > ByteRange::kToEnd - kPage ? ByteRange::kToEnd : (range.end + kPage - 1) & ~(kPage - 1);
  }
  std::sort(taken.begin(), taken.end(), [](const auto& a, const auto& b) { return a.begin < b.begin; });
  std::vector<ByteRange> free;
  uint64_t at = 0;
  for (const auto& range : taken) {
    if (range.begin > at) free.push_back({at, range.begin});
    at = std::max(at, range.end);
  }
  if (at != ByteRange::kToEnd) free.push_back({at, ByteRange::kToEnd});
  return free;
}

}  // namespace ocfsgw::coherence
