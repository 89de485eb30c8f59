// A page of Drupal with many modules.
//
// Source: 10 to 15 lstat for each of about 200 included files, about 2500 lstat a page,
// nirlevy.blogspot.com/2009/01. Here an include is resolved as by realpath, one lstat for each component,
// twice: 200 x 6.25 components x 2 = 2500. The number of modules and the sizes (1 to 16 KiB) are chosen.
#include <fmt/format.h>

#include "bench/workloads/files.h"
#include "bench/workloads/workload.h"

namespace ocfsgw::bench {
namespace {

constexpr size_t kFiles = 600;
constexpr size_t kCore = 120;     // included by every page
constexpr size_t kPageOnly = 80;  // by one kind of page
constexpr size_t kPageKinds = 8;

class Drupal : public Workload {
 public:
  explicit Drupal(uint64_t seed) : seed_(seed) {
    Random random(seed);
    for (size_t i = 0; i < kFiles; ++i) {
      const char* const part = i % 4 == 0 ? "includes/" : "";
      std::string path = fmt::format("www/sites/all/modules/module{}/{}f{}.inc", i % 60, part, i);
      files_.push_back({std::move(path), 1024 + random.Below(15 * 1024)});
    }
  }

  Status Prepare(Operations& ops) override { return MakeSite(ops, seed_, files_); }

  Status Round(Operations& ops, unsigned thread, uint64_t round) override {
    const size_t page = RandomFor(seed_, thread, round).Below(kPageKinds);
    for (size_t i = 0; i < kCore; ++i) OCFSGW_RETURN_IF_ERROR(Include(ops, files_[i]));
    for (size_t i = 0; i < kPageOnly; ++i) {
      const size_t other = (page * (kFiles - kCore) / kPageKinds + i) % (kFiles - kCore);
      OCFSGW_RETURN_IF_ERROR(Include(ops, files_[kCore + other]));
    }
    return Status::Ok();
  }

 private:
  Status Include(Operations& ops, const SiteFile& file) const {
    OCFSGW_RETURN_IF_ERROR(StatEachComponent(ops, file));
    OCFSGW_RETURN_IF_ERROR(StatEachComponent(ops, file));
    return ReadWhole(ops, file.path, KeyFor(seed_, file.path), file.bytes);
  }

  const uint64_t seed_;
  std::vector<SiteFile> files_;
};

}  // namespace

std::unique_ptr<Workload> MakeDrupal(const WorkloadParameters& parameters) {
  return std::make_unique<Drupal>(parameters.seed);
}

}  // namespace ocfsgw::bench
