#include "cache/replacement_eviction.h"

#include <algorithm>

#include "cache/state_bytes.h"

namespace ocfsgw::cache {
namespace {

constexpr PolicyWord kUnread = 0;
constexpr PolicyWord kRead = 1;

/// A policy is made anew when the wanted capacity is so many percent of its own, or so many more.
constexpr uint64_t kCapacityPercentMin = 80;
constexpr uint64_t kCapacityPercentMax = 125;

/// Two records with the same id would share their fate, nothing worse.
ObjectId IdOf(const RecordKey& key) {
  return HashMix(std::hash<InodeId>{}(key.inode), (key.index.value << 8) | static_cast<uint8_t>(key.kind));
}

}  // namespace

PolicyWord ReplacementEviction::Inserted(const RecordKey& key, uint64_t /*bytes*/) {
  if (policy_ != nullptr) {
    policy_->Access(IdOf(key));
  }
  return kUnread;
}

/// A miss of what is resident: it was asked for a short time ago, and refused.
std::optional<PolicyWord> ReplacementEviction::Offered(const RecordKey& key, uint64_t /*bytes*/) {
  if (policy_ != nullptr) {
    const AccessOutcome outcome = policy_->Access(IdOf(key));
    // All but file data is small, and saves more than its own reading.
    if (policy_->RemembersEvicted() && !outcome.hit && !outcome.remembered && key.kind == RecordKind::kData) {
      return std::nullopt;
    }
  }
  return kUnread;
}

bool ReplacementEviction::WouldStore(const RecordKey& key) const {
  return policy_ == nullptr || !policy_->RemembersEvicted() || policy_->IsResident(IdOf(key)) ||
         key.kind != RecordKind::kData;
}

PolicyWord ReplacementEviction::Touched(const RecordKey& key, PolicyWord /*word*/) {
  if (policy_ != nullptr) {
    policy_->Access(IdOf(key));
  }
  return kRead;
}

std::optional<PolicyWord> ReplacementEviction::Keep(const RecordKey& key, PolicyWord word) {
  const bool keep = policy_ != nullptr ? policy_->IsResident(IdOf(key)) : word == kRead;
  return keep ? std::optional(kUnread) : std::nullopt;
}

void ReplacementEviction::Gone(const RecordKey& key) {
  if (policy_ != nullptr) {
    policy_->Remove(IdOf(key));
  }
}

bool ReplacementEviction::SetCapacity(uint64_t records) {
  records = std::clamp<uint64_t>(records, 1, kReplacementCapacityMax);
  if (policy_ != nullptr && records * 100 >= capacity_ * kCapacityPercentMin &&
      records * 100 <= capacity_ * kCapacityPercentMax) {
    return false;
  }
  capacity_ = records;
  policy_ = MakeReplacementPolicy(name_, capacity_, seed_);
  return true;
}

std::string ReplacementEviction::Serialize() const {
  const std::string policy = policy_ == nullptr ? "" : policy_->Serialize();
  std::string out;
  if (!policy.empty()) {
    AppendState(out, capacity_);
  }
  return out + policy;
}

Status ReplacementEviction::Restore(std::string_view bytes) {
  StateReader reader{bytes};
  uint64_t capacity = 0;
  if (!reader.Take(capacity)) {
    return Status(StatusCode::kInvalidArgument, "not the state of a policy");
  }
  // Every policy that can be restored has a byte or more for each record.
  if (capacity == 0 || capacity > std::min<uint64_t>(reader.rest.size(), kReplacementCapacityMax)) {
    return Status(StatusCode::kInvalidArgument, "the capacity makes no sense");
  }
  auto policy = MakeReplacementPolicy(name_, capacity, seed_);
  OCFSGW_RETURN_IF_ERROR(policy->Restore(reader.rest));
  capacity_ = capacity;
  policy_ = std::move(policy);
  return Status::Ok();
}

}  // namespace ocfsgw::cache
