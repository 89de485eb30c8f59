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
       MakeSessionDir, true},
      {"log-tail", "50 lines appended to a log, each read by whoever follows it", MakeLogTail, true},
      {"deploy-switch", "a release written, a symbolic link switched to it, 100 files read through the link",
       MakeDeploySwitch, true},
      {"full-scan", "1970 files in 10 directories listed, lstat'ed and read", MakeFullScan},
      {"stat", "lstat of each of 2000 PHP-sized files", MakeStat},
      {"open-read-close", "each of 2000 files of 4 to 20 KiB opened, read and closed", MakeOpenReadClose},
      {"sequential-read", "one large file read from begin to end, 128 KiB at a time", MakeSequentialRead},
      {"mmap-read", "the same, copied out of a mapping, 1 MiB at a time", MakeMmapRead},
      {"direct-read", "the same with O_DIRECT, 1 MiB at a time", MakeDirectRead},
      {"sequential-write", "a quarter of a large file overwritten, 1 MiB at a time, without fsync",
       MakeSequentialWrite, true},
      {"random-write-fsync", "32 times 4 KiB somewhere in such a file, fsync after each",
       MakeRandomWriteFsync, true},
  };
  return all;
}

const WorkloadKind* FindWorkload(std::string_view name) {
  const auto& all = Workloads();
  const auto it = std::find_if(all.begin(), all.end(), [&](const WorkloadKind& w) { return w.name == name; });
  return it == all.end() ? nullptr : &*it;
}

}  // namespace ocfsgw::bench
