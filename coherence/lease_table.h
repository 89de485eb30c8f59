#pragma once

#include <array>
#include <atomic>
#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>

#include "base/clock.h"
#include "base/executor.h"
#include "base/mutex.h"
#include "cache/page_store.h"
#include "coherence/backend.h"
#include "coherence/coherence_metrics.h"
#include "coherence/inode.h"
#include "coherence/kernel_cache.h"
#include "coherence/lease_provider.h"
#include "coherence/recall_memory.h"
#include "coherence/second_access.h"

namespace ocfsgw::coherence {

struct LeaseConfig {
  size_t max_leases = 8192;
  /// No writer waits for us longer than this; half of it is what the kernel gets to give its pages back.
  Duration recall_deadline = std::chrono::seconds(5);
  /// After a recall or a local change, metadata is answered by the backend for so long before a lease is
  /// asked for again, so that an inode being written all the time costs nobody lock traffic.
  HoldOff::Limits hold_off;
  /// Above 0: what was known of an inode is served for so long after a recall, which then waits for nothing,
  /// and no lease is asked for meanwhile.
  Duration max_staleness{};
  /// Above 0: a lease that nobody has asked for during that time is given back; what is stored stays.
  Duration lease_idle{};
  /// Above 0: an inode of which nothing is stored gets a lease at its second access within that time only.
  Duration second_access{};
};

enum class Urgency {
  kMetadata,  ///< Respects the hold-off; without a lease the backend is asked.
  kPages,     ///< The kernel waits for pages, which are answered under a lease unless none can be had or the
              ///< inode is contended.
  kNames,     ///< The kernel waits with a directory locked, for names to be found true under a lease.
};

/// All inodes of the mount and their leases: drives LeaseState with a provider, the kernel and a timer.
///
/// Thread-safe. Lock order: Inode::mutex, then lru_mutex_; shard mutexes are leaves and never taken under
/// another. No mutex is held across a call to provider, backend, kernel or executor. OnRecall runs on the
/// provider's thread and never blocks: all it does itself is to close a lease.
class LeaseTable final : public LeaseListener {
 public:
  /// `provider` may be null: no leases at all. `store` loses what it has of an inode whose stamp proves
  /// nothing (Inode::distrusted). All referenced objects outlive the table. `acquirers` bounds how many
  /// acquisitions wait for the lock manager at once.
  LeaseTable(const LeaseConfig& config, Backend& backend, LeaseProvider* provider, cache::PageStore& store,
             KernelCache& kernel, Executor& acquirers, Executor& timers, const Clock& clock,
             CoherenceMetrics& metrics);
  /// REQUIRES: provider stopped, executors stopped, no Inode alive outside.
  ~LeaseTable() override;

  /// The one Inode of `node`.
  InodePtr Get(const NodeRef& node) EXCLUDES(lru_mutex_);
  /// The Inode, if anybody knows it at present.
  InodePtr Find(InodeId id);

  /// A view under a lease, or nothing if none can be had now: ask the backend then. May block until the lock
  /// manager has granted the lease, at most for the recall deadline.
  std::optional<LeaseView> Want(const InodePtr& inode, Urgency urgency);
  /// From now on leases are given back after config().lease_idle. Call once.
  void StartIdleSweep();
  /// Whether a lease is held of an inode that has no name: it may be all that keeps the inode's space.
  bool HeldOfNoName(const Inode& inode) const;
  /// Gives such a lease back; call when the kernel has forgotten the inode.
  void GiveBackOfNoName(const InodePtr& inode);
  /// Ends what max_staleness allows for this inode: what is known turned out to be of no use.
  void EndStaleness(const InodePtr& inode);
  /// `inode` was found in a directory under the lease of `view`: in the same sealed tree, or in none.
  static void NoteTree(const InodePtr& directory, const LeaseView& view, const InodePtr& inode);
  /// Whether nobody can change the inode: it belongs to a sealed tree that is leased.
  bool Sealed(const Inode& inode) const REQUIRES(inode.mutex) {
    return inode.state.held() && !Void(inode) && (inode.sealed_by != 0 || inode.seal != nullptr);
  }
  /// A view if the lease is held now. Never blocks.
  std::optional<LeaseView> Held(const Inode& inode) const;
  /// False also while what is known may be old (max_staleness).
  bool StillHeld(const Inode& inode, uint32_t epoch) const;
  /// Whether the kernel may be told to trust attributes of the lease of `epoch` until they are taken back.
  /// Call right before the answer.
  bool Trust(Inode& inode, uint32_t epoch);
  /// Whether the kernel's pages are good for another open.
  bool MayKeepPages(const Inode& inode) const;

  /// As far as is known of the inode; true if any lease was ever held and it is one.
  bool IsDirectory(const Inode& inode) const;
  /// Whether the kernel has no pages of this inode that no lease covers.
  bool Settled(const Inode& inode) const;
  /// What there may be of them now, for AwaitSettled.
  uint64_t SuspectMark(const Inode& inode) const;
  /// Waits until those up to `mark` have been taken back; false: not within `at_most`.
  /// REQUIRES: not called by anything that answers a READ or WRITE, nor on a thread that one may need.
  bool AwaitSettled(const InodePtr& inode, uint64_t mark, Duration at_most);
  /// The names that the kernel was told under `directory`'s former leases, compared by `is_true` with the
  /// directory under a new one: if all are true, that one covers them. Returns whether it does. Blocks as
  /// Want does.
  bool ReviveNames(const InodePtr& directory, const std::function<bool(const TrustedName&)>& is_true);

  /// Sends an answer of which the kernel keeps something, if the lease of `epoch` is still held. A recall
  /// waits until it has been sent, or sees to it that the kernel drops it afterwards.
  bool AnswerUnder(const InodePtr& inode, uint32_t epoch, const std::function<void()>& send);

  /// Runs one event of the state machine and does what it asks for. `event` runs under the inode's mutex.
  using Event = std::function<LeaseActions(Inode&)>;
  void Step(const InodePtr& inode, const Event& event) { Step(inode, event, true); }

  /// Every change that happened before the call has had its effect here when it returns.
  Status Barrier();

  size_t held() const;
  /// Inodes whose lease is that of a sealed tree; not counted by held().
  size_t held_in_trees() const;
  /// The lease, if there is one, went with all others: what is known belongs to no lease any more, although
  /// the inode's own state does not say so yet.
  bool Void(const Inode& inode) const REQUIRES(inode.mutex) { return inode.losses != losses_.load(); }
  const LeaseConfig& config() const { return config_; }
  /// A local change begins, or a lease was recalled: what that does to the hold-off.
  void NoteTaken(Inode& inode) const REQUIRES(inode.mutex);
  TimePoint HoldOffEnd(const Inode& inode) const REQUIRES(inode.mutex);
  LeaseProvider* provider() const { return provider_; }

  void OnRecall(InodeId id, LeaseKey key) override;
  void OnLeasesLost(const std::string& why) override;

 private:
  static constexpr size_t kShards = 64;
  /// Leases that are part of a sealed tree's cost memory only: some 100 MiB for so many.
  static constexpr size_t kInTreesMax = 131072;
  struct Slot {
    std::weak_ptr<Inode> ref;
    const Inode* inode;  ///< Whose slot it is, also when `ref` has expired.
  };
  struct Shard {
    Mutex mutex;
    CondVar erased;
    std::unordered_map<InodeId, Slot> inodes GUARDED_BY(mutex);
  };
  struct Todo {
    LeaseActions actions;
    LeaseKey key;
    uint32_t epoch = 0;
    std::vector<ByteRange> ranges;
    int attempts = 0;                          ///< To take back the attributes.
    std::shared_ptr<Directory> dropped_names;  ///< Destroyed outside of the mutex: it may be large.
  };

  Shard& ShardOf(InodeId id) { return shards_[std::hash<InodeId>()(id) % kShards]; }
  void Erase(const Inode& inode);
  void RememberRecall(const Inode& inode);
  LeaseView View(const Inode& inode) const REQUIRES(inode.mutex);
  Todo Note(const InodePtr& ref, Inode& inode, LeaseActions actions) REQUIRES(inode.mutex);
  /// `may_wait`: for the kernel to make an inode that it has just been told of.
  void Step(const InodePtr& inode, const Event& event, bool may_wait);
  void Do(const InodePtr& inode, Todo todo, bool may_wait);
  void Acquire(const InodePtr& inode);
  struct Asked {
    LeaseGrant grant;
    std::shared_ptr<const Seal> seal;  ///< It is the root of a sealed tree.
    uint64_t sealed_by = 0;            ///< Seal::id of the tree whose lease this is part of; 0: of none.
  };
  Result<Asked> AskProvider(const InodePtr& inode);
  // lease_sealed.cc
  std::optional<Result<Asked>> AskTree(const InodePtr& inode);
  std::shared_ptr<const Seal> ReadSeal(const InodePtr& inode, FileAttr& attr);
  Result<Seal> SealAttribute(const InodePtr& inode, const Stamp& stamp);

  using HeldList = std::list<InodePtr> LeaseTable::*;
  void MakeRoom(HeldList list, size_t held_max) EXCLUDES(lru_mutex_);
  /// Names are used only after a look at the directory's attributes, pages that nobody has mapped after one
  /// at the file's: such a lease is given back before they are taken back.
  static bool MayGoAtOnce(const Inode& inode) REQUIRES(inode.mutex);
  bool EarnsLease(Inode& inode);
  void SweepIdle();
  void DropVoid(std::shared_ptr<std::vector<InodePtr>> inodes);
  std::vector<InodePtr> HeldInodes() const;

  const LeaseConfig config_;
  Backend& backend_;
  LeaseProvider* const provider_;
  cache::PageStore& store_;
  KernelCache& kernel_;
  Executor& acquirers_;
  Executor& timers_;
  const Clock& clock_;
  CoherenceMetrics& metrics_;
  const uint64_t session_;  ///< Random; no two runs salt racy stamps alike.
  std::atomic<uint64_t> next_salt_{1};
  std::atomic<uint64_t> losses_{0};  ///< How often the provider lost all leases.
  RecallMemory taken_;
  SecondAccess second_access_;
  std::array<Shard, kShards> shards_;

  mutable Mutex lru_mutex_;
  /// Inodes whose lease is held or recalled, oldest first: those that have one of their own, and those whose
  /// lease is that of a sealed tree.
  std::list<InodePtr> lru_ GUARDED_BY(lru_mutex_);
  std::list<InodePtr> in_trees_ GUARDED_BY(lru_mutex_);
};

/// Bytes that are in none of `taken`, each first rounded out to whole pages of 4096 bytes.
std::vector<ByteRange> Complement(std::vector<ByteRange> taken);

}  // namespace ocfsgw::coherence
