#include "fusefs/name_table.h"

#include <algorithm>
#include <utility>

namespace ocfsgw::fusefs {

bool NameTable::Known::Has(NodeId child) const {
  return std::find(told.begin(), told.end(), child) != told.end();
}

bool NameTable::MayTrust(const Child& child) const {
  if (trust_ == TrustNames::kNone) return false;
  if (child.ino == kMissing || can_expire()) return true;
  return trust_ == TrustNames::kAll && !child.directory;
}

NameTable::Known* NameTable::Find(NodeId directory, const std::string& name) {
  const auto in = directories_.find(directory);
  if (in == directories_.end()) return nullptr;
  const auto it = in->second.names.find(name);
  return it == in->second.names.end() ? nullptr : &it->second;
}

void NameTable::NoteTold(NodeId directory, const std::string& name, Known& known, NodeId child) {
  if (child == kMissing) return;
  known.last_told = ++answers_;
  if (known.Has(child)) return;
  known.told.push_back(child);
  places_[child].push_back({directory, name});
}

void NameTable::SetTrusted(NodeId directory, Known& known, bool trusted) {
  if (known.trusted == trusted) return;
  known.trusted = trusted;
  directories_[directory].trusted += trusted ? 1 : -1;
  trusted_ += trusted ? 1 : -1;
}

NameTable::Known NameTable::Take(NodeId directory, const std::string& name) {
  Known* const known = Find(directory, name);
  if (known == nullptr) return {};
  Known removed = std::move(*known);
  Directory& in = directories_[directory];
  if (removed.trusted) --in.trusted, --trusted_;
  in.names.erase(name);
  return removed;
}

bool NameTable::Offer(NodeId directory, const std::string& name, const Child& child) {
  if (trust_ == TrustNames::kNone) return false;
  MutexLock lock(mutex_);
  Directory& in = directories_[directory];
  const bool full = in.trusted >= kTrustedMax || trusted_ >= kTrustedMountMax;
  const auto it = in.names.find(name);
  if (it == in.names.end()) {
    if (full || !MayTrust(child)) {
      if (child.ino != kMissing) NoteTold(directory, name, in.names[name], child.ino);
      return false;
    }
  } else {
    const Known& known = it->second;
    const bool revalidation = child.ino != kMissing && !child.listed && known.Has(child.ino);
    // Whoever asks may never work the answer in, so what is trusted stays on record until it is taken back.
    const bool other = known.trusted && known.trusted_child != child.ino;
    if (revalidation || other || !MayTrust(child) || (!known.trusted && full)) {
      NoteTold(directory, name, it->second, child.ino);
      return false;
    }
  }
  Known& known = in.names[name];
  NoteTold(directory, name, known, child.ino);
  SetTrusted(directory, known, true);
  known.trusted_child = child.ino;
  known.superseded = false;
  known.last_trust = ++answers_;
  return true;
}

void NameTable::Tell(NodeId directory, const std::string& name, NodeId child) {
  if (child == kMissing || trust_ == TrustNames::kNone) return;
  MutexLock lock(mutex_);
  NoteTold(directory, name, directories_[directory].names[name], child);
}

void NameTable::Change(NodeId directory, const std::string& name, NodeId child) {
  Tell(directory, name, child);
  MutexLock lock(mutex_);
  if (Known* const known = Find(directory, name)) known->superseded = true;
}

void NameTable::Move(NodeId from, const std::string& name, NodeId to, const std::string& new_name,
                     bool exchange) {
  const auto put = [this](NodeId directory, const std::string& at, Known known) REQUIRES(mutex_) {
    if (known.told.empty()) return;
    for (const NodeId child : known.told) places_[child].push_back({directory, at});
    if (known.trusted) ++directories_[directory].trusted, ++trusted_;
    known.last_trust = known.last_told = ++answers_;
    directories_[directory].names[at] = std::move(known);
  };
  MutexLock lock(mutex_);
  Known moved = Take(from, name);
  Known other = Take(to, new_name);
  put(to, new_name, std::move(moved));
  if (exchange) put(from, name, std::move(other));
}

bool NameTable::Trusted(NodeId directory, const std::string& name) {
  MutexLock lock(mutex_);
  const Known* const known = Find(directory, name);
  return known != nullptr && known->trusted;
}

std::vector<NameTable::Name> NameTable::TrustedIn(NodeId directory) const {
  std::vector<Name> trusted;
  MutexLock lock(mutex_);
  const auto in = directories_.find(directory);
  if (in == directories_.end()) return trusted;
  trusted.reserve(in->second.trusted);
  for (const auto& [name, known] : in->second.names) {
    if (known.trusted)
      trusted.push_back({name, known.trusted_child, known.last_trust, known.last_told, known.superseded});
  }
  return trusted;
}

void NameTable::TakenBack(NodeId directory, const Name& name, bool gone) {
  MutexLock lock(mutex_);
  Known* const known = Find(directory, name.name);
  if (known == nullptr || known->last_trust != name.trust) return;
  SetTrusted(directory, *known, false);
  if ((gone && known->last_told == name.told) || known->told.empty()) Take(directory, name.name);
}

bool NameTable::HasDirectory(NodeId directory) const {
  MutexLock lock(mutex_);
  return directories_.contains(directory);
}

std::vector<std::pair<NodeId, std::string>> NameTable::PlacesOf(NodeId ino) const {
  std::vector<std::pair<NodeId, std::string>> places;
  MutexLock lock(mutex_);
  const auto it = places_.find(ino);
  if (it == places_.end()) return places;
  for (const Place& place : it->second) places.emplace_back(place.directory, place.name);
  return places;
}

void NameTable::Forget(NodeId ino) {
  Directory dropped;  // destroyed outside of the mutex
  MutexLock lock(mutex_);
  if (const auto in = directories_.find(ino); in != directories_.end()) {
    dropped = std::move(in->second);
    trusted_ -= dropped.trusted;
    directories_.erase(in);
  }
  const auto it = places_.find(ino);
  if (it == places_.end()) return;
  const std::vector<Place> places = std::move(it->second);
  places_.erase(it);
  for (const Place& place : places) {
    Known* const known = Find(place.directory, place.name);
    if (known == nullptr) continue;
    std::erase(known->told, ino);
    if (known->trusted && known->trusted_child == ino) SetTrusted(place.directory, *known, false);
    if (known->told.empty() && !known->trusted) Take(place.directory, place.name);
  }
}

size_t NameTable::size() const {
  MutexLock lock(mutex_);
  size_t names = 0;
  for (const auto& [ino, directory] : directories_) names += directory.names.size();
  return names;
}

}  // namespace ocfsgw::fusefs
