#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "base/clock.h"
#include "coherence/backend.h"
#include "coherence/lease_provider.h"

namespace ocfsgw::sim {

class SimLeaseProvider;

/// A shared volume and its lock manager in one process, as far as the protocol can tell them from OCFS2: an
/// inode's lock is shared by readers and leases and exclusive for a writer; a queued writer recalls all
/// leases, and every later request waits behind it (so a backend read under a lease of one's own waits for
/// the lease to be given back: the deadlock the protocol has to cut). Files and one directory, the root.
/// Thread-safe.
class SimVolume {
 public:
  static constexpr uint64_t kRootIno = 1;
  /// Resolution of the volume's time stamps: two changes within one tick may leave the same stamp.
  static constexpr int64_t kTickNs = 10'000'000;

  /// A lock request takes up to so long to arrive; what makes the threads of a test meet in every order.
  static constexpr uint64_t kDelayMaxUs = 50;

  /// `clock` gives the time stamps of changes and outlives the volume; null: real time.
  explicit SimVolume(uint64_t seed = 1, const Clock* clock = nullptr);

  // What a writer with a mount of its own does. Each returns when the change is visible everywhere.
  void WriteFile(const std::string& name, const std::string& content);
  /// An O_DIRECT overwrite as bad as they come: takes the lock, changes the content, leaves size and times as
  /// they were.
  void OverwriteSilently(const std::string& name, const std::string& content);
  void SetXattr(const std::string& file, const std::string& name, const std::string& value);
  void Remove(const std::string& name);
  bool Exists(const std::string& name) { return InoOf(name) != 0; }
  uint64_t InoOf(const std::string& name);  ///< 0: no such name.

 private:
  friend class SimBackend;
  friend class SimLeaseProvider;

  struct Lease {
    SimLeaseProvider* provider;
    coherence::LeaseKey key;
    bool recalled = false;
  };
  struct Node {
    coherence::FileAttr attr;
    std::string content;
    std::map<std::string, uint64_t> names;
    std::map<std::string, std::string> xattrs;
    // The lock.
    std::vector<Lease> leases;
    int readers = 0;
    int writers_waiting = 0;
    bool writing = false;
  };
  using Guard = std::unique_lock<std::mutex>;

  Node& At(uint64_t ino) { return nodes_.at(ino); }
  void Travel(Guard& guard);
  void LockShared(Guard& guard, uint64_t ino);
  void UnlockShared(uint64_t ino);
  void LockExclusive(Guard& guard, uint64_t ino);
  void UnlockExclusive(uint64_t ino);
  void Touch(Node& node, bool content);
  // Both require the lock of the inode to be held exclusively.
  void SetContent(Node& node, std::string content);
  uint64_t CreateNode();

  std::mutex mutex_;
  std::condition_variable changed_;
  const RealClock real_clock_;
  const Clock& clock_;
  std::map<uint64_t, Node> nodes_;
  uint64_t next_ino_ = 100;
  std::mt19937_64 random_;
};

/// One node's view of the volume, through the kernel of that node. Regular files in the root only; the rest
/// of Backend fails with ENOSYS.
class SimBackend final : public coherence::Backend {
 public:
  explicit SimBackend(SimVolume& volume) : volume_(volume) {}

  coherence::NodeRef Root() override;
  bool XattrsMoveCtime() override { return true; }
  Result<coherence::NodeRef> Resolve(InodeId id, const std::string& token) override;
  Result<coherence::Found> Lookup(const coherence::NodeRef& parent, const std::string& name) override;
  Result<coherence::FileAttr> Stat(const coherence::NodeRef& node) override;
  Result<std::vector<coherence::DirectoryEntry>> List(const coherence::NodeRef& directory) override;
  Result<std::unique_ptr<coherence::BackendFile>> Open(const coherence::NodeRef& node, int flags) override;
  Result<coherence::Created> Create(const coherence::NodeRef& parent, const std::string& name, uint32_t mode,
                                    int flags, const coherence::Caller& caller) override;
  Status Unlink(const coherence::NodeRef& parent, const std::string& name) override;

  Result<coherence::FileAttr> SetAttr(const coherence::NodeRef&, const coherence::AttrChange&,
                                      coherence::BackendFile*) override;
  Result<std::string> ReadLink(const coherence::NodeRef&) override;
  Result<coherence::Found> MakeNode(const coherence::NodeRef&, const std::string&, uint32_t, uint64_t,
                                    const coherence::Caller&) override;
  Result<coherence::Found> MakeDirectory(const coherence::NodeRef&, const std::string&, uint32_t,
                                         const coherence::Caller&) override;
  Result<coherence::Found> MakeSymlink(const coherence::NodeRef&, const std::string&, const std::string&,
                                       const coherence::Caller&) override;
  Result<coherence::Found> Link(const coherence::NodeRef&, const std::vector<coherence::Place>&,
                                const coherence::NodeRef&, const std::string&) override;
  Status RemoveDirectory(const coherence::NodeRef&, const std::string&) override;
  Status Rename(const coherence::NodeRef&, const std::string&, const coherence::NodeRef&, const std::string&,
                unsigned, const coherence::Caller&) override;
  Result<std::string> GetXattr(const coherence::NodeRef&, const std::string&) override;
  Result<std::string> ListXattr(const coherence::NodeRef&) override;
  Status SetXattr(const coherence::NodeRef&, const std::string&, std::span<const std::byte>, int) override;
  Status RemoveXattr(const coherence::NodeRef&, const std::string&) override;
  Status SyncDirectory(const coherence::NodeRef&, bool) override;
  Result<struct statvfs> StatFs() override;

  uint64_t xattr_reads = 0;
  std::atomic<uint64_t> opens{0};    ///< Files opened.
  std::function<void()> after_read;  ///< Called with what was read, before it is returned; no lock is held.

 private:
  class File;
  SimVolume& volume_;
};

/// One node's leases on the volume. Recalls come on the thread of the writer that causes them.
class SimLeaseProvider final : public coherence::LeaseProvider {
 public:
  explicit SimLeaseProvider(SimVolume& volume) : volume_(volume) {}

  void Start(coherence::LeaseListener* listener) override { listener_ = listener; }
  void Stop() override;
  Result<coherence::LeaseGrant> Acquire(const coherence::NodeRef& node) override;
  void Release(coherence::LeaseKey key) override;
  Result<std::unique_ptr<coherence::OpenPin>> PinOpen(const coherence::NodeRef& node) override;
  Status Barrier() override { return Status::Ok(); }
  int64_t StampGuardNs() const override { return 2 * SimVolume::kTickNs; }

  /// Whether grants bring attributes, as a valid value block does.
  bool value_block = true;
  /// Every `n`-th acquisition is refused with kBusy; 0: none.
  uint32_t refuse_every = 0;

 private:
  friend class SimVolume;
  SimVolume& volume_;
  coherence::LeaseListener* listener_ = nullptr;
  uint32_t next_key_ = 1;                         // under the volume's mutex
  std::map<coherence::LeaseKey, uint64_t> held_;  // likewise: key -> inode
};

}  // namespace ocfsgw::sim
