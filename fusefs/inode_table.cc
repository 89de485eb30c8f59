#include "fusefs/inode_table.h"

#include "fusefs/request.h"

namespace ocfsgw::fusefs {

InodeTable::InodeTable(coherence::InodePtr root, GrantTable* grants, uint32_t connection)
    : grants_(grants), connection_(connection) {
  MutexLock lock(mutex_);
  by_id_[root->id()] = FUSE_ROOT_ID;
  by_ino_[FUSE_ROOT_ID] = {std::move(root), 1, Guard(FUSE_ROOT_ID)};
}

coherence::InodePtr InodeTable::Get(fuse_ino_t ino) const {
  MutexLock lock(mutex_);
  const auto it = by_ino_.find(ino);
  return it == by_ino_.end() ? nullptr : it->second.inode;
}

fuse_entry_param InodeTable::Remember(const coherence::Entry& entry) {
  fuse_entry_param param{};
  param.attr = ToStat(entry.attr);
  param.attr_timeout = kNoTimeoutSeconds;
  param.entry_timeout = kNoTimeoutSeconds;
  MutexLock lock(mutex_);
  const auto [it, added] = by_id_.try_emplace(entry.inode->id(), next_);
  if (added) ++next_;
  param.ino = it->second;
  Known& known = by_ino_[param.ino];
  if (!known.inode) known = {entry.inode, 0, Guard(param.ino)};
  ++known.lookups;
  return param;
}

std::optional<InodeTable::Forgotten> InodeTable::Forget(fuse_ino_t ino, uint64_t lookups) {
  MutexLock lock(mutex_);
  const auto it = by_ino_.find(ino);
  if (it == by_ino_.end() || ino == FUSE_ROOT_ID) return std::nullopt;
  Known& known = it->second;
  known.lookups -= std::min(lookups, known.lookups);
  if (known.lookups > 0) return std::nullopt;
  Forgotten forgotten{std::move(known.inode), std::move(known.hold)};
  if (forgotten.hold) --holds_;
  if (grants_ != nullptr) grants_->Remove(known.slot);
  by_id_.erase(forgotten.inode->id());
  by_ino_.erase(it);
  return forgotten;
}

bool InodeTable::Keep(InodeId id, const std::shared_ptr<coherence::NodeHold>& hold) {
  MutexLock lock(mutex_);
  const auto known = by_id_.find(id);
  if (known == by_id_.end() || holds_ >= kHoldsMax) return false;
  auto& place = by_ino_[known->second].hold;
  if (place) return true;
  place = hold;
  ++holds_;
  return true;
}

std::optional<fuse_ino_t> InodeTable::IdOf(InodeId id) const {
  MutexLock lock(mutex_);
  const auto it = by_id_.find(id);
  if (it == by_id_.end()) return std::nullopt;
  return it->second;
}

bool InodeTable::Guarded(fuse_ino_t ino) const {
  MutexLock lock(mutex_);
  const auto it = by_ino_.find(ino);
  return it != by_ino_.end() && it->second.slot != GrantTable::kNone;
}

size_t InodeTable::size() const {
  MutexLock lock(mutex_);
  return by_ino_.size();
}

}  // namespace ocfsgw::fusefs
