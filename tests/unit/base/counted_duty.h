#pragma once

#include "base/blocking.h"

namespace ocfsgw {

/// While it lives, this thread has a duty; counts how often it is handed over, and then has it anew.
class CountedDuty final : public DutyHandover {
 public:
  CountedDuty() { thread_duty = this; }
  ~CountedDuty() { thread_duty = nullptr; }
  CountedDuty(const CountedDuty&) = delete;
  CountedDuty& operator=(const CountedDuty&) = delete;
  /// Since it was asked last.
  int Handed() {
    thread_duty = this;
    return std::exchange(handed_, 0);
  }

 private:
  void HandOver() override { ++handed_; }
  int handed_ = 0;
};

}  // namespace ocfsgw
