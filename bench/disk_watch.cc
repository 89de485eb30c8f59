#include "bench/disk_watch.h"

#include <sys/stat.h>

#include <filesystem>
#include <utility>

namespace ocfsgw::bench {
namespace {

constexpr uint64_t kStatBlockBytes = 512;  // unit of st_blocks, stat(2)

}  // namespace

uint64_t DiskUse(const std::string& directory) {
  uint64_t bytes = 0;
  std::error_code error;
  for (std::filesystem::recursive_directory_iterator it(directory, error), end; !error && it != end;
       it.increment(error)) {
    struct stat info;
    if (lstat(it->path().c_str(), &info) == 0) {
      bytes += static_cast<uint64_t>(info.st_blocks) * kStatBlockBytes;
    }
  }
  return bytes;
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
