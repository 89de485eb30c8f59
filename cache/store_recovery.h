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
/// aside. With `discard` any existing one is. Blocks on the disk. kUnavailable if it may work later: full
/// disk, I/O errors.
Result<OpenedStore> OpenOrCreateStore(const StoreDirectory& directory, VolumeId volume,
                                      const SegmentDbOptions& options, bool discard);

}  // namespace ocfsgw::cache
