#include "bench/workloads/workload.h"

#include <algorithm>

namespace ocfsgw::bench {

const std::vector<WorkloadKind>& Workloads() {
  static const std::vector<WorkloadKind> all = {
      {"wordpress", "a page: 950 lstat, 300 opens of which 200 find nothing, 100 files read", MakeWordpress},
      {"drupal", "a page: 2500 lstat, 200 files read", MakeDrupal},
      {"composer-autoload", "a request: 140 classes looked for by rule, 210 lookups find nothing",
       MakeComposerAutoload},
      {"media-zipf", "50 files of 8 to 512 KiB read whole, some far more often than others", MakeMediaZipf},
      {"session-dir", "50 PHP requests: lock, read and rewrite a session in one directory; one clean-up",
       MakeSessionDir},
      {"log-tail", "50 lines appended to a log, each read by whoever follows it", MakeLogTail},
      {"deploy-switch", "a release written, a symbolic link switched to it, 100 files read through the link",
       MakeDeploySwitch},
      {"full-scan", "1970 files in 10 directories listed, lstat'ed and read", MakeFullScan},
  };
  return all;
}

const WorkloadKind* FindWorkload(std::string_view name) {
  const auto& all = Workloads();
  const auto it = std::find_if(all.begin(), all.end(), [&](const WorkloadKind& w) { return w.name == name; });
  return it == all.end() ? nullptr : &*it;
}

}  // namespace ocfsgw::bench
