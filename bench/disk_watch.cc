#include "bench/disk_watch.h"

#include <utility>

#include "cache/store_directory.h"

namespace ocfsgw::bench {
uint64_t DiskUse(const std::string& directory) {
  const auto bytes = cache::StoreDirectory::DiskBytesAt(directory);
  return bytes.ok() ? *bytes : 0;
}

DiskWatch::DiskWatch(const CacheLayout& layout, std::string directory, std::chrono::milliseconds interval)
    : thread_([this, &layout, directory = std::move(directory), interval] {
        const auto begin = std::chrono::steady_clock::now();
        do {
          LayoutSample sample;
          sample.evicted = layout.evicted();
          sample.inserted_bytes = layout.inserted_bytes();
          sample.disk_bytes = DiskUse(directory);
          sample.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
          samples_.push_back(sample);
          std::this_thread::sleep_for(interval);
        } while (!stop_);
      }) {}

void DiskWatch::Stop() {
  stop_ = true;
  if (thread_.joinable()) thread_.join();
}

}  // namespace ocfsgw::bench
