#pragma once

#include <cstdint>
#include <unordered_map>
#include <utility>
#include <vector>

#include "cache/eviction_policy.h"
#include "cache/record_format.h"

namespace ocfsgw::cache {

/// Ordinal of a segment: the oldest has the lowest; 0 is none.
using SegmentId = uint32_t;

struct IndexEntry;
using IndexSlot = std::pair<const RecordKey, IndexEntry>;

/// Where the newest record under a key is. 120 to 128 bytes a record, and 56 to 64 an inode: docs/CACHE.md.
struct IndexEntry {
  /// | state   | the record is in       | segment          | Get    |
  /// |---------|------------------------|------------------|--------|
  /// | kQueued | the write queue        | 0                | hits   |
  /// | kStored | that segment           | of the record    | hits   |
  /// | kVoid   | nowhere                | of the bad copy or 0 | misses |
  enum class State : uint8_t { kQueued, kStored, kVoid };

  StampHash stamp;
  Sequence sequence = 0;
  uint32_t length = 0;
  SegmentId segment = 0;
  PolicyWord policy_word = 0;
  State state = State::kVoid;
  /// Some record under this key, perhaps an older one, is on disk and would be found by a restart.
  bool on_disk = false;

 private:
  friend class StoreIndex;
  IndexSlot* inode_prev = nullptr;
  IndexSlot* inode_next = nullptr;
  IndexSlot* segment_prev = nullptr;
  IndexSlot* segment_next = nullptr;
};

/// The index of the store, in memory: by key, by inode and by segment. Thread-compatible: its owner locks.
///
/// 1. Every entry is on the chain of its inode.
/// 2. An entry is on the chain of `segment` if and only if that is not 0.
/// 3. records() and bytes() count the entries that are not void.
class StoreIndex {
 public:
  /// Most bytes that MemoryBytes() grows by for each entry added, but for tables that double.
  static constexpr uint64_t kEntryBytesMax = 192;

  StoreIndex() = default;
  StoreIndex(StoreIndex&&) = default;
  StoreIndex& operator=(StoreIndex&&) = default;

  /// Null if there is none. Slots stay where they are until they are erased.
  IndexSlot* Find(const RecordKey& key);
  /// The slot of `key`; a new one is void.
  IndexSlot* FindOrAdd(const RecordKey& key);

  void SetQueued(IndexSlot* slot, StampHash stamp, Sequence sequence, uint32_t length);
  /// The record that the entry describes is now in `segment`.
  void SetStored(IndexSlot* slot, SegmentId segment);
  /// The entry is only remembered for DropInode; it goes with its segment, if it has one.
  void SetVoid(IndexSlot* slot);
  void Erase(IndexSlot* slot);

  std::vector<IndexSlot*> OfInode(InodeId inode);
  /// Whether an entry of the inode is not void.
  bool HasInode(InodeId inode) const;
  std::vector<IndexSlot*> OfSegment(SegmentId segment);

  uint64_t records() const { return records_; }
  uint64_t bytes() const { return bytes_; }
  /// What the index takes in memory, as malloc rounds it; what a cleared table keeps is counted.
  uint64_t MemoryBytes() const;

 private:
  /// Blocks that follow each other in a file are in neighbouring buckets of the table, as they are neighbours
  /// in a segment and in what is read: one cache miss for several of them, where each would have cost its
  /// own.
  struct KeyHash {
    static constexpr uint64_t kRunBlocks = 64;
    size_t operator()(const RecordKey& key) const noexcept {
      const uint64_t run = key.index.value / kRunBlocks;
      return HashMix(std::hash<InodeId>{}(key.inode), (run << 8) | static_cast<uint8_t>(key.kind)) +
             key.index.value % kRunBlocks;
    }
  };

  void SetState(IndexSlot* slot, IndexEntry::State state, uint32_t length);
  void LeaveSegment(IndexSlot* slot);

  std::unordered_map<RecordKey, IndexEntry, KeyHash> entries_;
  std::unordered_map<InodeId, IndexSlot*> inodes_;      // heads of the chains
  std::unordered_map<SegmentId, IndexSlot*> segments_;  // heads of the chains
  uint64_t records_ = 0;
  uint64_t bytes_ = 0;
};

}  // namespace ocfsgw::cache
