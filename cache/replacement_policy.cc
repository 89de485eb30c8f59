#include "cache/replacement_policy.h"

#include <cassert>

#include "cache/alirs_policy.h"
#include "cache/arc_policy.h"
#include "cache/fifo_policy.h"
#include "cache/lirs_policy.h"
#include "cache/lru_policy.h"
#include "cache/s3fifo_policy.h"
#include "cache/sieve_policy.h"
#include "cache/wtinylfu_policy.h"

namespace ocfsgw::cache {
namespace {

std::optional<AlirsOptions> AlirsVariant(std::string_view name) {
  AlirsOptions options;
  if (name == "alirs-no-lots") {
    options.lots = false;
  } else if (name == "alirs-no-adaptation") {
    options.adaptation = false;
  } else if (name == "alirs-no-correlation") {
    options.correlation = false;
  } else if (name == "alirs-no-reuse-limit") {
    options.reuse_limit = false;
  } else if (name == "alirs-no-renewal") {
    options.renewal = false;
  } else if (name == "alirs-plain") {
    options = {
        .lots = false, .adaptation = false, .correlation = false, .reuse_limit = false, .renewal = false};
  } else if (name != "alirs") {
    return std::nullopt;
  }
  return options;
}

}  // namespace

const std::vector<std::string_view>& ReplacementPolicyNames() {
  static const std::vector<std::string_view> names = {"fifo",   "lru",  "arc",      "sieve",
                                                      "s3fifo", "lirs", "wtinylfu", "alirs"};
  return names;
}

std::unique_ptr<ReplacementPolicy> MakeReplacementPolicy(std::string_view name, size_t capacity,
                                                         uint64_t seed) {
  assert(capacity <= kReplacementCapacityMax);
  if (name == "fifo") return std::make_unique<FifoPolicy>(capacity);
  if (name == "lru") return std::make_unique<LruPolicy>(capacity);
  if (name == "arc") return std::make_unique<ArcPolicy>(capacity);
  if (name == "sieve") return std::make_unique<SievePolicy>(capacity);
  if (name == "s3fifo") return std::make_unique<S3FifoPolicy>(capacity);
  if (name == "lirs") return std::make_unique<LirsPolicy>(capacity);
  if (name == "wtinylfu") return std::make_unique<WTinyLfuPolicy>(capacity);
  if (const auto options = AlirsVariant(name)) return std::make_unique<AlirsPolicy>(capacity, seed, *options);
  return nullptr;
}

}  // namespace ocfsgw::cache
