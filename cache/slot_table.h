#pragma once

#include <cassert>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "cache/replacement_policy.h"

namespace ocfsgw::cache {

inline constexpr uint32_t kNoSlot = UINT32_MAX;

/// Spreads an id over 64 bits: the finalizer of SplitMix64 (Steele, Lea, Flood, "Fast splittable pseudorandom
/// number generators", OOPSLA 2014).
constexpr uint64_t SpreadBits(uint64_t x) {
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
  x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
  return x ^ (x >> 31);
}

/// Maps the high half of `hash` to [0, n). REQUIRES: 0 < n <= 2^32.
constexpr size_t HashToRange(uint64_t hash, size_t n) { return ((hash >> 32) * n) >> 32; }

/// A doubly linked list through the slots of a SlotTable; a slot is on at most one.
struct SlotList {
  uint32_t front = kNoSlot;
  uint32_t back = kNoSlot;
  uint32_t size = 0;
};

/// A bounded set of objects for the policies: slots of id, list links and what else the policy keeps, and a
/// hash index with linear probing at a load of at most 4/5. Never allocates after construction.
/// Thread-compatible.
template <typename Extra>
class SlotTable {
 public:
  struct Slot : Extra {
    ObjectId id = 0;
    uint32_t prev = kNoSlot;  // towards the front
    uint32_t next = kNoSlot;  // towards the back; of a free slot: the next free one
  };

  /// REQUIRES: slots < 2^32 - 1.
  explicit SlotTable(size_t slots) : slots_(slots), index_(slots + slots / 4 + 1, kNoSlot) {
    for (size_t i = slots; i-- > 0;) {
      slots_[i].next = free_;
      free_ = static_cast<uint32_t>(i);
    }
  }

  Slot& operator[](uint32_t slot) { return slots_[slot]; }
  const Slot& operator[](uint32_t slot) const { return slots_[slot]; }
  size_t MetadataBytes() const { return slots_.size() * sizeof(Slot) + index_.size() * sizeof(uint32_t); }

  /// kNoSlot if it is not there.
  uint32_t Find(ObjectId id) const {
    for (size_t i = Home(id);; i = After(i)) {
      if (index_[i] == kNoSlot || slots_[index_[i]].id == id) return index_[i];
    }
  }
  /// REQUIRES: `id` is not there, a slot is free. The slot's Extra is as Extra() makes it.
  uint32_t Add(ObjectId id) {
    assert(free_ != kNoSlot);
    const uint32_t slot = free_;
    free_ = slots_[slot].next;
    slots_[slot] = Slot{};
    slots_[slot].id = id;
    size_t i = Home(id);
    while (index_[i] != kNoSlot) i = After(i);
    index_[i] = slot;
    return slot;
  }
  /// REQUIRES: in use, and on no list.
  void Erase(uint32_t slot) {
    size_t hole = Home(slots_[slot].id);
    while (index_[hole] != slot) hole = After(hole);
    // Entries behind the hole move up unless that would put them before their home (Knuth, TAOCP 3, 6.4 R).
    for (size_t i = After(hole); index_[i] != kNoSlot; i = After(i)) {
      if (Distance(Home(slots_[index_[i]].id), i) >= Distance(hole, i)) {
        index_[hole] = index_[i];
        hole = i;
      }
    }
    index_[hole] = kNoSlot;
    slots_[slot].next = free_;
    free_ = slot;
  }

  void PushFront(SlotList& list, uint32_t slot) {
    slots_[slot].prev = kNoSlot;
    slots_[slot].next = list.front;
    (list.front == kNoSlot ? list.back : slots_[list.front].prev) = slot;
    list.front = slot;
    ++list.size;
  }
  void Unlink(SlotList& list, uint32_t slot) {
    const Slot& s = slots_[slot];
    (s.prev == kNoSlot ? list.front : slots_[s.prev].next) = s.next;
    (s.next == kNoSlot ? list.back : slots_[s.next].prev) = s.prev;
    --list.size;
  }
  void MoveToFront(SlotList& list, uint32_t slot) {
    Unlink(list, slot);
    PushFront(list, slot);
  }
  /// Unlinks the last one and erases it. REQUIRES: the list is not empty.
  ObjectId PopBack(SlotList& list) {
    const uint32_t slot = list.back;
    Unlink(list, slot);
    Erase(slot);
    return slots_[slot].id;
  }

 private:
  size_t Home(ObjectId id) const { return HashToRange(SpreadBits(id), index_.size()); }
  size_t After(size_t i) const { return i + 1 == index_.size() ? 0 : i + 1; }
  size_t Distance(size_t from, size_t to) const { return to >= from ? to - from : to + index_.size() - from; }

  std::vector<Slot> slots_;
  std::vector<uint32_t> index_;  // slot numbers; kNoSlot: empty
  uint32_t free_ = kNoSlot;
};

}  // namespace ocfsgw::cache
