#include "ocfs2-backend/lease_slots.h"

#include <algorithm>

namespace ocfsgw::ocfs2 {

using coherence::LeaseKey;

LeaseSlots::Slot* LeaseSlots::Find(LeaseKey key) {
  if (key.slot >= slots_.size()) return nullptr;
  Slot& slot = slots_[key.slot];
  return slot.used && slot.generation == key.generation ? &slot : nullptr;
}

LeaseKey LeaseSlots::Begin(InodeId inode) {
  MutexLock lock(mutex_);
  if (closed_) return {};
  if (free_.empty()) {
    free_.push_back(static_cast<uint32_t>(slots_.size()));
    slots_.emplace_back();
  }
  const uint32_t index = free_.back();
  free_.pop_back();
  Slot& slot = slots_[index];
  uint32_t generation = slot.generation + 1;
  if (generation == 0) generation = 1;  // 0 means "no lease"
  slot = {.inode = inode, .hold = nullptr, .generation = generation, .used = true};
  return {index, generation};
}

bool LeaseSlots::SetHold(LeaseKey key, std::shared_ptr<LeaseHold> hold) {
  MutexLock lock(mutex_);
  Slot* slot = Find(key);
  if (slot == nullptr || slot->recalled) return false;
  slot->hold = std::move(hold);
  return true;
}

std::shared_ptr<LeaseHold> LeaseSlots::GetHold(LeaseKey key) {
  MutexLock lock(mutex_);
  Slot* slot = Find(key);
  return slot == nullptr ? nullptr : slot->hold;
}

bool LeaseSlots::Finish(LeaseKey key) {
  MutexLock lock(mutex_);
  Slot* slot = Find(key);
  if (slot == nullptr || slot->recalled) return false;
  slot->held = true;
  return true;
}

bool LeaseSlots::Follow(LeaseKey key, LeaseKey leader) {
  MutexLock lock(mutex_);
  Slot* slot = Find(key);
  const Slot* first = Find(leader);
  if (slot == nullptr || slot->recalled) return false;
  if (first == nullptr || !first->held || first->recalled) return false;
  slot->hold = first->hold;
  slot->held = true;
  slot->leader = leader;
  Led& led = led_[leader];
  led.inode = first->inode;
  led.followers.insert(key);
  return true;
}

std::vector<LeaseKey> LeaseSlots::Followers(LeaseKey leader) const {
  MutexLock lock(mutex_);
  const auto it = led_.find(leader);
  if (it == led_.end()) return {};
  return {it->second.followers.begin(), it->second.followers.end()};
}

bool LeaseSlots::HasLeavingFollowers(InodeId inode) const {
  MutexLock lock(mutex_);
  return std::any_of(led_.begin(), led_.end(),
                     [&](const auto& led) { return led.second.inode == inode && led.second.recalled; });
}

std::optional<InodeId> LeaseSlots::Recall(LeaseKey key) {
  std::shared_ptr<LeaseHold> dropped;
  MutexLock lock(mutex_);  // released before `dropped` is destroyed
  if (const auto led = led_.find(key); led != led_.end()) led->second.recalled = true;
  Slot* slot = Find(key);
  if (slot == nullptr || slot->recalled) return std::nullopt;
  slot->recalled = true;
  if (slot->held) return slot->inode;
  dropped = std::move(slot->hold);
  return std::nullopt;
}

std::optional<InodeId> LeaseSlots::InodeOf(LeaseKey key) {
  MutexLock lock(mutex_);
  const Slot* slot = Find(key);
  return slot == nullptr ? std::nullopt : std::optional(slot->inode);
}

void LeaseSlots::Release(LeaseKey key) {
  std::shared_ptr<LeaseHold> dropped;
  MutexLock lock(mutex_);
  Slot* slot = Find(key);
  if (slot == nullptr) return;
  dropped = std::move(slot->hold);
  slot->used = false;
  if (const auto led = led_.find(slot->leader); led != led_.end()) {
    led->second.followers.erase(key);
    if (led->second.followers.empty()) led_.erase(led);
  }
  free_.push_back(key.slot);
}

void LeaseSlots::RecallAll() {
  std::vector<std::shared_ptr<LeaseHold>> dropped;
  MutexLock lock(mutex_);
  for (Slot& slot : slots_) {
    if (!slot.used) continue;
    slot.recalled = true;
    if (!slot.held) dropped.push_back(std::move(slot.hold));
  }
}

void LeaseSlots::Close() {
  std::vector<std::shared_ptr<LeaseHold>> dropped;
  MutexLock lock(mutex_);
  closed_ = true;
  for (Slot& slot : slots_) {
    slot.recalled = true;
    dropped.push_back(std::move(slot.hold));
  }
}

size_t LeaseSlots::used() const {
  MutexLock lock(mutex_);
  return slots_.size() - free_.size();
}

}  // namespace ocfsgw::ocfs2
