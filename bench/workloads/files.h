#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/status.h"
#include "bench/workloads/content.h"
#include "bench/workloads/operations.h"

namespace ocfsgw::bench {

/// A file that does not change: its content is KeyFor(seed, path).
struct SiteFile {
  std::string path;
  uint64_t bytes = 0;
};

/// Makes a directory and those above it; ones that exist are left.
Status MakeDirectories(Operations& ops, const std::string& path);
/// The directory of the file, and the file.
Status MakeFile(Operations& ops, const std::string& path, ContentKey key, uint64_t bytes);
Status MakeSite(Operations& ops, uint64_t seed, const std::vector<SiteFile>& files);

/// open, read in pieces of 64 KiB until the end, close. kCorrupt if size or content is not as expected.
Status ReadWhole(Operations& ops, const std::string& path, ContentKey key, uint64_t bytes);
/// kCorrupt if `bytes` are not what the file has at `offset`.
Status CheckContent(const Operations& ops, const std::string& path, ContentKey key, uint64_t offset,
                    std::span<const std::byte> bytes);
/// Reads `bytes` at `offset`, which must be there and right.
Status ReadPart(Operations& ops, const OpenedFile& file, ContentKey key, uint64_t offset, uint64_t bytes);

/// lstat of each leading part of `path` and of the file: what realpath(3), and PHP for an include, does.
Status StatEachComponent(Operations& ops, const SiteFile& file);

}  // namespace ocfsgw::bench
