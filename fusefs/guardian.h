#pragma once

#include <signal.h>
#include <sys/types.h>

#include <chrono>
#include <functional>
#include <optional>
#include <span>
#include <string>

#include "base/log.h"
#include "fusefs/mount_options.h"
#include "fusefs/process_title.h"
#include "fusefs/restart_policy.h"
#include "fusefs/shared_descriptors.h"
#include "fusefs/shared_state.h"
#include "fusefs/startup.h"
#include "fusefs/stop_budget.h"

namespace ocfsgw::fusefs {

/// The process that outlives the gateway: it starts the gateway as a child that shares its table of
/// descriptors and nothing else, kills it when its pulse stops, and when it is dead takes everything back
/// from the kernel, gives the leases back, and starts another one. It has one thread but while it does that:
/// a child begins as a copy of it.
///
/// The table being shared, the gateway could close what the guardian has open. So it keeps nothing open while
/// a gateway lives but what it had at first; the log and the state of a gateway that looks dead are opened
/// for a moment.
class Guardian {
 public:
  /// Runs a gateway in a process of its own; what it returns is the exit status.
  using Gateway = std::function<int(SharedState& state)>;

  /// The first gateway tells `startup` how it went.
  Guardian(const MountOptions& options, ProcessTitle& title, Startup& startup);

  /// Blocks until the mount has ended; the exit status. SIGTERM and SIGINT are passed on to the gateway.
  int Run(const Gateway& gateway);

 private:
  struct End {
    bool dead = false;  ///< All of its threads have ended: there is an exit status.
    int status = 0;     ///< As from waitpid.
    std::string why;
  };

  int RunUntilEnd(const Gateway& gateway);
  /// Sees to what a gateway and its guardian that died at once have left mounted.
  void MeetPredecessor();
  void ToldToStop();
  /// `limit`, but not beyond the time when all is to be over.
  std::chrono::milliseconds Left(std::chrono::milliseconds limit) const;
  /// The process, or 0 if it cannot be started.
  pid_t Start(const Gateway& gateway, SharedState& state, uint32_t restarts);
  End Watch(SharedState& state);
  void WaitForSignal(std::chrono::milliseconds limit);
  bool Reap(End& end);
  bool AwaitDeath(End& end, std::chrono::milliseconds limit);
  bool LeaderHasEnded() const;
  void TakeOver(SharedState& state, End& end);
  void GiveLeasesBack(std::span<const int> session_fds) const;
  /// Starts over: the exit status if there is to be no other gateway.
  std::optional<int> AfterDeath(SharedState& state, End& end, std::chrono::nanoseconds served);
  /// Waits before the next start, unless there is to be none. `served`: how long the last one did.
  std::optional<int> Pause(std::chrono::nanoseconds served);
  void Say(log::Level level, const std::string& line) const;

  const MountOptions& options_;
  const StopBudget budget_;
  ProcessTitle& title_;
  Startup& startup_;
  const SharedDescriptors descriptors_;
  RestartPolicy policy_;
  sigset_t signals_{};
  pid_t gateway_ = 0;                              ///< 0: none, or reaped.
  bool stop_ = false;                              ///< A signal said so.
  bool served_ = false;                            ///< A gateway has.
  std::chrono::steady_clock::time_point stop_at_;  ///< When it said so.
  uint64_t dead_mount_ = 0;  ///< MountId of what the last gateway that was mounted left behind.
  int slot_ = -1;            ///< The slot of the cache directory that the last gateway with one had.
};

}  // namespace ocfsgw::fusefs
