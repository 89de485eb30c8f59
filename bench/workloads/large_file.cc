// One large file from its begin to its end: by read, from a mapping, and past the page cache.
//
// 128 KiB is what cp(1) and cat(1) read at a time (coreutils, ioblksize.h). 1 MiB of a mapping, and for a
// read that should show what the disk can do, is chosen.
#include <fcntl.h>

#include <memory>
#include <new>

#include "bench/workloads/files.h"
#include "bench/workloads/workload.h"

namespace ocfsgw::bench {
namespace {

constexpr const char* kPath = "large";
constexpr size_t kAlignment = 4096;  // of O_DIRECT: a page, or a block of any disk

enum class How { kRead, kMapped, kDirect };

class LargeFile : public Workload {
 public:
  LargeFile(const WorkloadParameters& parameters, How how)
      : key_(KeyFor(parameters.seed, kPath)), bytes_(parameters.large_bytes), how_(how) {}

  Status Prepare(Operations& ops) override { return MakeFile(ops, kPath, key_, bytes_); }

  Status Round(Operations& ops, unsigned, uint64_t) override {
    OCFSGW_ASSIGN_OR_RETURN(OpenedFile file,
                            ops.Open(kPath, O_RDONLY | (how_ == How::kDirect ? O_DIRECT : 0)));
    OCFSGW_ASSIGN_OR_RETURN(const uint64_t bytes, ops.Size(file));
    if (bytes != bytes_) return ops.Wrong(kPath, "another size than was written");
    const uint64_t step = how_ == How::kRead ? 128 << 10 : 1 << 20;  // kLargeStep is a multiple of both
    const Aligned memory(step);
    for (uint64_t at = 0; at < bytes_; at += step) {
      if (how_ == How::kMapped) {
        OCFSGW_RETURN_IF_ERROR(ops.ReadMapped(file, at, memory.bytes));
      } else {
        OCFSGW_ASSIGN_OR_RETURN(const size_t got, ops.Read(file, at, memory.bytes));
        if (got != step) return ops.Wrong(kPath, "ends early");
      }
      OCFSGW_RETURN_IF_ERROR(CheckContent(ops, kPath, key_, at, memory.bytes));
    }
    return ops.Close(std::move(file));
  }

 private:
  struct Aligned {
    explicit Aligned(size_t size)
        : bytes(static_cast<std::byte*>(operator new(size, std::align_val_t(kAlignment))), size) {}
    ~Aligned() { operator delete(bytes.data(), std::align_val_t(kAlignment)); }
    Aligned(const Aligned&) = delete;
    Aligned& operator=(const Aligned&) = delete;
    const std::span<std::byte> bytes;
  };

  const ContentKey key_;
  const uint64_t bytes_;
  const How how_;
};

}  // namespace

std::unique_ptr<Workload> MakeSequentialRead(const WorkloadParameters& parameters) {
  return std::make_unique<LargeFile>(parameters, How::kRead);
}

std::unique_ptr<Workload> MakeMmapRead(const WorkloadParameters& parameters) {
  return std::make_unique<LargeFile>(parameters, How::kMapped);
}

std::unique_ptr<Workload> MakeDirectRead(const WorkloadParameters& parameters) {
  return std::make_unique<LargeFile>(parameters, How::kDirect);
}

}  // namespace ocfsgw::bench
