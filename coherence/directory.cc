#include "coherence/directory.h"

#include <algorithm>
#include <cstring>

namespace ocfsgw::coherence {
namespace {

template <typename T>
void Append(std::string& out, T value) {
  char bytes[sizeof value];
  std::memcpy(bytes, &value, sizeof value);
  out.append(bytes, sizeof value);
}

template <typename T>
bool Take(std::string_view& in, T& value) {
  if (in.size() < sizeof value) return false;
  std::memcpy(&value, in.data(), sizeof value);
  in.remove_prefix(sizeof value);
  return true;
}

}  // namespace

Listing::Listing(std::vector<DirectoryEntry> entries) : entries_(std::move(entries)) {
  index_.reserve(entries_.size());
  for (uint32_t i = 0; i < entries_.size(); ++i) {
    index_.emplace(entries_[i].name, i);
  }
}

const DirectoryEntry* Listing::Find(std::string_view name) const {
  const auto it = index_.find(name);
  return it == index_.end() ? nullptr : &entries_[it->second];
}

std::string Listing::Serialize() const {
  std::string out;
  Append(out, static_cast<uint32_t>(entries_.size()));
  for (const auto& entry : entries_) {
    Append(out, entry.ino);
    Append(out, entry.type);
    Append(out, uint8_t{0});
    Append(out, static_cast<uint16_t>(entry.name.size()));
    out += entry.name;
  }
  return out;
}

Result<std::shared_ptr<const Listing>> Listing::Parse(std::string_view bytes) {
  const Status corrupt(StatusCode::kCorrupt, "stored directory listing is damaged");
  uint32_t count = 0;
  if (!Take(bytes, count)) return corrupt;
  std::vector<DirectoryEntry> entries;
  for (uint32_t i = 0; i < count; ++i) {
    DirectoryEntry entry;
    uint8_t zero = 0;
    uint16_t length = 0;
    if (!Take(bytes, entry.ino) || !Take(bytes, entry.type) || !Take(bytes, zero) || !Take(bytes, length) ||
        bytes.size() < length) {
      return corrupt;
    }
    entry.name = bytes.substr(0, length);
    bytes.remove_prefix(length);
    entries.push_back(std::move(entry));
  }
  if (!bytes.empty()) return corrupt;
  return std::make_shared<const Listing>(std::move(entries));
}

Directory::Answer Directory::Find(const std::string& name) const {
  MutexLock lock(mutex_);
  if (listing_) {
    const DirectoryEntry* entry = listing_->Find(name);
    return {true, entry != nullptr, entry ? entry->ino : 0};
  }
  const auto it = singles_.find(name);
  if (it == singles_.end()) return {};
  return {true, it->second != 0, it->second};
}

std::shared_ptr<const Listing> Directory::listing() const {
  MutexLock lock(mutex_);
  return listing_;
}

void Directory::SetListing(std::shared_ptr<const Listing> listing) {
  MutexLock lock(mutex_);
  listing_ = std::move(listing);
  singles_.clear();
}

void Directory::AddName(const std::string& name, uint64_t ino) {
  MutexLock lock(mutex_);
  if (listing_) return;
  if (singles_.size() >= kSingleNamesMax) singles_.clear();
  singles_[name] = ino;
}

Directory::AheadOfWalk Directory::Ahead(const std::string& name) {
  AheadOfWalk ahead;
  MutexLock lock(mutex_);
  const DirectoryEntry* const entry = listing_ ? listing_->Find(name) : nullptr;
  if (entry == nullptr) return ahead;
  const auto& entries = listing_->entries();
  const auto at = static_cast<size_t>(entry - entries.data());
  in_order_ = at == next_ ? in_order_ + 1 : 1;
  next_ = at + 1;
  if (in_order_ == 1) {
    told_ = next_;
    if (walk_) walk_->End();  // also for what is queued
    walk_ = nullptr;
  }
  if (in_order_ < kWalkMin) return ahead;
  if (!walk_) walk_ = std::make_shared<Walk>();
  const bool reads = walk_->reads();
  told_ = reads && !told_to_read_ ? next_ : std::max(told_, next_);
  told_to_read_ = reads;
  const size_t end = std::min(entries.size(), next_ + std::min(4 * in_order_, kAheadMax));
  for (; told_ < end; ++told_) ahead.names.push_back(entries[told_].name);
  ahead.walk = walk_;
  return ahead;
}

bool Directory::ManyAsked() const {
  MutexLock lock(mutex_);
  return singles_.size() >= kSingleNamesMany;
}

NodeRef Directory::FindNode(uint64_t ino) const {
  MutexLock lock(mutex_);
  const auto it = nodes_.find(ino);
  return it == nodes_.end() ? nullptr : it->second;
}

void Directory::AddNode(const NodeRef& node) {
  MutexLock lock(mutex_);
  nodes_[node->id().ino] = node;
}

}  // namespace ocfsgw::coherence
