#include "bench/figures.h"

namespace ocfsgw::bench {

const std::vector<Figure>& Figures() {
  using enum CacheState;
  static const std::vector<Figure> all = {
      {"hot stat, full / bare", {"stat", kHot, "full"}, {"stat", kHot, "bare"}, "1.2"},
      {"hot stat, fast / bare", {"stat", kHot, "fast"}, {"stat", kHot, "bare"}, "1.2"},
      {"hot open+read+close, fast / bare",
       {"open-read-close", kHot, "fast"},
       {"open-read-close", kHot, "bare"},
       "1.3"},
      {"hot open+read+close, full / mergerfs",
       {"open-read-close", kHot, "full"},
       {"open-read-close", kHot, "mergerfs"},
       "0.6"},
      {"wordpress page, full, warm / bindfs, warm",
       {"wordpress", kWarm, "full"},
       {"wordpress", kWarm, "bindfs"},
       "0.7"},
      {"hot sequential read, full / bare",
       {"sequential-read", kHot, "full"},
       {"sequential-read", kHot, "bare"},
       "1.1"},
      {"hot mmap read, full / bare", {"mmap-read", kHot, "full"}, {"mmap-read", kHot, "bare"}, "1.1"},
      {"sequential read of the store from its disk, full / O_DIRECT (0.7 of its speed)",
       {"sequential-read", kWarm, "full"},
       {"direct-read", kWarm, "bare"},
       "1.43"},
      {"1 MiB sequential write, full / bare",
       {"sequential-write", kHot, "full"},
       {"sequential-write", kHot, "bare"},
       "1.3"},
      {"4 KiB random write and fsync, full / bare",
       {"random-write-fsync", kHot, "full"},
       {"random-write-fsync", kHot, "bare"},
       "1.2"},
  };
  return all;
}

}  // namespace ocfsgw::bench
