#pragma once

#include <atomic>
#include <cstdint>

namespace ocfsgw::coherence {

/// Of somebody who looks up the names of a directory in the order of its listing: whether he reads the files,
/// too. He does once the first blocks of kFiles of them had to be read from the backend, and does no longer
/// when he has left the last kFiles that he has looked up unread. Thread-safe, lock-free; relaxed, since only
/// what is read ahead depends on it.
class Walk {
 public:
  static constexpr uint32_t kFiles = 3;

  bool reads() const {
    return missed_.load(std::memory_order_relaxed) >= kFiles && !ended_.load(std::memory_order_relaxed);
  }
  /// He looks up a file that has data.
  void OnFile() {
    if (unread_.fetch_add(1, std::memory_order_relaxed) >= kFiles) {
      missed_.store(0, std::memory_order_relaxed);
    }
  }
  /// He reads the first block of one of them, for the first time; `missed`: from the backend.
  void OnRead(bool missed) {
    unread_.store(0, std::memory_order_relaxed);
    if (missed) missed_.fetch_add(1, std::memory_order_relaxed);
  }
  /// He has left the order: he reads nothing more, whatever else happens to the files.
  void End() { ended_.store(true, std::memory_order_relaxed); }

 private:
  std::atomic<uint32_t> missed_{0};
  std::atomic<uint32_t> unread_{0};  // files looked up since one was read
  std::atomic<bool> ended_{false};
};

}  // namespace ocfsgw::coherence
