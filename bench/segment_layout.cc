#include <algorithm>
#include <atomic>
#include <utility>

#include "bench/cache_layout.h"
#include "bench/latency_histogram.h"
#include "cache/rocksdb_page_store.h"

namespace ocfsgw::bench {
namespace {

constexpr StampHash kStamp(1);

class SegmentLayout final : public CacheLayout {
 public:
  SegmentLayout(std::unique_ptr<cache::RocksdbPageStore> store, uint64_t cache_size, uint64_t queue_bytes_max)
      : store_(std::move(store)),
        segment_bytes_(cache::SegmentBytes(cache_size)),
        queue_bytes_max_(queue_bytes_max) {}

  bool Get(const LayoutKey& key, std::span<std::byte> into) override {
    return store_->Get(KeyOf(key), kStamp, 0, into).ok();
  }

  Inserted Put(const LayoutKey& key, std::shared_ptr<const std::string> bytes) override {
    const uint64_t length = bytes->size();
    store_->Put(KeyOf(key), kStamp, std::move(bytes));
    const cache::PageStoreStats stats = store_->Stats();
    if (std::exchange(dropped_puts_, stats.dropped_puts) != stats.dropped_puts) return Inserted::kDropped;
    if (std::exchange(refused_puts_, stats.refused_puts) != stats.refused_puts) return Inserted::kRefused;
    inserted_bytes_ += length;
    return Inserted::kYes;
  }

  bool Busy() const override { return store_->Stats().memory.queue > queue_bytes_max_ / 2; }
  void Flush() override { store_->Flush(); }
  uint64_t evicted() const override { return store_->Stats().evicted_records; }
  uint64_t inserted_bytes() const override { return inserted_bytes_; }

  /// From the last look before records were evicted until the first one after which the disk had fallen by
  /// more than half a segment: a dropped one, less what was written between two looks. A segment of which
  /// all is kept is not seen.
  SpaceBack SpaceBackOf(const std::vector<LayoutSample>& samples) const override {
    SpaceBack back;
    std::vector<double> times;
    bool pending = false;
    double since = 0;
    uint64_t peak = 0;
    for (size_t i = 1; i < samples.size(); ++i) {
      if (!pending && samples[i].evicted != samples[i - 1].evicted) {
        pending = true;
        since = samples[i - 1].seconds;
        peak = samples[i - 1].disk_bytes;
      }
      if (!pending) continue;
      peak = std::max(peak, samples[i].disk_bytes);
      if (samples[i].disk_bytes + segment_bytes_ / 2 < peak) {
        pending = false;
        times.push_back(samples[i].seconds - since);
      }
    }
    if (pending) times.push_back(samples.back().seconds - since);
    back.ever = !pending;
    back.median_seconds = Median(times);
    for (const double time : times) back.longest_seconds = std::max(back.longest_seconds, time);
    return back;
  }

 private:
  static cache::RecordKey KeyOf(const LayoutKey& key) {
    return {InodeId{key.file + 1, 1}, cache::RecordKind::kData, BlockIndex(key.block)};
  }

  const std::unique_ptr<cache::RocksdbPageStore> store_;
  const uint64_t segment_bytes_;
  const uint64_t queue_bytes_max_;
  uint64_t dropped_puts_ = 0;
  uint64_t refused_puts_ = 0;
  std::atomic<uint64_t> inserted_bytes_ = 0;
};

}  // namespace

Result<std::unique_ptr<CacheLayout>> OpenSegmentLayout(const LayoutOptions& options, bool admission) {
  OCFSGW_ASSIGN_OR_RETURN(auto directory, cache::StoreDirectory::Open(options.directory));
  cache::RocksdbPageStoreOptions store;
  store.cache_size = options.cache_size;
  store.admission = admission;
  cache::ShareMemory(options.memory_bytes, &store);
  const uint64_t queue_bytes_max = store.queue_bytes_max;
  OCFSGW_ASSIGN_OR_RETURN(auto opened, cache::RocksdbPageStore::Open(std::move(directory), std::move(store)));
  return std::unique_ptr<CacheLayout>(
      std::make_unique<SegmentLayout>(std::move(opened), options.cache_size, queue_bytes_max));
}

}  // namespace ocfsgw::bench
