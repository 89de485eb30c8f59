// A request to a PHP application whose classes Composer loads by the rules of PSR-4, without a class map.
//
// Sources: 140 include_once, each with a stat, a request, django.cn forum-71438; that PSR-4 asks the file
// system for each candidate of a class before it is found, getcomposer.org/doc/articles/autoloader-
// optimization.md. How many directories are tried in vain (0 to 3, 1.5 on average: 210 a request), the number
// of packages and the sizes (1 to 8 KiB) are chosen.
#include <fmt/format.h>

#include "bench/workloads/files.h"
#include "bench/workloads/workload.h"

namespace ocfsgw::bench {
namespace {

constexpr size_t kClasses = 500;
constexpr size_t kLoaded = 140;
constexpr size_t kPackages = 40;
constexpr const char* kLoaderFiles[] = {"vendor/autoload.php", "vendor/composer/autoload_real.php",
                                        "vendor/composer/autoload_static.php",
                                        "vendor/composer/ClassLoader.php"};

class ComposerAutoload : public Workload {
 public:
  explicit ComposerAutoload(uint64_t seed) : seed_(seed) {
    Random random(seed);
    for (size_t i = 0; i < kClasses; ++i) {
      classes_.push_back({fmt::format("vendor/package{}/src/Part{}/Class{}.php", i % kPackages, i % 3, i),
                          1024 + random.Below(7 * 1024)});
    }
    for (const char* const path : kLoaderFiles) loader_.push_back({path, 1024 + random.Below(7 * 1024)});
  }

  Status Prepare(Operations& ops) override {
    for (size_t i = 0; i < kPackages; ++i) {
      OCFSGW_RETURN_IF_ERROR(MakeDirectories(ops, fmt::format("vendor/package{}/lib", i)));
    }
    OCFSGW_RETURN_IF_ERROR(MakeSite(ops, seed_, loader_));
    return MakeSite(ops, seed_, classes_);
  }

  Status Round(Operations& ops, unsigned thread, uint64_t round) override {
    for (const SiteFile& file : loader_) OCFSGW_RETURN_IF_ERROR(Load(ops, file));
    const size_t first = RandomFor(seed_, thread, round).Below(kClasses);
    for (size_t i = 0; i < kLoaded; ++i) {
      const size_t number = (first + i) % kClasses;
      for (size_t miss = 0; miss < i % 4; ++miss) {
        OCFSGW_RETURN_IF_ERROR(ops.StatMissing(
            fmt::format("vendor/package{}/lib/Class{}.php", (number + 7 * miss) % kPackages, number)));
      }
      OCFSGW_RETURN_IF_ERROR(Load(ops, classes_[number]));
    }
    return Status::Ok();
  }

 private:
  Status Load(Operations& ops, const SiteFile& file) const {
    OCFSGW_RETURN_IF_ERROR(ops.Stat(file.path, file.bytes));
    return ReadWhole(ops, file.path, KeyFor(seed_, file.path), file.bytes);
  }

  const uint64_t seed_;
  std::vector<SiteFile> classes_;
  std::vector<SiteFile> loader_;
};

}  // namespace

std::unique_ptr<Workload> MakeComposerAutoload(const WorkloadParameters& parameters) {
  return std::make_unique<ComposerAutoload>(parameters.seed);
}

}  // namespace ocfsgw::bench
