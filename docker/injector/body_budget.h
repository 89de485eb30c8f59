#pragma once

#include <atomic>
#include <cstdint>

namespace ocfsgw::injector {

/// Bytes that the bodies of all requests under way may take together. Thread-safe (one atomic, relaxed: it
/// counts).
class BodyBudget {
 public:
  explicit BodyBudget(uint64_t bytes_max) : left_(static_cast<int64_t>(bytes_max)) {}

  /// False: not that many are left; nothing is taken.
  [[nodiscard]] bool Take(uint64_t bytes) {
    const auto wanted = static_cast<int64_t>(bytes);
    if (left_.fetch_sub(wanted, std::memory_order_relaxed) >= wanted) return true;
    GiveBack(bytes);
    return false;
  }
  void GiveBack(uint64_t bytes) { left_.fetch_add(static_cast<int64_t>(bytes), std::memory_order_relaxed); }

 private:
  std::atomic<int64_t> left_;
};

}  // namespace ocfsgw::injector
