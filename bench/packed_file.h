#pragma once

#include <atomic>
#include <functional>
#include <string>
#include <string_view>

#include "base/status.h"

namespace ocfsgw::bench {

/// Hands the content of a file, unpacked if it is compressed (gzip, xz, zstd; told from its content), to
/// `take` in pieces of up to 256 KiB; the first is smaller only if it is all. Errors are one line and begin
/// with the path: kSystem or kCorrupt for what cannot be read or unpacked, kInvalidArgument for an empty
/// file, kShutdown when `stop` was set meanwhile, else what `take` returned.
Status ReadPackedFile(const std::string& path, const std::atomic<bool>& stop,
                      const std::function<Status(std::string_view)>& take);

}  // namespace ocfsgw::bench
