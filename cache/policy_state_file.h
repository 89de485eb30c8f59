#pragma once

#include <string>
#include <string_view>

#include "cache/store_directory.h"

namespace ocfsgw::cache {

/// What StoreWriter::SavePolicy makes of an EvictionPolicy's state and words, in the file POLICY beside the
/// database's own: a checksum (XXH3, 8 bytes) and the bytes. It counts for the quota, and goes where the
/// database goes. Both calls block on the disk.
///
/// Writes it, unless the database would take more than `cache_size` bytes of disk with it. kSystem on
/// failure; then there is no file.
Status SavePolicyState(const StoreDirectory& directory, uint64_t cache_size, std::string_view state);

/// Reads and deletes it: it is true only until the store is used again. Empty if there is none, or if it is
/// damaged.
std::string TakePolicyState(const StoreDirectory& directory);

}  // namespace ocfsgw::cache
