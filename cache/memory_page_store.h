#pragma once

#include <list>
#include <map>
#include <memory>
#include <tuple>

#include "base/mutex.h"
#include "cache/eviction_policy.h"
#include "cache/page_store.h"

namespace ocfsgw::cache {

/// PageStore in memory: the twin of RocksdbPageStore for tests and simulations. Thread-safe, deterministic:
/// Put stores at once, evicts the oldest records beyond the quota one by one, and asks the policy about each.
/// A record larger than the quota is not stored. `disk_bytes` are the payload bytes.
class MemoryPageStore final : public PageStore {
 public:
  /// `quota_bytes` counts payload bytes. Null `policy`: FifoReinsertionPolicy.
  explicit MemoryPageStore(uint64_t quota_bytes, std::unique_ptr<EvictionPolicy> policy = nullptr);

  Result<size_t> Get(const RecordKey& key, StampHash stamp, size_t offset,
                     std::span<std::byte> into) override;
  Result<std::string> GetWhole(const RecordKey& key, StampHash stamp) override;
  void Put(const RecordKey& key, StampHash stamp, std::shared_ptr<const std::string> bytes) override;
  void DropInode(InodeId inode) override;
  bool Has(InodeId inode) const override;
  bool Wants(const RecordKey& key, StampHash stamp, uint64_t bytes) const override;
  void Flush() override {}
  PageStoreStats Stats() const override;

 private:
  struct ByInode {
    bool operator()(const RecordKey& a, const RecordKey& b) const {
      return std::tie(a.inode, a.kind, a.index) < std::tie(b.inode, b.kind, b.index);
    }
  };
  struct Record {
    StampHash stamp;
    std::shared_ptr<const std::string> bytes;
    PolicyWord policy_word = 0;
    std::list<RecordKey>::iterator age;  // its place in by_age_
  };
  using Records = std::map<RecordKey, Record, ByInode>;

  std::shared_ptr<const std::string> Find(const RecordKey& key, StampHash stamp) EXCLUDES(mutex_);
  Records::iterator Erase(Records::iterator it) REQUIRES(mutex_);
  void MakeRoom(uint64_t bytes) REQUIRES(mutex_);

  const uint64_t quota_bytes_;
  mutable Mutex mutex_;
  const std::unique_ptr<EvictionPolicy> policy_ PT_GUARDED_BY(mutex_);
  Records records_ GUARDED_BY(mutex_);
  std::list<RecordKey> by_age_ GUARDED_BY(mutex_);  // the keys of records_, oldest first
  uint64_t bytes_ GUARDED_BY(mutex_) = 0;           // payload bytes in records_
  uint64_t evicted_ GUARDED_BY(mutex_) = 0;
  uint64_t dropped_ GUARDED_BY(mutex_) = 0;
};

}  // namespace ocfsgw::cache
