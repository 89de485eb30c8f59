#pragma once

#include <rocksdb/cache.h>
#include <rocksdb/write_buffer_manager.h>

#include <cstdint>
#include <memory>

namespace ocfsgw::cache {

/// What RocksDB keeps in memory for a store: blocks and open tables in one cache, and memtables. Counted
/// across all databases that the store opens in its life. Thread-safe.
class StoreMemory {
 public:
  /// `block_cache_bytes`: 0 for no block cache; tables are not counted then. `memtable_bytes`: above 0.
  StoreMemory(uint64_t block_cache_bytes, uint64_t memtable_bytes);

  /// Null: none.
  const std::shared_ptr<rocksdb::Cache>& block_cache() const { return block_cache_; }
  const std::shared_ptr<rocksdb::WriteBufferManager>& memtables() const { return memtables_; }

  /// What the block cache may take from now on, in bytes; what is above it goes. No effect without one.
  void LimitBlockCache(uint64_t bytes);

  uint64_t block_cache_bytes() const;  ///< In use now, open tables included; 0 without a block cache.
  uint64_t memtable_bytes() const;     ///< In use now.

 private:
  const std::shared_ptr<rocksdb::Cache> block_cache_;
  const std::shared_ptr<rocksdb::WriteBufferManager> memtables_;
};

}  // namespace ocfsgw::cache
