#include "cache/disk_probe.h"

#include <rocksdb/file_system.h>

#include <array>
#include <chrono>

#include "base/log.h"

namespace ocfsgw::cache {
namespace {

constexpr size_t kProbeBytes = 4096;  // O_DIRECT wants whole blocks, aligned as one (open(2))

/// Past the kernel's cache, which would be quick on any disk.
void WriteAndRead(rocksdb::FileSystem& files, const std::string& path) {
  alignas(kProbeBytes) std::array<char, kProbeBytes> block{};
  const rocksdb::IOOptions options;
  std::unique_ptr<rocksdb::FSWritableFile> written;
  if (files.NewWritableFile(path, {}, &written, nullptr).ok()) {
    (void)written->Append({block.data(), block.size()}, options, nullptr);
    (void)written->Fsync(options, nullptr);
    (void)written->Close(options, nullptr);
  }
  rocksdb::FileOptions direct;
  direct.use_direct_reads = true;
  std::unique_ptr<rocksdb::FSRandomAccessFile> file;
  if (files.NewRandomAccessFile(path, direct, &file, nullptr).ok()) {
    rocksdb::Slice got;
    (void)file->Read(0, block.size(), options, &got, block.data(), nullptr);
  }
  (void)files.DeleteFile(path, options, nullptr);
}

}  // namespace

DiskProbe::DiskProbe(StoreState* state, const std::string& database_path,
                     const RocksdbPageStoreOptions& options)
    : state_(state),
      database_path_(database_path),
      files_(options.file_system != nullptr ? options.file_system : rocksdb::FileSystem::Default()),
      limit_(options.slow_limit),
      interval_(options.slow_probe_interval) {}

void DiskProbe::Run() {
  while (AwaitSlow()) {
    const auto count = [](Duration time) {
      return std::chrono::duration_cast<std::chrono::milliseconds>(time).count();
    };
    log::Warning(
        "page store {}: its disk is slow, a look-up took more than {} ms; nothing is cached until "
        "it is quick again, trying every {} ms",
        database_path_, count(limit_), count(interval_));
    bool slow = true;
    while (slow && AwaitNextProbe()) {
      Probe();
      MutexLock lock(state_->mutex);
      slow = state_->disk.slow();
    }
    if (!slow) {
      log::Info("page store {}: its disk is quick again", database_path_);
    }
  }
}

/// False: the store is closed.
bool DiskProbe::AwaitSlow() {
  MutexLock lock(state_->mutex);
  while (!state_->stopping && !state_->disk.slow()) {
    state_->disk_slow.Wait(state_->mutex);
  }
  return !state_->stopping;
}

/// False: the store is closed.
bool DiskProbe::AwaitNextProbe() {
  const TimePoint at = std::chrono::steady_clock::now() + interval_;
  MutexLock lock(state_->mutex);
  while (!state_->stopping && state_->disk_slow.WaitUntil(state_->mutex, at)) {
  }
  return !state_->stopping;
}

/// One that fails counts by its time, too: errors are for those to find who read and write what matters.
void DiskProbe::Probe() {
  const TimePoint begin = std::chrono::steady_clock::now();
  WriteAndRead(*files_, database_path_ + "/PROBE");
  const TimePoint end = std::chrono::steady_clock::now();
  MutexLock lock(state_->mutex);
  state_->disk.Probed(end - begin, end);
}

}  // namespace ocfsgw::cache
