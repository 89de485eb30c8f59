#include <algorithm>
#include <utility>

#include "bench/cache_layout.h"
#include "bench/disk_watch.h"
#include "bench/latency_histogram.h"
#include "cache/rocksdb_page_store.h"

namespace ocfsgw::bench {
namespace {

class BlobLayout final : public CacheLayout {
 public:
  explicit BlobLayout(std::unique_ptr<cache::BlobCache> cache) : cache_(std::move(cache)) {}

  bool Get(const LayoutKey& key, std::span<std::byte> into) override { return cache_->Get(key, into); }
  Inserted Put(const LayoutKey& key, std::shared_ptr<const std::string> bytes) override {
    return cache_->Put(key, *bytes) ? Inserted::kYes : Inserted::kDropped;
  }
  bool Busy() const override { return cache_->full(); }
  void Flush() override { cache_->Flush(); }
  uint64_t evicted() const override { return cache_->evicted_bytes(); }
  uint64_t inserted_bytes() const override { return cache_->inserted_bytes(); }

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
  const std::unique_ptr<cache::BlobCache> cache_;
};

}  // namespace

Result<std::unique_ptr<CacheLayout>> OpenBlobLayout(const LayoutOptions& options,
                                                    cache::BlobCacheOptions settings) {
  settings.path = options.directory + "/store";
  settings.cache_size = options.cache_size;
  settings.file_bytes = cache::SegmentBytes(options.cache_size);
  settings.memory_bytes =
      options.memory_bytes / 4;  // as the page store's block cache while its index is small
  settings.disk_bytes = [directory = options.directory] { return DiskUse(directory); };
  OCFSGW_ASSIGN_OR_RETURN(auto made, cache::BlobCache::Create(std::move(settings)));
  return std::unique_ptr<CacheLayout>(std::make_unique<BlobLayout>(std::move(made)));
}

}  // namespace ocfsgw::bench
