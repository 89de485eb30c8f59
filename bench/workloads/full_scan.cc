// A backup or a search: everything is listed, lstat'ed and read once.
//
// Source: 1970 files, as in the measurement of `ls -l` on GFS in linux-cluster 2011-Mar/019707. Ten
// directories and sizes of 1 to 8 KiB are chosen.
#include <fmt/format.h>

#include "bench/workloads/files.h"
#include "bench/workloads/workload.h"

namespace ocfsgw::bench {
namespace {

constexpr size_t kDirectories = 10;
constexpr size_t kFilesInEach = 197;

class FullScan : public Workload {
 public:
  explicit FullScan(uint64_t seed) : seed_(seed) {
    Random random(seed);
    for (size_t i = 0; i < kDirectories; ++i) {
      for (size_t j = 0; j < kFilesInEach; ++j) {
        files_.push_back({fmt::format("data/d{}/f{:03}", i, j), 1024 + random.Below(7 * 1024)});
      }
    }
  }

  Status Prepare(Operations& ops) override { return MakeSite(ops, seed_, files_); }

  Status Round(Operations& ops, unsigned, uint64_t) override {
    for (size_t i = 0; i < kDirectories; ++i) {
      const std::string directory = fmt::format("data/d{}", i);
      OCFSGW_ASSIGN_OR_RETURN(const std::vector<std::string> names, ops.List(directory));
      const SiteFile* const files = &files_[i * kFilesInEach];
      if (names.size() != kFilesInEach) {
        return ops.Wrong(directory, fmt::format("{} names, not {}", names.size(), kFilesInEach));
      }
      for (size_t j = 0; j < kFilesInEach; ++j) {
        if (directory + "/" + names[j] != files[j].path) return ops.Wrong(files[j].path, "not listed");
        OCFSGW_RETURN_IF_ERROR(ops.Stat(files[j].path, files[j].bytes));
        OCFSGW_RETURN_IF_ERROR(ReadWhole(ops, files[j].path, KeyFor(seed_, files[j].path), files[j].bytes));
      }
    }
    return Status::Ok();
  }

 private:
  const uint64_t seed_;
  std::vector<SiteFile> files_;  // by directory, then name
};

}  // namespace

std::unique_ptr<Workload> MakeFullScan(const WorkloadParameters& parameters) {
  return std::make_unique<FullScan>(parameters.seed);
}

}  // namespace ocfsgw::bench
