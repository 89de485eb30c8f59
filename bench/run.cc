#include "bench/run.h"

#include <algorithm>
#include <chrono>
#include <deque>
#include <thread>

#include "bench/kernel_caches.h"
#include "bench/work_directory.h"

namespace ocfsgw::bench {
namespace {

using SteadyTime = std::chrono::steady_clock::time_point;

double Seconds(std::chrono::steady_clock::duration duration) {
  return std::chrono::duration<double>(duration).count();
}

/// The first error of two.
Status First(Status first, Status second) { return first.ok() ? std::move(second) : std::move(first); }

/// One directory with its tree and what was measured on it.
class Side {
 public:
  static Result<std::unique_ptr<Side>> Make(const std::string& directory, const RunOptions& options,
                                            const WorkloadKind& kind, const std::atomic<bool>& stop) {
    OCFSGW_ASSIGN_OR_RETURN(WorkDirectory work, WorkDirectory::MakeIn(directory));
    return std::unique_ptr<Side>(new Side(std::move(work), options, kind, stop));
  }

  Status Prepare(const std::atomic<bool>& stop) {
    Operations unmeasured(work_.path(), stop);
    return workload_->Prepare(unmeasured);
  }

  Status Verify(const std::atomic<bool>& stop) {
    Operations unmeasured(work_.path(), stop);
    return workload_->Verify(unmeasured);
  }

  Status Round(uint64_t round) {
    std::vector<Outcome> outcomes(threads_.size());
    const auto run = [&](unsigned thread) {
      Outcome& outcome = outcomes[thread];
      outcome.begin = std::chrono::steady_clock::now();
      outcome.status = workload_->Round(threads_[thread], thread, round);
      outcome.end = std::chrono::steady_clock::now();
    };
    std::vector<std::thread> others;
    for (unsigned thread = 1; thread < threads_.size(); ++thread) others.emplace_back(run, thread);
    run(0);
    for (std::thread& other : others) other.join();
    SteadyTime begin = SteadyTime::max(), end = SteadyTime::min();
    Status status;
    for (Outcome& outcome : outcomes) {
      status = First(std::move(status), std::move(outcome.status));
      begin = std::min(begin, outcome.begin);
      end = std::max(end, outcome.end);
    }
    seconds_ += Seconds(end - begin);
    if (status.ok()) round_seconds_.push_back(Seconds(end - begin));
    return status;
  }

  RunSide Result() const {
    RunSide side{.totals = {}, .round_seconds = round_seconds_, .seconds = seconds_};
    for (const Operations& ops : threads_) side.totals.Merge(ops.totals());
    return side;
  }

  WorkDirectory& work() { return work_; }

 private:
  struct Outcome {
    Status status;
    SteadyTime begin, end;
  };

  Side(WorkDirectory work, const RunOptions& options, const WorkloadKind& kind, const std::atomic<bool>& stop)
      : work_(std::move(work)),
        workload_(kind.make({.seed = options.seed,
                             .threads = options.threads,
                             .files = options.files,
                             .large_bytes = options.large_bytes})) {
    for (unsigned i = 0; i < options.threads; ++i) threads_.emplace_back(work_.path(), stop);
  }

  WorkDirectory work_;
  const std::unique_ptr<Workload> workload_;
  std::deque<Operations> threads_;  // they cannot be moved
  std::vector<double> round_seconds_;
  double seconds_ = 0;
};

/// Rounds on all sides in turn, until there were enough.
Status Rounds(const RunOptions& options, const std::vector<Side*>& sides) {
  const auto begin = std::chrono::steady_clock::now();
  for (uint64_t round = 0;; ++round) {
    if (options.rounds && round >= *options.rounds) return Status::Ok();
    if (!options.rounds && round > 0 &&
        Seconds(std::chrono::steady_clock::now() - begin) >= options.seconds) {
      return Status::Ok();
    }
    for (Side* const side : sides) {
      if (options.drop_caches) OCFSGW_RETURN_IF_ERROR(DropKernelCaches());
      OCFSGW_RETURN_IF_ERROR(side->Round(round));
    }
  }
}

/// The gateway's counters around the rounds.
class TierReader {
 public:
  explicit TierReader(const std::string& directory) : gateway_(GatewayFor(directory)) {
    if (gateway_) before_.emplace(ReadCounters(gateway_->socket));
  }

  void Finish(WorkloadResult& result) const {
    if (!gateway_) return;
    const auto after = ReadCounters(gateway_->socket);
    if (!before_->ok() || !after.ok()) {
      result.no_tiers = (before_->ok() ? after : *before_).status().ToString();
      return;
    }
    result.tiers = TiersOf(**before_, *after, result.mount.totals, gateway_->depth);
    if (!result.tiers) result.no_tiers = "the gateway was started again meanwhile";
  }

 private:
  const std::optional<GatewayOfDirectory> gateway_;
  std::optional<Result<GatewayCounters>> before_;
};

}  // namespace

Status RunWorkload(const RunOptions& options, const WorkloadKind& kind, const std::atomic<bool>& stop,
                   RunResults& results) {
  std::vector<std::unique_ptr<Side>> sides;
  std::vector<std::string> directories = {options.mount};
  if (options.baseline) directories.push_back(*options.baseline);
  for (const std::string& directory : directories) {
    OCFSGW_ASSIGN_OR_RETURN(std::unique_ptr<Side> side, Side::Make(directory, options, kind, stop));
    sides.push_back(std::move(side));
  }
  Status status;
  std::vector<Side*> all;
  for (const auto& side : sides) {
    all.push_back(side.get());
    if (status.ok()) status = side->Prepare(stop);
  }
  if (status.ok()) {
    const TierReader tiers(sides[0]->work().path());
    status = Rounds(options, all);
    WorkloadResult result{.name = std::string(kind.name), .mount = sides[0]->Result()};
    tiers.Finish(result);
    if (options.baseline) result.baseline = sides[1]->Result();
    results.workloads.push_back(std::move(result));
    for (Side* const side : all) {
      if (status.ok()) status = side->Verify(stop);
    }
  }
  for (const auto& side : sides) {
    if (options.keep) {
      side->work().Keep();
      results.kept.push_back(side->work().path());
    } else {
      status = First(std::move(status), side->work().Remove());
    }
  }
  if (status.Is(StatusCode::kShutdown)) results.interrupted = true;
  return status;
}

Status CheckUsable(const std::string& directory) {
  OCFSGW_ASSIGN_OR_RETURN(WorkDirectory work, WorkDirectory::MakeIn(directory));
  return work.Remove();
}

}  // namespace ocfsgw::bench
