#pragma once

#include <cstdint>
#include <optional>

#include "cache/page_store.h"

namespace ocfsgw::cache {

/// What a policy remembers about one record: a word that the store keeps beside the record and does not
/// interpret (a visited bit for SIEVE, a frequency for S3-FIFO, a logical time for LRU, ...). Not persisted:
/// after a restart every record has the word that Inserted() gives.
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
  /// The record was read; returns its new word.
  virtual PolicyWord Touched(const RecordKey& key, PolicyWord word) = 0;
  /// The record is about to be evicted: its word for another round, or nothing to let it go. The store lets
  /// it go anyway once kKeptShareMax is used up.
  virtual std::optional<PolicyWord> Keep(const RecordKey& key, PolicyWord word) = 0;
};

/// Of what is evicted at a time (a segment), at most 1 / kKeptShareMax may be kept, so that evicting always
/// frees space, whatever the policy says.
inline constexpr uint64_t kKeptShareMax = 2;

}  // namespace ocfsgw::cache
