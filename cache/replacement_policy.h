#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

namespace ocfsgw::cache {

/// Names an object for a policy: any value, for instance a hash of a RecordKey.
using ObjectId = uint64_t;

struct AccessOutcome {
  bool hit = false;
  std::optional<ObjectId> evicted;  ///< What had to go for the object; only on a miss.
};

/// Says which of many equal-size objects are resident, in a victim order of its own. Two users are meant:
///
/// - A simulator calls Access for each request of a trace and counts the hits.
/// - A store that evicts in bulk (segments) calls Access for each read and for each record put. An evicted
/// object is
///   not served any more; its space comes back with its segment. When a segment goes, the store asks
///   IsResident of each of its records and stores again those that are; one that it does not want to store
///   again (EvictionPolicy's kKeptShareMax) it gives to Remove. The capacity is then the number of records
///   that fit the quota less one segment in the making. An EvictionPolicy is made of this by Access in
///   Inserted and Touched, and IsResident in Keep.
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
