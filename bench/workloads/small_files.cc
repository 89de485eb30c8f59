// The two operations of which a PHP application does most, alone: lstat, and open, read and close.
//
// The sizes (4 to 20 KiB, as PHP sources have) and 100 files to a directory are chosen. The order is another
// in each round.
#include <fmt/format.h>

#include <utility>

#include "bench/workloads/files.h"
#include "bench/workloads/workload.h"

namespace ocfsgw::bench {
namespace {

constexpr size_t kFilesInEach = 100;

class SmallFiles : public Workload {
 public:
  SmallFiles(const WorkloadParameters& parameters, bool read) : seed_(parameters.seed), read_(read) {
    Random random(seed_);
    for (size_t i = 0; i < parameters.files; ++i) {
      files_.push_back(
          {fmt::format("site/d{}/f{}.php", i / kFilesInEach, i), 4096 + random.Below(16 * 1024)});
    }
  }

  Status Prepare(Operations& ops) override { return MakeSite(ops, seed_, files_); }

  Status Round(Operations& ops, unsigned thread, uint64_t round) override {
    Random random = RandomFor(seed_, thread, round);
    std::vector<const SiteFile*> order;
    for (const SiteFile& file : files_) {
      order.push_back(&file);
      std::swap(order.back(), order[random.Below(order.size())]);
    }
    for (const SiteFile* const file : order) {
      OCFSGW_RETURN_IF_ERROR(read_ ? ReadWhole(ops, file->path, KeyFor(seed_, file->path), file->bytes)
                                   : ops.Stat(file->path, file->bytes));
    }
    return Status::Ok();
  }

 private:
  const uint64_t seed_;
  const bool read_;
  std::vector<SiteFile> files_;
};

}  // namespace

std::unique_ptr<Workload> MakeStat(const WorkloadParameters& parameters) {
  return std::make_unique<SmallFiles>(parameters, false);
}

std::unique_ptr<Workload> MakeOpenReadClose(const WorkloadParameters& parameters) {
  return std::make_unique<SmallFiles>(parameters, true);
}

}  // namespace ocfsgw::bench
