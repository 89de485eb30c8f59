#pragma once

#include <memory>
#include <string>

#include "cache/eviction_policy.h"
#include "cache/replacement_policy.h"

namespace ocfsgw::cache {

/// An EvictionPolicy made of a ReplacementPolicy: what that has resident is kept, and, if it knows what it
/// evicted (ReplacementPolicy::RemembersEvicted), only what it knows is worth storing once the store is full.
///
/// There is no ReplacementPolicy before the first SetCapacity, that is, before the store is full: until then
/// everything is stored, and the words say what was read. Metadata: that of the policy, allocated by
/// SetCapacity; two policies exist for the length of that call. Thread-compatible.
class ReplacementEviction final : public EvictionPolicy {
 public:
  /// REQUIRES: a `name` that MakeReplacementPolicy knows.
  explicit ReplacementEviction(std::string name, uint64_t seed = 0) : name_(std::move(name)), seed_(seed) {}

  PolicyWord Inserted(const RecordKey& key, uint64_t bytes) override;
  std::optional<PolicyWord> Offered(const RecordKey& key, uint64_t bytes) override;
  bool WouldStore(const RecordKey& key) const override;
  PolicyWord Touched(const RecordKey& key, PolicyWord word) override;
  std::optional<PolicyWord> Keep(const RecordKey& key, PolicyWord word) override;
  void Gone(const RecordKey& key) override;
  bool SetCapacity(uint64_t records) override;
  uint64_t MetadataBytes() const override { return policy_ == nullptr ? 0 : policy_->MetadataBytes(); }
  std::string Serialize() const override;
  Status Restore(std::string_view bytes) override;

 private:
  const std::string name_;
  const uint64_t seed_;
  uint64_t capacity_ = 0;  // of policy_, in records
  std::unique_ptr<ReplacementPolicy> policy_;
};

}  // namespace ocfsgw::cache
