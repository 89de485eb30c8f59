#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/status.h"
#include "cache/blob_cache.h"

namespace ocfsgw::bench {

using LayoutKey = cache::BlobKey;

/// A look at a cache from outside, and at how far its evictions have come.
struct LayoutSample {
  double seconds = 0;           ///< Since the watch began.
  uint64_t disk_bytes = 0;      ///< As du counts.
  uint64_t evicted = 0;         ///< CacheLayout::evicted() just before disk_bytes was taken.
  uint64_t inserted_bytes = 0;  ///< CacheLayout::inserted_bytes(), likewise.
};

/// How long it takes until the disk shows what was evicted. Sampling makes both up to one interval too long.
struct SpaceBack {
  double median_seconds = 0;
  double longest_seconds = 0;
  bool ever = true;  ///< False: at the end of the run something was not back yet.
};

enum class Inserted { kYes, kRefused, kDropped };

/// A cache on disk to be compared with others. Calls come from one thread, evicted() and inserted_bytes()
/// also from another.
class CacheLayout {
 public:
  virtual ~CacheLayout() = default;

  /// Whether the record was there; `into` has room for kBlockBytes.
  virtual bool Get(const LayoutKey& key, std::span<std::byte> into) = 0;
  virtual Inserted Put(const LayoutKey& key, std::shared_ptr<const std::string> bytes) = 0;
  /// A Put now would be dropped, or wait: there is no room in a queue or on the disk.
  virtual bool Busy() const = 0;
  /// Until everything is written.
  virtual void Flush() = 0;

  /// Grows when the layout has decided what goes; in units that SpaceBackOf knows.
  virtual uint64_t evicted() const = 0;
  /// Bytes of all records put and not refused.
  virtual uint64_t inserted_bytes() const = 0;
  virtual SpaceBack SpaceBackOf(const std::vector<LayoutSample>& samples) const = 0;
};

struct LayoutOptions {
  std::string directory;  ///< An existing one, empty: all that the layout writes is below it.
  uint64_t cache_size = 0;
  uint64_t memory_bytes = 0;  ///< As `memory=` of a mount.
};

/// RocksdbPageStore with the options that a mount gives it. The errors of its Open.
Result<std::unique_ptr<CacheLayout>> OpenSegmentLayout(const LayoutOptions& options, bool admission);

/// BlobCache; what `settings` has of the place and of sizes is taken from `options`. No admission. The errors
/// of its Create.
Result<std::unique_ptr<CacheLayout>> OpenBlobLayout(const LayoutOptions& options,
                                                    cache::BlobCacheOptions settings);

}  // namespace ocfsgw::bench
