#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "cache/page_store.h"

namespace ocfsgw::cache {

/// What a policy remembers about one record: a word that the store keeps beside the record and does not
/// interpret (a visited bit for SIEVE, a frequency for S3-FIFO, a logical time for LRU, ...). After a crash
/// every record has the word 0.
using PolicyWord = uint32_t;

/// Says which records outlive the place they are stored in. A store evicts oldest first, in bulk; the policy
/// is asked about each record on its way out, and what it keeps is stored again as the youngest. State beyond
/// the words, such as ghost entries of what was evicted, is the policy's own.
///
/// Thread-compatible: the store calls it with its own mutex held. A policy therefore takes no lock, does no
/// I/O and answers in constant time.
class EvictionPolicy {
 public:
  virtual ~EvictionPolicy() = default;
  /// A record of `bytes` payload bytes was put (again) under `key`; returns its first word.
  virtual PolicyWord Inserted(const RecordKey& key, uint64_t bytes) = 0;
  /// As Inserted, for a record that the store does not have: nothing if it is not worth storing.
  virtual std::optional<PolicyWord> Offered(const RecordKey& key, uint64_t bytes) {
    return Inserted(key, bytes);
  }
  /// Whether Offered would surely store it; changes nothing. It may say no where that would.
  virtual bool WouldStore(const RecordKey& /*key*/) const { return true; }
  /// The record was read; returns its new word.
  virtual PolicyWord Touched(const RecordKey& key, PolicyWord word) = 0;
  /// The record is about to be evicted: its word for another round, or nothing to let it go. The store lets
  /// it go without asking when what may be kept is used up, and calls Gone unless it refuses what is not
  /// remembered.
  virtual std::optional<PolicyWord> Keep(const RecordKey& key, PolicyWord word) = 0;
  /// The record went although it was worth keeping: no room, or its inode was dropped.
  virtual void Gone(const RecordKey& /*key*/) {}
  /// The store is full with about as many records of the present sizes as `records` says. True if the policy
  /// begins anew and has to be told of all that is stored: Inserted, and Touched if its word is not 0.
  /// The one call that may allocate, and take time proportional to `records`.
  virtual bool SetCapacity(uint64_t /*records*/) { return false; }
  /// Bytes allocated for what is remembered beyond the words.
  virtual uint64_t MetadataBytes() const { return 0; }
  /// Everything that is remembered beyond the words, to survive a restart; empty if that is nothing.
  virtual std::string Serialize() const { return {}; }
  /// Becomes what was serialized. kInvalidArgument, and no change, for anything else.
  virtual Status Restore(std::string_view /*bytes*/) {
    return Status(StatusCode::kInvalidArgument, "the policy keeps nothing");
  }
};

/// MemoryPageStore: of what is evicted at a time, at most 1 / kKeptShareMax may be kept, so that evicting
/// always frees space, whatever the policy says. RocksdbPageStoreOptions::kept_share is the other store's.
inline constexpr uint64_t kKeptShareMax = 2;

}  // namespace ocfsgw::cache
