// Writing to a file that is there: all of it in order, and pages of it that have to be on disk each.
//
// 1 MiB at a time is what an upload or a backup writes; 4 KiB and fsync what a database does. 32 of them are
// chosen, 10 ms apart: within a clock tick (4 ms on most kernels) a file's times do not change again, and
// ext4 need not commit its journal for an fsync, so that whoever was fast would stay fast.
#include <fcntl.h>
#include <fmt/format.h>

#include <chrono>
#include <thread>

#include "bench/workloads/files.h"
#include "bench/workloads/workload.h"

namespace ocfsgw::bench {
namespace {

constexpr uint64_t kShareOfLarge = 4;
constexpr size_t kSyncedWrites = 32;
constexpr std::chrono::milliseconds kApart(10);

class LargeWrites : public Workload {
 public:
  LargeWrites(const WorkloadParameters& parameters, bool random)
      : seed_(parameters.seed), random_(random), step_(random ? 4096 : 1 << 20) {
    for (unsigned thread = 0; thread < parameters.threads; ++thread) {
      files_.push_back({fmt::format("data/f{}", thread),
                        std::vector<uint64_t>(parameters.large_bytes / kShareOfLarge / step_)});
    }
  }

  Status Prepare(Operations& ops) override {
    for (const File& file : files_) {
      OCFSGW_RETURN_IF_ERROR(
          MakeFile(ops, file.path, KeyFor(seed_, file.path), file.versions.size() * step_));
    }
    return Status::Ok();
  }

  Status Round(Operations& ops, unsigned thread, uint64_t round) override {
    File& file = files_[thread];
    OCFSGW_ASSIGN_OR_RETURN(OpenedFile opened, ops.Open(file.path, O_WRONLY));
    Random random = RandomFor(seed_, thread, round);
    std::vector<std::byte> piece(step_);
    const size_t writes = random_ ? kSyncedWrites : file.versions.size();
    for (size_t i = 0; i < writes; ++i) {
      const size_t block = random_ ? random.Below(file.versions.size()) : i;
      file.versions[block] = round + 1;
      FillContent(KeyFor(seed_, file.path, round + 1), block * step_, piece);
      OCFSGW_RETURN_IF_ERROR(ops.Write(opened, block * step_, piece));
      if (!random_) continue;
      OCFSGW_RETURN_IF_ERROR(ops.Sync(opened));
      std::this_thread::sleep_for(kApart);
    }
    return ops.Close(std::move(opened));
  }

  Status Verify(Operations& ops) override {
    for (const File& file : files_) {
      OCFSGW_ASSIGN_OR_RETURN(OpenedFile opened, ops.Open(file.path, O_RDONLY));
      for (size_t block = 0; block < file.versions.size(); ++block) {
        OCFSGW_RETURN_IF_ERROR(
            ReadPart(ops, opened, KeyFor(seed_, file.path, file.versions[block]), block * step_, step_));
      }
      OCFSGW_RETURN_IF_ERROR(ops.Close(std::move(opened)));
    }
    return Status::Ok();
  }

 private:
  struct File {
    std::string path;
    std::vector<uint64_t>
        versions;  ///< Of each piece of step_ bytes: 0, or 1 + the round that wrote it last.
  };

  const uint64_t seed_;
  const bool random_;
  const uint64_t step_;
  std::vector<File> files_;  ///< One for each thread.
};

}  // namespace

std::unique_ptr<Workload> MakeSequentialWrite(const WorkloadParameters& parameters) {
  return std::make_unique<LargeWrites>(parameters, false);
}

std::unique_ptr<Workload> MakeRandomWriteFsync(const WorkloadParameters& parameters) {
  return std::make_unique<LargeWrites>(parameters, true);
}

}  // namespace ocfsgw::bench
