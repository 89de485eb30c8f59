#include "cache/store_memory.h"

namespace ocfsgw::cache {

StoreMemory::StoreMemory(uint64_t block_cache_bytes, uint64_t memtable_bytes)
    : block_cache_(block_cache_bytes == 0 ? nullptr : rocksdb::NewLRUCache(block_cache_bytes)),
      memtables_(std::make_shared<rocksdb::WriteBufferManager>(memtable_bytes)) {}

void StoreMemory::LimitBlockCache(uint64_t bytes) {
  if (block_cache_ != nullptr && block_cache_->GetCapacity() != bytes) {
    block_cache_->SetCapacity(bytes);
  }
}

uint64_t StoreMemory::block_cache_bytes() const {
  return block_cache_ == nullptr ? 0 : block_cache_->GetUsage();
}

uint64_t StoreMemory::memtable_bytes() const { return memtables_->memory_usage(); }

}  // namespace ocfsgw::cache
