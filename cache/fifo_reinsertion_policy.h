#pragma once

#include "cache/eviction_policy.h"

namespace ocfsgw::cache {

/// FIFO with re-insertion (CLOCK): a record read since it was put or last kept is kept once more.
class FifoReinsertionPolicy final : public EvictionPolicy {
 public:
  PolicyWord Inserted(const RecordKey& key, uint64_t bytes) override;
  PolicyWord Touched(const RecordKey& key, PolicyWord word) override;
  std::optional<PolicyWord> Keep(const RecordKey& key, PolicyWord word) override;
};

}  // namespace ocfsgw::cache
