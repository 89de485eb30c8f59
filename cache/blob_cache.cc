#include "cache/blob_cache.h"

#include <rocksdb/cache.h>
#include <rocksdb/db.h>
#include <rocksdb/env.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/table.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstring>
#include <utility>

namespace ocfsgw::cache {
namespace {

constexpr uint64_t kBlobBytesMin = 4096;
constexpr uint64_t kRecordOverhead = 64;  // key, blob header, reference in the tree
constexpr uint64_t kReserveFiles = 4;     // memtables under way, and what a compaction adds before it frees
constexpr double kBloomBitsPerKey = 10;
constexpr std::chrono::milliseconds kLookInterval(20);

rocksdb::Options OptionsFor(const BlobCacheOptions& options) {
  rocksdb::Options db;
  db.create_if_missing = true;
  db.error_if_exists = true;
  db.compression = rocksdb::kNoCompression;
  // A flush makes a blob file, so that it is memtables that bound the size of one.
  db.write_buffer_size = options.file_bytes;
  db.max_write_buffer_number = 3;
  db.max_background_jobs = 2;
  db.level0_file_num_compaction_trigger = options.compaction_trigger;
  db.allow_fallocate = false;  // as for the page store: it would count as disk
  db.stats_dump_period_sec = 0;
  db.stats_persist_period_sec = 0;
  db.info_log_level = rocksdb::InfoLogLevel::FATAL_LEVEL;
  db.enable_blob_files = true;
  db.min_blob_size = kBlobBytesMin;
  db.blob_file_size = options.file_bytes;
  db.enable_blob_garbage_collection = true;
  db.blob_garbage_collection_age_cutoff = options.age_cutoff;
  db.blob_garbage_collection_force_threshold = options.force_threshold;
  const auto memory = rocksdb::NewLRUCache(options.memory_bytes);
  db.blob_cache = memory;
  rocksdb::BlockBasedTableOptions table;
  table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(kBloomBitsPerKey));
  table.block_cache = memory;
  db.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  return db;
}

std::array<char, sizeof(BlobKey)> Encode(const BlobKey& key) {
  std::array<char, sizeof(BlobKey)> bytes;
  std::memcpy(bytes.data(), &key, sizeof(key));
  return bytes;
}

rocksdb::WriteOptions Unlogged() {
  rocksdb::WriteOptions options;
  options.disableWAL = true;
  return options;
}

}  // namespace

Result<std::unique_ptr<BlobCache>> BlobCache::Create(BlobCacheOptions options) {
  rocksdb::DB* db = nullptr;
  const rocksdb::Status status = rocksdb::DB::Open(OptionsFor(options), options.path, &db);
  if (!status.ok()) return Status(StatusCode::kUnavailable, status.ToString());
  return std::unique_ptr<BlobCache>(new BlobCache(std::move(options), db));
}

BlobCache::BlobCache(BlobCacheOptions options, rocksdb::DB* db)
    : options_(std::move(options)), db_(db), reclaimer_([this] { Reclaim(); }) {}

BlobCache::~BlobCache() {
  stop_ = true;
  reclaimer_.join();
}

bool BlobCache::Get(const BlobKey& key, std::span<std::byte> into) {
  const auto encoded = Encode(key);
  rocksdb::PinnableSlice value;
  if (!db_->Get(rocksdb::ReadOptions(), db_->DefaultColumnFamily(), {encoded.data(), encoded.size()}, &value)
           .ok()) {
    return false;
  }
  std::memcpy(into.data(), value.data(), std::min(value.size(), into.size()));
  MutexLock lock(mutex_);
  const auto found = records_.find(key);
  if (options_.lru && found != records_.end()) order_.splice(order_.begin(), order_, found->second);
  return true;
}

bool BlobCache::Put(const BlobKey& key, std::string_view bytes) {
  const auto encoded = Encode(key);
  if (!db_->Put(Unlogged(), {encoded.data(), encoded.size()}, bytes).ok()) return false;
  const uint64_t charge = bytes.size() + kRecordOverhead;
  inserted_bytes_ += bytes.size();
  {
    MutexLock lock(mutex_);
    Remove(key);
    order_.push_front({key, charge});
    records_[key] = order_.begin();
    live_bytes_ += charge;
  }
  EvictDownTo(static_cast<uint64_t>(options_.live_share * static_cast<double>(options_.cache_size)));
  return true;
}

void BlobCache::Flush() { (void)db_->Flush(rocksdb::FlushOptions()); }

void BlobCache::Remove(const BlobKey& key) {
  const auto found = records_.find(key);
  if (found == records_.end()) return;
  live_bytes_ -= found->second->charge;
  order_.erase(found->second);
  records_.erase(found);
}

void BlobCache::EvictDownTo(uint64_t bytes) {
  for (;;) {
    Record victim;
    {
      MutexLock lock(mutex_);
      if (live_bytes_ <= bytes || order_.empty()) return;
      victim = order_.back();
      Remove(victim.key);
    }
    const auto encoded = Encode(victim.key);
    (void)db_->Delete(Unlogged(), {encoded.data(), encoded.size()});
    evicted_bytes_ += victim.charge - kRecordOverhead;
  }
}

void BlobCache::Reclaim() {
  while (!stop_) {
    full_ = options_.disk_bytes() + kReserveFiles * options_.file_bytes > options_.cache_size;
    if (!full_) {
      std::this_thread::sleep_for(kLookInterval);
      continue;
    }
    uint64_t live = 0;
    {
      MutexLock lock(mutex_);
      live = live_bytes_;
    }
    EvictDownTo(live - std::min(live, options_.file_bytes));
    Flush();
    rocksdb::CompactRangeOptions compact;
    compact.exclusive_manual_compaction = false;
    compact.bottommost_level_compaction = rocksdb::BottommostLevelCompaction::kForce;
    (void)db_->CompactRange(compact, nullptr, nullptr);
  }
}

}  // namespace ocfsgw::cache
