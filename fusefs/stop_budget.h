#pragma once

#include <algorithm>
#include <chrono>

namespace ocfsgw::fusefs {

/// How the time from SIGTERM to the end is divided: first the mount is waited for while it is in use, then it
/// is unmounted lazily and everything given back; near the end the guardian kills a gateway that hangs in
/// this.
struct StopBudget {
  /// Less than Kubernetes' 30 s, after which it kills all of a container.
  static constexpr std::chrono::seconds kContainerDefault{25};
  static constexpr std::chrono::milliseconds kGiveBackMax{6000};
  static constexpr std::chrono::milliseconds kAfterKillMax{3000};

  /// Of all; 0: nobody is waited for, and nothing is bounded.
  std::chrono::milliseconds grace{0};

  /// Since SIGTERM; 0 with `grace` 0.
  std::chrono::milliseconds KillAfter() const { return grace - std::min(grace / 8, kAfterKillMax); }
  std::chrono::milliseconds WaitMax() const { return KillAfter() - std::min(grace / 2, kGiveBackMax); }
};

}  // namespace ocfsgw::fusefs
