#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>

namespace ocfsgw {

using TimePoint = std::chrono::steady_clock::time_point;
using Duration = std::chrono::steady_clock::duration;

/// The door to all time. Thread-safe.
class Clock {
 public:
  virtual ~Clock() = default;
  /// Monotonic; for deadlines and intervals.
  virtual TimePoint Now() const = 0;
  /// Nanoseconds since the epoch, as file time stamps count them; may jump.
  virtual int64_t WallNowNs() const = 0;
};

class RealClock final : public Clock {
 public:
  TimePoint Now() const override { return std::chrono::steady_clock::now(); }
  int64_t WallNowNs() const override {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(
               std::chrono::system_clock::now().time_since_epoch())
        .count();
  }
};

/// Stands still until told to move; for tests.
class SimClock final : public Clock {
 public:
  TimePoint Now() const override { return TimePoint(Duration(now_ns_.load(std::memory_order_relaxed))); }
  int64_t WallNowNs() const override { return wall_ns_.load(std::memory_order_relaxed); }
  void Advance(Duration by) {
    now_ns_.fetch_add(by.count(), std::memory_order_relaxed);
    wall_ns_.fetch_add(std::chrono::duration_cast<std::chrono::nanoseconds>(by).count(),
                       std::memory_order_relaxed);
  }
  void SetWallNs(int64_t ns) { wall_ns_.store(ns, std::memory_order_relaxed); }

 private:
  std::atomic<Duration::rep> now_ns_{1};
  std::atomic<int64_t> wall_ns_{1'600'000'000'000'000'000};
};

}  // namespace ocfsgw
