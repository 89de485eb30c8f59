#include "cache/store_slots.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <tuple>
#include <utility>
#include <vector>

#include "base/log.h"

namespace ocfsgw::cache {
namespace {

namespace fs = std::filesystem;

/// A scan is repeated when a slot has got another volume's database since: more often is no accident.
constexpr int kScansMax = 4;

enum class Content { kWarm, kNone, kForeign };

struct Candidate {
  Content content;
  int64_t rank = 0;  ///< Of those with such content, the least first.
  int number = 0;
  std::string path;
};

Content ContentOf(const std::string& path, VolumeId volume) {
  if (StoreDirectory::CheckFormatAt(path, volume).ok()) {
    return Content::kWarm;
  }
  return StoreDirectory::HasForeignDatabaseAt(path, volume) ? Content::kForeign : Content::kNone;
}

int64_t Rank(const Candidate& candidate, int preferred) {
  switch (candidate.content) {
    case Content::kWarm:
      return candidate.number == preferred ? INT64_MIN : -StoreDirectory::LastUseAt(candidate.path);
    case Content::kForeign:
      return StoreDirectory::LastUseAt(candidate.path);
    default:
      return 0;
  }
}

/// In the order in which they are to be tried. Others may take or leave them meanwhile.
std::vector<Candidate> Scan(const std::string& cache_dir, VolumeId volume, int preferred) {
  std::vector<Candidate> candidates;
  for (int number = 0; number < kSlotsMax; ++number) {
    Candidate candidate{Content::kNone, 0, number, fmt::format("{}/{}", cache_dir, number)};
    struct stat info;
    if (lstat(candidate.path.c_str(), &info) == 0 && !S_ISDIR(info.st_mode)) {
      continue;  // not a slot
    }
    candidate.content = ContentOf(candidate.path, volume);
    candidate.rank = Rank(candidate, preferred);
    candidates.push_back(std::move(candidate));
  }
  std::sort(candidates.begin(), candidates.end(), [](const Candidate& a, const Candidate& b) {
    return std::tie(a.content, a.rank, a.number) < std::tie(b.content, b.rank, b.number);
  });
  return candidates;
}

void CreateCacheDirectory(const std::string& cache_dir) {
  std::error_code ignored;  // who needs it sees that it is not there
  fs::create_directories(fs::path(cache_dir).parent_path(), ignored);
  mkdir(cache_dir.c_str(), S_IRWXU);
}

void WarnOfUnslottedDatabase(const std::string& cache_dir) {
  const std::string database = cache_dir + "/store";
  struct stat info;
  if (lstat((database + "/CURRENT").c_str(), &info) == 0) {
    log::Warning("{} is a page store of an earlier version: it is not used, and can be deleted", database);
  }
}

}  // namespace

Result<StoreSlot> TakeSlot(const std::string& cache_dir, VolumeId volume, int preferred) {
  CreateCacheDirectory(cache_dir);
  WarnOfUnslottedDatabase(cache_dir);
  Status refusal(StatusCode::kBusy,
                 fmt::format("all {} slots of the cache directory {} are in use: give this mount another one",
                             kSlotsMax, cache_dir));
  for (int scan = 0; scan < kScansMax; ++scan) {
    bool changed = false;
    for (const Candidate& candidate : Scan(cache_dir, volume, preferred)) {
      // After an error there may be an unused number that only cannot be had now.
      if (candidate.content == Content::kForeign && !refusal.Is(StatusCode::kBusy)) {
        break;
      }
      auto directory = StoreDirectory::Open(candidate.path);
      if (!directory.ok()) {
        if (refusal.Is(StatusCode::kBusy) && !directory.status().Is(StatusCode::kBusy)) {
          refusal = directory.status();
        }
        continue;
      }
      // Another gateway may have used it since the scan, and ended.
      if (candidate.content != Content::kForeign && ContentOf(candidate.path, volume) == Content::kForeign) {
        changed = true;
        continue;
      }
      return StoreSlot{candidate.number, std::move(*directory)};
    }
    if (!changed) {
      break;
    }
  }
  return refusal;
}

}  // namespace ocfsgw::cache
