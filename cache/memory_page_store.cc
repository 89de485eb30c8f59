#include "cache/memory_page_store.h"

#include <algorithm>
#include <utility>

#include "cache/fifo_reinsertion_policy.h"

namespace ocfsgw::cache {

MemoryPageStore::MemoryPageStore(uint64_t quota_bytes, std::unique_ptr<EvictionPolicy> policy)
    : quota_bytes_(quota_bytes),
      policy_(policy != nullptr ? std::move(policy) : std::make_unique<FifoReinsertionPolicy>()) {}

std::shared_ptr<const std::string> MemoryPageStore::Find(const RecordKey& key, StampHash stamp) {
  MutexLock lock(mutex_);
  const auto it = records_.find(key);
  if (it == records_.end() || it->second.stamp != stamp) {
    return nullptr;
  }
  it->second.policy_word = policy_->Touched(key, it->second.policy_word);
  return it->second.bytes;
}

Result<size_t> MemoryPageStore::Get(const RecordKey& key, StampHash stamp, size_t offset,
                                    std::span<std::byte> into) {
  const auto bytes = Find(key, stamp);
  if (bytes == nullptr) {
    return Status(StatusCode::kNotFound, {});
  }
  return offset < bytes->size() ? bytes->copy(reinterpret_cast<char*>(into.data()), into.size(), offset) : 0;
}

Result<std::string> MemoryPageStore::GetWhole(const RecordKey& key, StampHash stamp) {
  const auto bytes = Find(key, stamp);
  if (bytes == nullptr) {
    return Status(StatusCode::kNotFound, {});
  }
  return *bytes;
}

void MemoryPageStore::Put(const RecordKey& key, StampHash stamp, std::shared_ptr<const std::string> bytes) {
  MutexLock lock(mutex_);
  if (bytes->size() > quota_bytes_) {
    ++dropped_;
    return;
  }
  if (const auto old = records_.find(key); old != records_.end()) {
    Erase(old);
  }
  MakeRoom(bytes->size());
  bytes_ += bytes->size();
  const PolicyWord word = policy_->Inserted(key, bytes->size());
  records_.emplace(key, Record{stamp, std::move(bytes), word, by_age_.insert(by_age_.end(), key)});
}

void MemoryPageStore::DropInode(InodeId inode) {
  MutexLock lock(mutex_);
  auto it = records_.lower_bound(RecordKey{inode});
  while (it != records_.end() && it->first.inode == inode) {
    it = Erase(it);
  }
}

bool MemoryPageStore::Has(InodeId inode) const {
  MutexLock lock(mutex_);
  const auto it = records_.lower_bound(RecordKey{inode});
  return it != records_.end() && it->first.inode == inode;
}

bool MemoryPageStore::Wants(const RecordKey& key, StampHash stamp, uint64_t bytes) const {
  MutexLock lock(mutex_);
  const auto it = records_.find(key);
  return bytes <= quota_bytes_ && (it == records_.end() || it->second.stamp != stamp);
}

PageStoreStats MemoryPageStore::Stats() const {
  MutexLock lock(mutex_);
  PageStoreStats stats;
  stats.records = records_.size();
  stats.bytes = bytes_;
  stats.disk_bytes = bytes_;
  stats.quota_bytes = quota_bytes_;
  stats.evicted_records = evicted_;
  stats.dropped_puts = dropped_;
  return stats;
}

MemoryPageStore::Records::iterator MemoryPageStore::Erase(Records::iterator it) {
  bytes_ -= it->second.bytes->size();
  by_age_.erase(it->second.age);
  return records_.erase(it);
}

void MemoryPageStore::MakeRoom(uint64_t bytes) {
  uint64_t kept_bytes_max = quota_bytes_ / kKeptShareMax;
  while (bytes_ + bytes > quota_bytes_) {
    const auto oldest = records_.find(by_age_.front());
    Record& record = oldest->second;
    // An empty record counts too, so that a round always ends.
    const uint64_t charge = std::max<uint64_t>(record.bytes->size(), 1);
    if (charge <= kept_bytes_max) {
      if (const auto word = policy_->Keep(oldest->first, record.policy_word)) {
        kept_bytes_max -= charge;
        record.policy_word = *word;
        by_age_.splice(by_age_.end(), by_age_, record.age);
        continue;
      }
    }
    ++evicted_;
    Erase(oldest);
  }
}

}  // namespace ocfsgw::cache
