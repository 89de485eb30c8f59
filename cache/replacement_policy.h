#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace ocfsgw::cache {

/// Names an object for a policy: any value, for instance a hash of a RecordKey.
using ObjectId = uint64_t;

struct AccessOutcome {
  bool hit = false;
  std::optional<ObjectId> evicted;  ///< What had to go for the object; only on a miss.
  bool remembered = false;          ///< Only on a miss: the object went not long ago (RemembersEvicted).
};

/// Says which of many equal-size objects are resident, in a victim order of its own. Two users are meant:
///
/// - A simulator calls Access for each request of a trace and counts the hits.
/// - A store that evicts in bulk (segments) calls Access for each read and for each record put, by
///   ReplacementEviction. When a segment goes, it stores again what is resident, as far as there is room;
///   what is not stored again it gives to Remove. An evicted object is served as long as its segment is
///   there, which costs nothing: Access makes it resident again.
///
/// Thread-compatible: as with EvictionPolicy, the store holds its mutex. No I/O, no allocation after the
/// construction; amortized constant time for each call.
///
/// 1. At most `capacity` objects are resident. With capacity 0 nothing ever is, and every access is a miss.
/// 2. After Access the object is resident (unless the capacity is 0).
/// 3. What an access does depends on the calls before and the seed alone.
class ReplacementPolicy {
 public:
  virtual ~ReplacementPolicy() = default;
  virtual AccessOutcome Access(ObjectId id) = 0;
  virtual bool IsResident(ObjectId id) const = 0;
  /// The object is gone for a reason of its own (deleted, changed). No effect if it is not resident. What is
  /// remembered of objects that went before stays.
  virtual void Remove(ObjectId id) = 0;
  /// Number of resident objects.
  virtual size_t size() const = 0;
  /// Bytes of all tables that grow with the capacity: ids, links, hash index, counters and everything about
  /// objects that are not resident. Constant from construction on; leaves out the fixed size of the object
  /// itself.
  virtual size_t MetadataBytes() const = 0;
  /// Whether AccessOutcome::remembered is ever set.
  virtual bool RemembersEvicted() const { return false; }
  /// Everything that is remembered, to be kept across a restart; empty if the policy cannot.
  virtual std::string Serialize() const { return {}; }
  /// Becomes what was serialized. kInvalidArgument, and no change, unless `bytes` are of a policy of the same
  /// kind and capacity.
  virtual Status Restore(std::string_view /*bytes*/) {
    return Status(StatusCode::kInvalidArgument, "the policy keeps nothing across a restart");
  }
};

/// The names that MakeReplacementPolicy knows, in the order of tables.
const std::vector<std::string_view>& ReplacementPolicyNames();

/// The policy that is best without knowing the workload; docs/CACHE.md says how it was chosen.
inline constexpr std::string_view kDefaultReplacementPolicy = "alirs";

/// Capacity of the largest cache, in objects: slots are numbered in 32 bits, and ghosts need some too.
inline constexpr size_t kReplacementCapacityMax = 1U << 30;

/// Null for a name that is not known. Knows alirs-plain and
/// alirs-no-{lots,adaptation,correlation,reuse-limit, renewal} too, for measurements of what these bring
/// (AlirsOptions). REQUIRES: capacity (objects) <= kReplacementCapacityMax. `seed`: for policies that draw
/// lots.
std::unique_ptr<ReplacementPolicy> MakeReplacementPolicy(std::string_view name, size_t capacity,
                                                         uint64_t seed = 0);

}  // namespace ocfsgw::cache
