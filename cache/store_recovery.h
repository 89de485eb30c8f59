#pragma once

#include <memory>

#include "base/status.h"
#include "cache/segment_db.h"
#include "cache/store_directory.h"
#include "cache/store_index.h"

namespace ocfsgw::cache {

/// A database ready for use, and what was found in it.
struct OpenedStore {
  std::shared_ptr<SegmentDb> db;
  SegmentDb::Segments segments;  ///< Oldest first.
  StoreIndex index;
  Sequence last_sequence = 0;
  uint64_t youngest_bytes = 0;  ///< What the youngest segment is charged with.
};

/// Opens the database in `directory` and rebuilds the index, or makes a new one; one that is unusable is set
/// aside. With `discard` any existing one is. What the index has no room for in `index_bytes_max` is dropped,
/// the oldest segments first. Blocks on the disk. If it may work later: kSystem when an
/// existing one cannot be read, kUnavailable for everything else, a full disk above all.
Result<OpenedStore> OpenOrCreateStore(const StoreDirectory& directory, VolumeId volume,
                                      const SegmentDbOptions& options, uint64_t index_bytes_max,
                                      bool discard);

/// Has every OpenOrCreateStore() set the database aside until ShowDatabase(): it has what was dropped, and no
/// room or disk for the tombstones. A rename, which needs no space. Errors are for nothing but the log.
Status HideDatabase(const StoreDirectory& directory);
void ShowDatabase(const StoreDirectory& directory);

}  // namespace ocfsgw::cache
