#pragma once

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "bench/workloads/operations.h"

namespace ocfsgw::bench {

struct WorkloadParameters {
  uint64_t seed = 0;
  unsigned threads = 1;
  uint64_t files = 2000;  ///< Small files of stat and open-read-close.
  uint64_t large_bytes =
      128 << 20;  ///< Of the file that is read as a whole; written: a quarter. A multiple of kLargeStep.
};

/// Unit of WorkloadParameters::large_bytes, at least one.
inline constexpr uint64_t kLargeStep = 4 << 20;

/// What an application does with files: makes a tree, then repeats rounds on it. The same parameters give the
/// same tree and, for each thread and round, the same operations; only with several threads may what one
/// writes decide what another finds. All that is read is checked: kCorrupt if it is wrong. Errors as of
/// Operations. One object belongs to one tree.
class Workload {
 public:
  virtual ~Workload() = default;
  /// Makes the tree in an empty directory.
  virtual Status Prepare(Operations& ops) = 0;
  /// One round of one thread. Rounds are numbered from 0; all threads have ended one before the next begins,
  /// and within one they run at the same time, each with its own `ops`. REQUIRES: thread < threads.
  virtual Status Round(Operations& ops, unsigned thread, uint64_t round) = 0;
  /// Reads what the rounds have written and not read themselves. No round runs meanwhile.
  virtual Status Verify(Operations&) { return Status::Ok(); }
};

struct WorkloadKind {
  std::string_view name;
  std::string_view summary;  ///< One line: what a round does.
  std::unique_ptr<Workload> (*make)(const WorkloadParameters&);
  bool writes = false;  ///< Rounds change the tree.
};

/// All of them, in the order of the documentation.
const std::vector<WorkloadKind>& Workloads();
/// Null if there is none of that name.
const WorkloadKind* FindWorkload(std::string_view name);

// Each is in the file of its name, the last seven in small_files, large_file and large_writes.
std::unique_ptr<Workload> MakeWordpress(const WorkloadParameters&);
std::unique_ptr<Workload> MakeDrupal(const WorkloadParameters&);
std::unique_ptr<Workload> MakeComposerAutoload(const WorkloadParameters&);
std::unique_ptr<Workload> MakeMediaZipf(const WorkloadParameters&);
std::unique_ptr<Workload> MakeSessionDir(const WorkloadParameters&);
std::unique_ptr<Workload> MakeLogTail(const WorkloadParameters&);
std::unique_ptr<Workload> MakeDeploySwitch(const WorkloadParameters&);
std::unique_ptr<Workload> MakeFullScan(const WorkloadParameters&);
std::unique_ptr<Workload> MakeStat(const WorkloadParameters&);
std::unique_ptr<Workload> MakeOpenReadClose(const WorkloadParameters&);
std::unique_ptr<Workload> MakeSequentialRead(const WorkloadParameters&);
std::unique_ptr<Workload> MakeMmapRead(const WorkloadParameters&);
std::unique_ptr<Workload> MakeDirectRead(const WorkloadParameters&);
std::unique_ptr<Workload> MakeSequentialWrite(const WorkloadParameters&);
std::unique_ptr<Workload> MakeRandomWriteFsync(const WorkloadParameters&);

}  // namespace ocfsgw::bench
