// A web server that sends images.
//
// Source: requests for web documents follow Zipf's law with an exponent of 0.64 to 0.83, Breslau et al., "Web
// Caching and Zipf-like Distributions: Evidence and Implications", INFOCOM 1999; 0.8 here. The number of
// files (200) and their sizes (8 to 512 KiB, uniform in the logarithm: 24 MB in all) are chosen.
#include <fmt/format.h>

#include <cmath>

#include "bench/workloads/files.h"
#include "bench/workloads/workload.h"

namespace ocfsgw::bench {
namespace {

constexpr size_t kFiles = 200;
constexpr size_t kRequests = 50;  // in a round
constexpr double kExponent = 0.8;

class MediaZipf : public Workload {
 public:
  explicit MediaZipf(uint64_t seed) : seed_(seed), popularity_(kFiles, kExponent) {
    Random random(seed);
    for (size_t i = 0; i < kFiles; ++i) {
      const auto bytes = static_cast<uint64_t>(8192 * std::exp2(6 * random.Share()));
      files_.push_back({fmt::format("uploads/2011/{:02}/image{}.jpg", i % 12 + 1, i), bytes});
    }
  }

  Status Prepare(Operations& ops) override { return MakeSite(ops, seed_, files_); }

  Status Round(Operations& ops, unsigned thread, uint64_t round) override {
    Random random = RandomFor(seed_, thread, round);
    for (size_t i = 0; i < kRequests; ++i) {
      const SiteFile& file = files_[popularity_.Draw(random)];
      OCFSGW_RETURN_IF_ERROR(ops.Stat(file.path, file.bytes));
      OCFSGW_RETURN_IF_ERROR(ReadWhole(ops, file.path, KeyFor(seed_, file.path), file.bytes));
    }
    return Status::Ok();
  }

 private:
  const uint64_t seed_;
  const Zipf popularity_;
  std::vector<SiteFile> files_;
};

}  // namespace

std::unique_ptr<Workload> MakeMediaZipf(const WorkloadParameters& parameters) {
  return std::make_unique<MediaZipf>(parameters.seed);
}

}  // namespace ocfsgw::bench
