// A log that one thread appends to and all follow.
//
// Source: what `tail --follow` does where it polls: fstat, then read what is new (coreutils, src/tail.c,
// tail_forever). The length of a line (120 bytes) and the number of lines in a round (50) are chosen. All
// that was appended before a follower asks for the size has to be there.
#include <fcntl.h>
#include <fmt/format.h>

#include "bench/workloads/files.h"
#include "bench/workloads/workload.h"

namespace ocfsgw::bench {
namespace {

constexpr size_t kLines = 50;  // in a round
constexpr uint64_t kLineBytes = 120;
constexpr const char* kLog = "log/access.log";

class LogTail : public Workload {
 public:
  explicit LogTail(const WorkloadParameters& parameters)
      : key_(KeyFor(parameters.seed, kLog)), seen_(parameters.threads) {}

  Status Prepare(Operations& ops) override { return MakeFile(ops, kLog, key_, 0); }

  Status Round(Operations& ops, unsigned thread, uint64_t) override {
    OCFSGW_ASSIGN_OR_RETURN(OpenedFile reader, ops.Open(kLog, O_RDONLY));
    std::optional<OpenedFile> writer;
    if (thread == 0) {
      OCFSGW_ASSIGN_OR_RETURN(OpenedFile opened, ops.Open(kLog, O_WRONLY | O_APPEND));
      writer.emplace(std::move(opened));
    }
    for (size_t i = 0; i < kLines; ++i) {
      if (writer) OCFSGW_RETURN_IF_ERROR(Append(ops, *writer));
      OCFSGW_RETURN_IF_ERROR(Follow(ops, reader, seen_[thread]));
    }
    if (writer) OCFSGW_RETURN_IF_ERROR(ops.Close(*std::move(writer)));
    return ops.Close(std::move(reader));
  }

 private:
  Status Append(Operations& ops, const OpenedFile& writer) {
    std::array<std::byte, kLineBytes> line{};
    const uint64_t at = appended_;
    FillContent(key_, at, line);
    OCFSGW_RETURN_IF_ERROR(ops.Write(writer, at, line));
    appended_ = at + kLineBytes;
    return Status::Ok();
  }

  Status Follow(Operations& ops, const OpenedFile& reader, uint64_t& seen) const {
    const uint64_t appended = appended_;
    OCFSGW_ASSIGN_OR_RETURN(const uint64_t size, ops.Size(reader));
    if (size < appended) {
      return ops.Wrong(kLog, fmt::format("{} bytes long after {} were written", size, appended));
    }
    if (size == seen) return Status::Ok();
    OCFSGW_RETURN_IF_ERROR(ReadPart(ops, reader, key_, seen, size - seen));
    seen = size;
    return Status::Ok();
  }

  const ContentKey key_;
  std::atomic<uint64_t> appended_{0};  // bytes that are written for sure
  std::vector<uint64_t> seen_;         // by thread: bytes read so far
};

}  // namespace

std::unique_ptr<Workload> MakeLogTail(const WorkloadParameters& parameters) {
  return std::make_unique<LogTail>(parameters);
}

}  // namespace ocfsgw::bench
