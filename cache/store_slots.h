#pragma once

#include <string>

#include "base/ids.h"
#include "base/status.h"
#include "cache/store_directory.h"

namespace ocfsgw::cache {

/// Most gateways that share a cache directory.
inline constexpr int kSlotsMax = 64;

/// One of the numbered subdirectories of a cache directory, `<cache_dir>/0` to `<cache_dir>/63`.
struct StoreSlot {
  int number = -1;
  StoreDirectory directory;
};

/// Takes a slot that nobody has, the first to be had in this order:
///
/// | slot                                           | of several                               |
/// |------------------------------------------------|------------------------------------------|
/// | with a database of `volume`, in our format     | `preferred`, the one used most recently  |
/// | without one that is anybody's, or no slot      | the lowest number                        |
/// | with a foreign database                        | the one not used for longest             |
///
/// One of the last kind, whose database is to be set aside, is taken only when all others are in use: not
/// when one of them could not be opened or made.
///
/// Processes that choose at once need no lock but those of the slots: who does not get one tries the next.
/// What else is in `cache_dir` is left alone; a database right in it, as there was before there were slots,
/// is warned of. `cache_dir` is created if missing (its missing parents too; mode 0700). Blocks on the disk.
///
/// `preferred`: a number, or -1. kBusy if all slots are in use; kSystem if none can be made or opened.
Result<StoreSlot> TakeSlot(const std::string& cache_dir, VolumeId volume, int preferred);

}  // namespace ocfsgw::cache
