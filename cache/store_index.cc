#include "cache/store_index.h"

#include <algorithm>
#include <cassert>

namespace ocfsgw::cache {
namespace {

/// What glibc's malloc takes for `bytes`, its header included.
constexpr uint64_t MallocBytes(uint64_t bytes) {
  constexpr uint64_t kHeader = 8, kAlignment = 16, kLeast = 32;
  return std::max(kLeast, (bytes + kHeader + kAlignment - 1) / kAlignment * kAlignment);
}

/// Of a hash table that keeps no hashes: a node is a link and the value.
template <typename Map>
uint64_t TableBytes(const Map& map) {
  return map.bucket_count() * sizeof(void*) +
         map.size() * MallocBytes(sizeof(void*) + sizeof(typename Map::value_type));
}

}  // namespace

IndexSlot* StoreIndex::Find(const RecordKey& key) {
  const auto it = entries_.find(key);
  return it == entries_.end() ? nullptr : &*it;
}

IndexSlot* StoreIndex::FindOrAdd(const RecordKey& key) {
  const auto [it, added] = entries_.try_emplace(key);
  IndexSlot* const slot = &*it;
  if (added) {
    IndexSlot*& head = inodes_[key.inode];
    slot->second.inode_next = head;
    if (head != nullptr) {
      head->second.inode_prev = slot;
    }
    head = slot;
  }
  return slot;
}

void StoreIndex::SetQueued(IndexSlot* slot, StampHash stamp, Sequence sequence, uint32_t length) {
  LeaveSegment(slot);
  slot->second.stamp = stamp;
  slot->second.sequence = sequence;
  SetState(slot, IndexEntry::State::kQueued, length);
}

void StoreIndex::SetStored(IndexSlot* slot, SegmentId segment) {
  assert(segment != 0);
  IndexEntry& entry = slot->second;
  LeaveSegment(slot);
  SetState(slot, IndexEntry::State::kStored, entry.length);
  entry.on_disk = true;
  entry.segment = segment;
  IndexSlot*& head = segments_[segment];
  entry.segment_next = head;
  if (head != nullptr) {
    head->second.segment_prev = slot;
  }
  head = slot;
}

void StoreIndex::SetVoid(IndexSlot* slot) { SetState(slot, IndexEntry::State::kVoid, 0); }

void StoreIndex::Erase(IndexSlot* slot) {
  IndexEntry& entry = slot->second;
  LeaveSegment(slot);
  SetVoid(slot);  // for the counts
  if (entry.inode_next != nullptr) {
    entry.inode_next->second.inode_prev = entry.inode_prev;
  }
  if (entry.inode_prev != nullptr) {
    entry.inode_prev->second.inode_next = entry.inode_next;
  } else if (entry.inode_next != nullptr) {
    inodes_[slot->first.inode] = entry.inode_next;
  } else {
    inodes_.erase(slot->first.inode);
  }
  entries_.erase(RecordKey(slot->first));  // a copy: the key dies with its slot
}

std::vector<IndexSlot*> StoreIndex::OfInode(InodeId inode) {
  std::vector<IndexSlot*> slots;
  const auto it = inodes_.find(inode);
  for (IndexSlot* slot = it == inodes_.end() ? nullptr : it->second; slot != nullptr;
       slot = slot->second.inode_next) {
    slots.push_back(slot);
  }
  return slots;
}

bool StoreIndex::HasInode(InodeId inode) const {
  const auto it = inodes_.find(inode);
  const IndexSlot* slot = it == inodes_.end() ? nullptr : it->second;
  while (slot != nullptr && slot->second.state == IndexEntry::State::kVoid) slot = slot->second.inode_next;
  return slot != nullptr;
}

std::vector<IndexSlot*> StoreIndex::OfSegment(SegmentId segment) {
  std::vector<IndexSlot*> slots;
  const auto it = segments_.find(segment);
  for (IndexSlot* slot = it == segments_.end() ? nullptr : it->second; slot != nullptr;
       slot = slot->second.segment_next) {
    slots.push_back(slot);
  }
  return slots;
}

uint64_t StoreIndex::MemoryBytes() const {
  return TableBytes(entries_) + TableBytes(inodes_) + TableBytes(segments_);
}

void StoreIndex::SetState(IndexSlot* slot, IndexEntry::State state, uint32_t length) {
  IndexEntry& entry = slot->second;
  if (entry.state != IndexEntry::State::kVoid) {
    --records_;
    bytes_ -= entry.length;
  }
  entry.state = state;
  entry.length = length;
  if (state != IndexEntry::State::kVoid) {
    ++records_;
    bytes_ += length;
  }
}

void StoreIndex::LeaveSegment(IndexSlot* slot) {
  IndexEntry& entry = slot->second;
  if (entry.segment == 0) {
    return;
  }
  if (entry.segment_next != nullptr) {
    entry.segment_next->second.segment_prev = entry.segment_prev;
  }
  if (entry.segment_prev != nullptr) {
    entry.segment_prev->second.segment_next = entry.segment_next;
  } else if (entry.segment_next != nullptr) {
    segments_[entry.segment] = entry.segment_next;
  } else {
    segments_.erase(entry.segment);
  }
  entry.segment = 0;
  entry.segment_prev = nullptr;
  entry.segment_next = nullptr;
}

}  // namespace ocfsgw::cache
