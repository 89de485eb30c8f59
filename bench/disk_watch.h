#pragma once

#include <atomic>
#include <chrono>
#include <string>
#include <thread>
#include <vector>

#include "bench/cache_layout.h"

namespace ocfsgw::bench {

/// Bytes of disk that all files below `directory` take, as du counts: StoreDirectory::DiskBytesAt, and 0
/// where that fails.
uint64_t DiskUse(const std::string& directory);

/// Looks at the disk that a layout takes, in a thread of its own, from construction to Stop().
class DiskWatch {
 public:
  /// `layout` outlives the watch.
  DiskWatch(const CacheLayout& layout, std::string directory, std::chrono::milliseconds interval);
  ~DiskWatch() { Stop(); }
  DiskWatch(const DiskWatch&) = delete;
  DiskWatch& operator=(const DiskWatch&) = delete;

  void Stop();
  /// REQUIRES: stopped.
  const std::vector<LayoutSample>& samples() const { return samples_; }

 private:
  std::vector<LayoutSample> samples_;  // the thread's while it runs
  std::atomic<bool> stop_ = false;
  std::thread thread_;
};

}  // namespace ocfsgw::bench
