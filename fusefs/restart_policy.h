#pragma once

#include <chrono>
#include <optional>

namespace ocfsgw::fusefs {

/// How long to wait before a gateway that died is started again: a short time at first, twice as long after
/// each failure in a row, and not at all when there were too many.
class RestartPolicy {
 public:
  static constexpr std::chrono::milliseconds kDelayMin{100};
  static constexpr std::chrono::seconds kHealthyAfter{60};
  static constexpr int kFailuresMax = 10;

  /// A gateway that served for `served` (0: not at all) has died. Nothing: give up.
  std::optional<std::chrono::milliseconds> OnFailure(std::chrono::nanoseconds served) {
    if (served >= kHealthyAfter) failures_ = 0;
    if (++failures_ >= kFailuresMax) return std::nullopt;
    return kDelayMin * (1 << (failures_ - 1));
  }

 private:
  int failures_ = 0;
};

}  // namespace ocfsgw::fusefs
