#pragma once

#include <condition_variable>
#include <map>
#include <mutex>
#include <set>
#include <string>

#include "base/executor.h"
#include "coherence/coherent_fs.h"
#include "fusefs/name_table.h"
#include "tests/sim/fair_shared_mutex.h"

namespace ocfsgw::sim {

/// The kernel's side of one mount, as far as pages of 4096 bytes go: a read asks for attributes first, unless
/// it was told to trust those it has, then uses the pages it has and sends a READ for those it lacks, which
/// it keeps locked until the answer; an invalidation waits for locked pages.
///
/// And as far as names in one directory, the root, go: a walk asks for the directory's attributes in the same
/// way, then uses a name that it trusts, or asks: with the directory locked for a name it does not have,
/// without a lock for one it has (and then works the answer in some time later). Creating and removing lock
/// the directory exclusively and look at its attributes once more while they have it; taking names back locks
/// it, too. ESTALE makes a walk begin again, once. Thread-safe.
class SimKernel final : public coherence::KernelCache {
 public:
  static constexpr uint64_t kPage = 4096;

  /// `can_expire`: names are aged when they are taken back, else dropped.
  explicit SimKernel(bool can_expire)
      : notifiers_({.name = "sim-notify", .threads = 4, .queue_max = 1 << 20}) {
    table_.SetCanExpire(can_expire);
  }

  /// read(2) of a whole file of at most one page.
  Result<std::string> Read(coherence::CoherentFs& fs, coherence::OpenFile& file);
  /// write(2) of the first bytes of a file through the page cache.
  Status Write(coherence::CoherentFs& fs, coherence::OpenFile& file, const std::string& bytes);

  /// The child, or null: there is no such name.
  Result<coherence::InodePtr> Walk(coherence::CoherentFs& fs, const coherence::InodePtr& root,
                                   const std::string& name);
  Status Create(coherence::CoherentFs& fs, const coherence::InodePtr& root, const std::string& name);
  Status Unlink(coherence::CoherentFs& fs, const coherence::InodePtr& root, const std::string& name);
  /// Short of memory: forgets a name that nobody uses, and its inode.
  void Shrink(const std::string& name);

  bool ForgetAttributes(InodeId inode, bool may_wait) override;
  void KeepForgettingAttributes(InodeId) override {}
  void Invalidate(InodeId inode, std::vector<coherence::ByteRange> ranges,
                  std::function<void()> done) override;
  std::vector<coherence::TrustedName> TrustedNames(InodeId directory) override;
  void ForgetListing(InodeId) override {}  // it keeps none
  void ForgetNames(InodeId directory, const std::vector<coherence::TrustedName>& names) override;
  void Stop() {
    notifiers_.Stop();
    names_.clear();  // its inodes do not outlive the lease table
  }

 private:
  struct Page {
    bool locked = false;
    bool uptodate = false;
    std::string bytes;
  };
  struct Attributes {
    std::optional<uint64_t> trusted_size;
    uint64_t version = 0;  ///< Answers to what was asked before an invalidation are not kept.
  };
  struct Name {
    coherence::InodePtr child;  ///< Null: there is no such name.
    bool trusted = false;
  };
  Result<uint64_t> Size(coherence::CoherentFs& fs, const coherence::InodePtr& inode);
  void TakeBackNames();
  void TakeBackName(const fusefs::NameTable::Name& name);
  static void Dawdle();  ///< What nothing makes hurry.
  void EndRevalidation(const std::string& name);
  Result<coherence::InodePtr> WalkOnce(coherence::CoherentFs& fs, const coherence::InodePtr& root,
                                       const std::string& name);
  template <typename Change>
  Status ChangeName(coherence::CoherentFs& fs, const coherence::InodePtr& root, const std::string& name,
                    const Change& change);
  template <typename Change>
  Status ChangeNameOnce(coherence::CoherentFs& fs, const coherence::InodePtr& root, const std::string& name,
                        const Change& change);
  void LockPage(std::unique_lock<std::mutex>& guard, InodeId id);
  void UnlockPage(InodeId id);

  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<InodeId, Page> pages_;
  std::map<InodeId, Attributes> attributes_;
  std::map<std::string, Name> names_;  ///< Of the root.
  fusefs::NameTable table_{fusefs::TrustNames::kAll};
  std::multiset<std::string> revalidations_;  ///< Names in use by walks that hold no lock.
  FairSharedMutex directory_;
  AsioExecutor notifiers_;
};

}  // namespace ocfsgw::sim
