#include <fmt/format.h>
#include <rocksdb/cache.h>
#include <rocksdb/db.h>
#include <rocksdb/env.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/table.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstring>
#include <list>
#include <mutex>
#include <thread>
#include <unordered_map>
#include <utility>

#include "base/checksum.h"
#include "base/ids.h"
#include "bench/cache_layout.h"
#include "bench/disk_watch.h"
#include "bench/latency_histogram.h"

namespace ocfsgw::bench {
namespace {

constexpr uint64_t kBlobBytesMin = 4096;
constexpr uint64_t kRecordOverhead = 64;  // key, blob header, reference in the tree
constexpr uint64_t kReserveSegments = 4;  // memtables under way, and what a compaction adds before it frees
constexpr double kBloomBitsPerKey = 10;
constexpr std::chrono::milliseconds kLookInterval(20);

rocksdb::Options OptionsFor(const LayoutOptions& options, const BlobSettings& settings) {
  rocksdb::Options db;
  db.create_if_missing = true;
  db.error_if_exists = true;
  db.compression = rocksdb::kNoCompression;
  // A flush makes a blob file, so that it is memtables that bound the size of one.
  db.write_buffer_size = SegmentBytes(options.cache_size);
  db.max_write_buffer_number = 3;
  db.max_background_jobs = 2;
  db.level0_file_num_compaction_trigger = settings.compaction_trigger;
  db.allow_fallocate = false;  // as for the page store: it would count as disk
  db.stats_dump_period_sec = 0;
  db.stats_persist_period_sec = 0;
  db.info_log_level = rocksdb::InfoLogLevel::FATAL_LEVEL;
  db.enable_blob_files = true;
  db.min_blob_size = kBlobBytesMin;
  db.blob_file_size = SegmentBytes(options.cache_size);
  db.enable_blob_garbage_collection = true;
  db.blob_garbage_collection_age_cutoff = settings.age_cutoff;
  db.blob_garbage_collection_force_threshold = settings.force_threshold;
  // The page store's block cache takes as much, while its index is small.
  const auto memory = rocksdb::NewLRUCache(options.memory_bytes / 4);
  db.blob_cache = memory;
  rocksdb::BlockBasedTableOptions table;
  table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(kBloomBitsPerKey));
  table.block_cache = memory;
  db.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  return db;
}

std::array<char, sizeof(LayoutKey)> Encode(const LayoutKey& key) {
  std::array<char, sizeof(LayoutKey)> bytes;
  std::memcpy(bytes.data(), &key, sizeof(key));
  return bytes;
}

/// The records that are live, next to go last. One thread reads and inserts; another looks at the disk,
/// and where collecting garbage does not keep within the quota, evicts more and compacts by hand until it
/// does. Puts have to wait for that (Busy).
class BlobLayout final : public CacheLayout {
 public:
  BlobLayout(rocksdb::DB* db, const LayoutOptions& options, const BlobSettings& settings)
      : options_(options), settings_(settings), db_(db), reclaimer_([this] { Reclaim(); }) {}

  ~BlobLayout() override {
    stop_ = true;
    reclaimer_.join();
  }

  bool Get(const LayoutKey& key, std::span<std::byte> into) override {
    const auto encoded = Encode(key);
    rocksdb::PinnableSlice value;
    if (!db_->Get(rocksdb::ReadOptions(), db_->DefaultColumnFamily(), {encoded.data(), encoded.size()},
                  &value)
             .ok()) {
      return false;
    }
    std::memcpy(into.data(), value.data(), std::min(value.size(), into.size()));
    const std::lock_guard lock(mutex_);
    const auto found = records_.find(key);
    if (settings_.lru && found != records_.end()) order_.splice(order_.begin(), order_, found->second);
    return true;
  }

  Inserted Put(const LayoutKey& key, std::shared_ptr<const std::string> bytes) override {
    const auto encoded = Encode(key);
    if (!db_->Put(Unlogged(), {encoded.data(), encoded.size()}, *bytes).ok()) return Inserted::kDropped;
    const uint64_t charge = bytes->size() + kRecordOverhead;
    inserted_bytes_ += bytes->size();
    {
      const std::lock_guard lock(mutex_);
      Remove(key);  // evicted in the index, and not yet in the database
      order_.push_front({key, charge});
      records_[key] = order_.begin();
      live_bytes_ += charge;
    }
    EvictDownTo(static_cast<uint64_t>(settings_.live_share * static_cast<double>(options_.cache_size)));
    return Inserted::kYes;
  }

  bool Busy() const override { return full_; }
  void Flush() override { (void)db_->Flush(rocksdb::FlushOptions()); }
  uint64_t evicted() const override { return evicted_bytes_; }
  uint64_t inserted_bytes() const override { return inserted_bytes_; }

  /// What was inserted and is not on the disk is what was given back: until that is as much as had been
  /// evicted. (Records in memtables count as given back, which makes this too short by what fills three.)
  SpaceBack SpaceBackOf(const std::vector<LayoutSample>& samples) const override {
    SpaceBack back;
    std::vector<double> times;
    size_t given = 0;
    for (size_t i = 1; i < samples.size(); ++i) {
      if (samples[i].evicted == samples[i - 1].evicted) continue;
      given = std::max(given, i);
      while (given < samples.size() &&
             samples[given].inserted_bytes < samples[given].disk_bytes + samples[i].evicted) {
        ++given;
      }
      back.ever = given < samples.size();
      times.push_back(samples[std::min(given, samples.size() - 1)].seconds - samples[i - 1].seconds);
      back.longest_seconds = std::max(back.longest_seconds, times.back());
      if (!back.ever) break;
    }
    back.median_seconds = Median(times);
    return back;
  }

 private:
  struct Record {
    LayoutKey key;
    uint64_t charge;
  };
  struct KeyHash {
    size_t operator()(const LayoutKey& key) const noexcept { return HashMix(key.file, key.block); }
  };

  static rocksdb::WriteOptions Unlogged() {
    rocksdb::WriteOptions options;
    options.disableWAL = true;
    return options;
  }

  // REQUIRES: mutex_ is held.
  void Remove(const LayoutKey& key) {
    const auto found = records_.find(key);
    if (found == records_.end()) return;
    live_bytes_ -= found->second->charge;
    order_.erase(found->second);
    records_.erase(found);
  }

  void EvictDownTo(uint64_t bytes) {
    for (;;) {
      Record victim;
      {
        const std::lock_guard lock(mutex_);
        if (live_bytes_ <= bytes || order_.empty()) return;
        victim = order_.back();
        Remove(victim.key);
      }
      const auto encoded = Encode(victim.key);
      (void)db_->Delete(Unlogged(), {encoded.data(), encoded.size()});
      evicted_bytes_ += victim.charge - kRecordOverhead;
    }
  }

  void Reclaim() {
    const uint64_t segment = SegmentBytes(options_.cache_size);
    while (!stop_) {
      full_ = DiskUse(options_.directory) + kReserveSegments * segment > options_.cache_size;
      if (!full_) {
        std::this_thread::sleep_for(kLookInterval);
        continue;
      }
      uint64_t live = 0;
      {
        const std::lock_guard lock(mutex_);
        live = live_bytes_;
      }
      EvictDownTo(live - std::min(live, segment));
      Flush();
      rocksdb::CompactRangeOptions compact;
      compact.exclusive_manual_compaction = false;
      compact.bottommost_level_compaction = rocksdb::BottommostLevelCompaction::kForce;
      (void)db_->CompactRange(compact, nullptr, nullptr);
    }
  }

  const LayoutOptions options_;
  const BlobSettings settings_;
  const std::unique_ptr<rocksdb::DB> db_;
  std::mutex mutex_;  // of the next three; a leaf
  std::list<Record> order_;
  std::unordered_map<LayoutKey, std::list<Record>::iterator, KeyHash> records_;
  uint64_t live_bytes_ = 0;
  std::atomic<uint64_t> evicted_bytes_ = 0;
  std::atomic<uint64_t> inserted_bytes_ = 0;
  std::atomic<bool> full_ = false;
  std::atomic<bool> stop_ = false;
  std::thread reclaimer_;
};

}  // namespace

Result<std::unique_ptr<CacheLayout>> OpenBlobLayout(const LayoutOptions& options,
                                                    const BlobSettings& settings) {
  rocksdb::DB* db = nullptr;
  const rocksdb::Status status =
      rocksdb::DB::Open(OptionsFor(options, settings), options.directory + "/store", &db);
  if (!status.ok()) return Status(StatusCode::kUnavailable, status.ToString());
  return std::unique_ptr<CacheLayout>(std::make_unique<BlobLayout>(db, options, settings));
}

}  // namespace ocfsgw::bench
