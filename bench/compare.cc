#include "bench/compare.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <memory>
#include <set>
#include <thread>

#include "bench/kernel_caches.h"
#include "bench/latency_histogram.h"
#include "bench/work_directory.h"

namespace ocfsgw::bench {
namespace {

using std::chrono::milliseconds;

/// A file changed so lately could change again without another time stamp: a gateway keeps nothing of it for
/// long.
constexpr milliseconds kRest(1'000);
/// Stores are written in the background.
constexpr milliseconds kStored(300);

/// Workloads of disks: what the stores' can do, and how near to that a store comes.
constexpr std::string_view kDirect = "direct-read", kSequential = "sequential-read";

Status Sleep(milliseconds time, const std::atomic<bool>& stop) {
  for (const auto end = std::chrono::steady_clock::now() + time; std::chrono::steady_clock::now() < end;) {
    if (stop) return {StatusCode::kShutdown, "interrupted"};
    std::this_thread::sleep_for(milliseconds(10));
  }
  return Status::Ok();
}

/// A tree, its workload and how often it ran; one that is written to belongs to one contender.
struct Tree {
  std::string path;  ///< Below the source.
  std::unique_ptr<Workload> workload;
  uint64_t passes = 0;
};

class Comparison {
 public:
  Comparison(const CompareOptions& options, const std::atomic<bool>& stop, CompareResults& results)
      : options_(options), stop_(stop), results_(results) {}

  Status Run() {
    OCFSGW_ASSIGN_OR_RETURN(WorkDirectory source, WorkDirectory::MakeIn(options_.source));
    OCFSGW_ASSIGN_OR_RETURN(WorkDirectory work, WorkDirectory::MakeIn(options_.work));
    source_ = source.path();
    work_ = work.path();
    Status status = Rounds();
    for (WorkDirectory* const directory : {&source, &work}) {
      const Status removed = directory->Remove();
      if (status.ok()) status = removed;
    }
    return status;
  }

 private:
  /// A contender in a round of a workload.
  struct Entrant {
    const Contender* contender;
    std::string directory;
    std::unique_ptr<Mounted> mounted;
    Tree* tree;
  };

  Status Rounds() {
    for (const WorkloadKind* const kind : options_.workloads) OCFSGW_RETURN_IF_ERROR(MakeTrees(*kind));
    OCFSGW_RETURN_IF_ERROR(Sleep(kRest, stop_));
    for (unsigned round = 0; round < options_.rounds; ++round) {
      for (const WorkloadKind* const kind : options_.workloads) {
        std::vector<Entrant> entrants;
        Status status = Enter(*kind, round, entrants);
        if (status.ok()) status = Round(*kind, round, entrants);
        for (Entrant& entrant : entrants) Leave(entrant, kind->writes);
        OCFSGW_RETURN_IF_ERROR(status);
      }
    }
    return Status::Ok();
  }

  std::string TreeName(const WorkloadKind& kind, const Contender& contender) const {
    return std::string(kind.name) + (kind.writes ? "." + std::string(contender.name) : std::string());
  }

  Status MakeTrees(const WorkloadKind& kind) {
    for (const Contender* const contender : options_.contenders) {
      const std::string name = TreeName(kind, *contender);
      if (trees_.contains(name)) continue;
      Tree& tree = trees_[name];
      // What shows the disk of the stores has to be there.
      const std::string root = (kind.name == kDirect ? work_ : source_) + "/" + name;
      tree = {name, kind.make(options_.parameters)};
      Operations ops(root, stop_);
      OCFSGW_RETURN_IF_ERROR(ops.MakeDirectory(""));
      OCFSGW_RETURN_IF_ERROR(tree.workload->Prepare(ops));
    }
    return Status::Ok();
  }

  void Skip(const Contender& contender, const std::string& workload, const Status& status) {
    results_.skipped.push_back({std::string(contender.name), workload, status.ToString()});
    if (status.Is(StatusCode::kCorrupt)) results_.wrong_data = true;
    out_.insert({std::string(contender.name), workload});
  }
  bool IsOut(const Contender& contender, const std::string& workload) const {
    return out_.contains({std::string(contender.name), workload});
  }

  /// Mounts all that take part, with empty stores, in the round's order.
  Status Enter(const WorkloadKind& kind, unsigned round, std::vector<Entrant>& entrants) {
    const std::string workload(kind.name);
    for (size_t i = 0; i < options_.contenders.size(); ++i) {
      const Contender& contender = *options_.contenders[(i + round) % options_.contenders.size()];
      const std::string name(contender.name);
      if (!TakesPart(contender, kind) || IsOut(contender, workload) || IsOut(contender, "")) continue;
      Entrant entrant{&contender, fmt::format("{}/{}{}", work_, kind.writes ? workload + "." : "", name),
                      nullptr, &trees_[TreeName(kind, contender)]};
      std::error_code error;
      std::filesystem::create_directory(entrant.directory, error);
      if (error) return Status::FromErrno(error.value(), entrant.directory);
      const MountPlace place{kind.name == kDirect ? work_ : source_, entrant.directory, store_mib_};
      if (!results_.versions.contains(name))
        results_.versions[name] = VersionOf(contender, entrant.directory);
      auto mounted = Mounted::Mount(contender, place, stop_);
      if (mounted.ok()) {
        entrant.mounted = std::move(*mounted);
        results_.commands[name] = CommandText(contender, store_mib_);
        entrants.push_back(std::move(entrant));
        continue;
      }
      Leave(entrant, false);
      if (!mounted.status().Is(StatusCode::kUnavailable)) return mounted.status();
      Skip(contender, "", mounted.status());
    }
    return Status::Ok();
  }

  /// Unmounts, and removes mount point and store, unless it may have what is not in the source yet.
  static void Leave(Entrant& entrant, bool keep_store) {
    entrant.mounted.reset();
    std::error_code ignored;
    if (!keep_store) std::filesystem::remove_all(entrant.directory, ignored);
  }

  /// Seconds that the system calls of a pass took.
  Result<double> Pass(const Entrant& entrant, bool writes, unsigned round) {
    Operations ops(entrant.mounted->path() + "/" + entrant.tree->path, stop_);
    const uint64_t number = writes ? entrant.tree->passes++ : round;
    OCFSGW_RETURN_IF_ERROR(entrant.tree->workload->Round(ops, 0, number));
    return static_cast<double>(ops.totals().All().sum()) / 1e9;
  }

  Result<double> Timed(const Entrant& entrant, const WorkloadKind& kind, CacheState state, unsigned round) {
    if (state != CacheState::kHot) OCFSGW_RETURN_IF_ERROR(DropKernelCaches());
    if (state == CacheState::kWarm && kind.name != kDirect && kind.name != kSequential) {
      OCFSGW_RETURN_IF_ERROR(ReadIntoKernelCaches(
          entrant.contender->keeps_store ? entrant.mounted->store() : source_ + "/" + entrant.tree->path));
    }
    if (state != CacheState::kHot) return Pass(entrant, kind.writes, round);
    if (kind.writes) sync();  // what others have written would be waited for
    OCFSGW_RETURN_IF_ERROR(Pass(entrant, kind.writes, round).status());
    std::vector<double> seconds;
    const auto end = std::chrono::steady_clock::now() + kHotTime;
    while (seconds.size() < kHotPasses || std::chrono::steady_clock::now() < end) {
      OCFSGW_ASSIGN_OR_RETURN(const double one, Pass(entrant, kind.writes, round));
      seconds.push_back(one);
    }
    if (kind.writes) {
      Operations unmeasured(entrant.mounted->path() + "/" + entrant.tree->path, stop_);
      OCFSGW_RETURN_IF_ERROR(entrant.tree->workload->Verify(unmeasured));
    }
    return Median(seconds);
  }

  /// Reads once more what stores did not take at first.
  Result<double> Fill(const Entrant& entrant, unsigned round) {
    OCFSGW_RETURN_IF_ERROR(DropKernelCaches());
    return Pass(entrant, false, round);
  }

  /// Calls for each entrant that has not failed in this workload; one that fails now is skipped from here on.
  template <typename Call>
  Status ForEach(std::vector<Entrant>& entrants, const std::string& workload, Call call) {
    for (Entrant& entrant : entrants) {
      if (IsOut(*entrant.contender, workload)) continue;
      const Status status = call(entrant);
      if (stop_) return {StatusCode::kShutdown, "interrupted"};
      if (status.ok()) continue;
      if (entrant.contender->program.empty()) return status;
      Skip(*entrant.contender, workload, status);
    }
    return Status::Ok();
  }

  Status Round(const WorkloadKind& kind, unsigned round, std::vector<Entrant>& entrants) {
    const std::string workload(kind.name);
    for (const CacheState state : {CacheState::kCold, CacheState::kWarm, CacheState::kHot}) {
      if (kind.writes && state != CacheState::kHot) continue;
      if (state == CacheState::kWarm) {
        OCFSGW_RETURN_IF_ERROR(ForEach(entrants, workload, [&](const Entrant& entrant) {
          return entrant.contender->keeps_store ? Fill(entrant, round).status() : Status::Ok();
        }));
        OCFSGW_RETURN_IF_ERROR(Sleep(kStored, stop_));
      }
      OCFSGW_RETURN_IF_ERROR(ForEach(entrants, workload, [&](const Entrant& entrant) {
        const Result<double> seconds = Timed(entrant, kind, state, round);
        if (seconds.ok()) {
          results_.cells[{workload, state, std::string(entrant.contender->name)}][round] = *seconds;
        }
        return seconds.status();
      }));
    }
    return Status::Ok();
  }

  const CompareOptions& options_;
  const uint64_t store_mib_ = StoreMib(options_.parameters.large_bytes);
  const std::atomic<bool>& stop_;
  CompareResults& results_;
  std::string source_, work_;
  std::map<std::string, Tree> trees_;                  // by name
  std::set<std::pair<std::string, std::string>> out_;  // contender and workload, or "" for all
};

}  // namespace

uint64_t StoreMib(uint64_t large_bytes) { return 512 + 4 * (large_bytes >> 20); }

bool TakesPart(const Contender& contender, const WorkloadKind& kind) {
  return kind.name != kDirect || contender.program.empty();
}

std::optional<Spread> SpreadOf(const std::vector<double>& values) {
  if (values.empty()) return std::nullopt;
  const auto [least, greatest] = std::minmax_element(values.begin(), values.end());
  return Spread{Median(values), *least, *greatest};
}

std::optional<Spread> SecondsOf(const CompareResults& results, const CompareKey& key) {
  const auto cell = results.cells.find(key);
  if (cell == results.cells.end()) return std::nullopt;
  std::vector<double> values;
  for (const auto& [round, seconds] : cell->second) values.push_back(seconds);
  return SpreadOf(values);
}

std::optional<Spread> RatioOf(const CompareResults& results, const CompareKey& above,
                              const CompareKey& below) {
  const auto a = results.cells.find(above), b = results.cells.find(below);
  if (a == results.cells.end() || b == results.cells.end()) return std::nullopt;
  std::vector<double> ratios;
  for (const auto& [round, seconds] : a->second) {
    const auto other = b->second.find(round);
    if (other != b->second.end() && other->second > 0) ratios.push_back(seconds / other->second);
  }
  return SpreadOf(ratios);
}

Status Compare(const CompareOptions& options, const std::atomic<bool>& stop, CompareResults& results) {
  for (const WorkloadKind* const kind : options.workloads) results.workloads.emplace_back(kind->name);
  for (const Contender* const contender : options.contenders)
    results.contenders.emplace_back(contender->name);
  const Status status = Comparison(options, stop, results).Run();
  if (status.Is(StatusCode::kShutdown)) results.interrupted = true;
  return status;
}

}  // namespace ocfsgw::bench
