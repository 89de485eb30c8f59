// A page of WordPress without an opcode cache that trusts its files.
//
// Sources: 957 lstat a page, php.webtutor.pl 2011/06/02 (86 % of the time of all system calls); about 200
// lookups of names that do not exist a page, from directories of include_path tried in vain, joejulian.name.
// An include is resolved as by realpath, one lstat for each component, when it is found and again before it
// is compiled: 100 includes x 4.75 components x 2 = 950. The depth of the paths and the sizes of the files (1
// to 24 KiB) are chosen.
#include <fmt/format.h>

#include "bench/workloads/files.h"
#include "bench/workloads/workload.h"

namespace ocfsgw::bench {
namespace {

constexpr size_t kFiles = 400;
constexpr size_t kCore = 60;      // included by every page
constexpr size_t kPageOnly = 40;  // by one kind of page
constexpr size_t kPageKinds = 10;

class Wordpress : public Workload {
 public:
  explicit Wordpress(uint64_t seed) : seed_(seed) {
    Random random(seed);
    for (size_t i = 0; i < kFiles; ++i) {
      std::string path = i % 4 == 0 ? fmt::format("var/www/wp-includes/f{}.php", i)
                                    : fmt::format("var/www/wp-content/plugin{}/f{}.php", i % 23, i);
      files_.push_back({std::move(path), 1024 + random.Below(23 * 1024)});
    }
  }

  Status Prepare(Operations& ops) override {
    for (const char* const directory : {"usr/share/php", "var/www/pear"}) {
      OCFSGW_RETURN_IF_ERROR(MakeDirectories(ops, directory));
    }
    return MakeSite(ops, seed_, files_);
  }

  Status Round(Operations& ops, unsigned thread, uint64_t round) override {
    const size_t page = RandomFor(seed_, thread, round).Below(kPageKinds);
    for (size_t i = 0; i < kCore; ++i) OCFSGW_RETURN_IF_ERROR(Include(ops, i));
    for (size_t i = 0; i < kPageOnly; ++i) {
      const size_t other = (page * (kFiles - kCore) / kPageKinds + i) % (kFiles - kCore);
      OCFSGW_RETURN_IF_ERROR(Include(ops, kCore + other));
    }
    return Status::Ok();
  }

 private:
  Status Include(Operations& ops, size_t number) const {
    const SiteFile& file = files_[number];
    for (const char* const directory : {"usr/share/php", "var/www/pear"}) {
      OCFSGW_RETURN_IF_ERROR(ops.OpenMissing(fmt::format("{}/f{}.php", directory, number)));
    }
    OCFSGW_RETURN_IF_ERROR(StatEachComponent(ops, file));
    OCFSGW_RETURN_IF_ERROR(StatEachComponent(ops, file));
    return ReadWhole(ops, file.path, KeyFor(seed_, file.path), file.bytes);
  }

  const uint64_t seed_;
  std::vector<SiteFile> files_;
};

}  // namespace

std::unique_ptr<Workload> MakeWordpress(const WorkloadParameters& parameters) {
  return std::make_unique<Wordpress>(parameters.seed);
}

}  // namespace ocfsgw::bench
