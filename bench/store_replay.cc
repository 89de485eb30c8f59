#include "bench/store_replay.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <utility>

#include "bench/work_directory.h"
#include "cache/replacement_eviction.h"
#include "cache/rocksdb_page_store.h"

namespace ocfsgw::bench {
namespace {

constexpr uint64_t kObjectBytesMin = 4096;  // what the smallest record counts for in the store
constexpr uint64_t kRecordOverhead = 256;   // what a record counts for beyond its payload
constexpr uint64_t kSegments = 64;          // of a store that is not tiny
constexpr uint64_t kQuotaFor64Segments = 64ULL << 20;
constexpr size_t kFlushesPerSegment = 2;
constexpr StampHash kStamp(1);

cache::RecordKey KeyOf(uint32_t object) {
  return {InodeId{object + 1ULL, 1}, cache::RecordKind::kData, BlockIndex(0)};
}

Result<std::unique_ptr<cache::RocksdbPageStore>> OpenStore(const std::string& path, uint64_t quota,
                                                           const StoreReplayOptions& options) {
  OCFSGW_ASSIGN_OR_RETURN(auto directory, cache::StoreDirectory::Open(path));
  cache::RocksdbPageStoreOptions store;
  store.cache_size = quota;
  store.memory_bytes = 0;
  store.policy = std::make_unique<cache::ReplacementEviction>(options.policy, options.seed);
  store.admission = options.admission;
  store.kept_share = options.kept_share.value_or(store.kept_share);
  store.write_amplification_max = options.write_amplification_max.value_or(store.write_amplification_max);
  return cache::RocksdbPageStore::Open(std::move(directory), std::move(store));
}

}  // namespace

uint64_t StoreObjectBytes(size_t capacity) {
  return std::clamp<uint64_t>(kQuotaFor64Segments / std::max<size_t>(capacity, 1) + 1, kObjectBytesMin,
                              cache::kBlockBytes);
}

Result<std::optional<StoreReplayResult>> ReplayOnStore(const Trace& trace, const StoreReplayOptions& options,
                                                       const std::atomic<bool>& stop) {
  const uint64_t object_bytes =
      options.object_bytes == 0 ? StoreObjectBytes(options.capacity) : options.object_bytes;
  const uint64_t quota = options.capacity * object_bytes;
  if (object_bytes < kObjectBytesMin || object_bytes > cache::kBlockBytes) {
    return Status(StatusCode::kInvalidArgument,
                  fmt::format("{} bytes for an object; {} to {} are possible", object_bytes, kObjectBytesMin,
                              cache::kBlockBytes));
  }
  if (quota < cache::kCacheSizeMin) {
    return Status(StatusCode::kInvalidArgument,
                  fmt::format("{} objects of {} bytes are less than the page store's least quota, {} MiB",
                              options.capacity, object_bytes, cache::kCacheSizeMin >> 20));
  }
  OCFSGW_ASSIGN_OR_RETURN(const WorkDirectory scratch, WorkDirectory::MakeIn(options.directory));
  OCFSGW_ASSIGN_OR_RETURN(auto store, OpenStore(scratch.path() + "/store", quota, options));

  const auto payload = std::make_shared<const std::string>(object_bytes - kRecordOverhead, 'x');
  const size_t puts_per_flush =
      std::clamp<size_t>(options.capacity / kSegments / kFlushesPerSegment, 1, 1024);
  StoreReplayResult result;
  std::byte first;
  uint64_t put_bytes = 0;
  uint64_t written_bytes = 0;
  const auto add_counters = [&] {
    const cache::PageStoreStats stats = store->Stats();
    put_bytes += stats.put_bytes;
    written_bytes += stats.written_bytes;
    return stats.dropped_puts == 0 && stats.corrupt_records == 0 && !stats.degraded;
  };
  const Status failed(StatusCode::kUnavailable, "the page store failed during the replay");
  const auto begin = std::chrono::steady_clock::now();
  uint64_t refused = 0;  // when the store was flushed last
  size_t puts = 0;       // since
  for (size_t i = 0; i < trace.requests.size(); ++i) {
    if (stop) return std::optional<StoreReplayResult>();
    if (options.restart && i == trace.requests.size() / 2) {
      store->Flush();
      if (!add_counters()) return failed;
      store.reset();
      refused = 0;
      OCFSGW_ASSIGN_OR_RETURN(store, OpenStore(scratch.path() + "/store", quota, options));
    }
    const uint32_t object = trace.requests[i];
    if (store->Get(KeyOf(object), kStamp, 0, {&first, 1}).ok()) {
      for (Hits* hits : {&result.hits, &result.second_half}) {
        if (hits == &result.second_half && i < trace.requests.size() / 2) continue;
        ++hits->requests;
        hits->bytes += trace.object_bytes[object];
      }
      continue;
    }
    store->Put(KeyOf(object), kStamp, payload);
    if (++puts >= puts_per_flush) {
      const uint64_t refused_now = store->Stats().refused_puts;
      puts -= std::min<size_t>(puts, refused_now - refused);  // these need no waiting for
      refused = refused_now;
      if (puts >= puts_per_flush) {
        store->Flush();
        puts = 0;
      }
    }
  }
  store->Flush();
  if (!add_counters()) return failed;
  result.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  result.written_over_put =
      put_bytes == 0 ? 0 : static_cast<double>(written_bytes) / static_cast<double>(put_bytes);
  return std::optional(result);
}

}  // namespace ocfsgw::bench
