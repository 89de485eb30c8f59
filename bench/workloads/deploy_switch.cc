// A new release of an application, switched to at once, while it is in use.
//
// Source: the directories of Capistrano, capistranorb.com/documentation/getting-started/structure:
// releases/N, and `current`, a symbolic link to the one in use, replaced by rename. In each round the first
// thread writes a release, switches and removes the one before the last, and all threads read 100 files
// through the link. Whoever follows the link after the switch has to find the new release, and never files of
// two in one file. The number of files (50 of 1 to 16 KiB) is chosen.
#include <fcntl.h>
#include <fmt/format.h>

#include "bench/workloads/files.h"
#include "bench/workloads/workload.h"

namespace ocfsgw::bench {
namespace {

constexpr size_t kFiles = 50;
constexpr size_t kReads = 100;  // in a round

class DeploySwitch : public Workload {
 public:
  explicit DeploySwitch(uint64_t seed) : seed_(seed) {
    Random random(seed);
    for (size_t i = 0; i < kFiles; ++i) {
      files_.push_back({fmt::format("app/part{}/file{}.php", i % 5, i), 1024 + random.Below(15 * 1024)});
    }
  }

  Status Prepare(Operations& ops) override {
    OCFSGW_RETURN_IF_ERROR(ops.MakeDirectory("releases"));
    return Deploy(ops, 0);
  }

  Status Round(Operations& ops, unsigned thread, uint64_t round) override {
    if (thread == 0) {
      OCFSGW_RETURN_IF_ERROR(Deploy(ops, round + 1));
      if (round > 0) OCFSGW_RETURN_IF_ERROR(RemoveRelease(ops, round - 1));
    }
    Random random = RandomFor(seed_, thread, round);
    for (size_t i = 0; i < kReads; ++i) {
      OCFSGW_RETURN_IF_ERROR(ReadCurrent(ops, files_[random.Below(kFiles)], round + 1));
    }
    return Status::Ok();
  }

 private:
  static std::string Release(uint64_t number) { return fmt::format("releases/{}", number); }

  Status Deploy(Operations& ops, uint64_t release) {
    for (const SiteFile& file : files_) {
      const ContentKey key = KeyFor(seed_, file.path, release);
      OCFSGW_RETURN_IF_ERROR(MakeFile(ops, Release(release) + "/" + file.path, key, file.bytes));
    }
    OCFSGW_RETURN_IF_ERROR(ops.MakeSymlink(Release(release), "current.new"));
    OCFSGW_RETURN_IF_ERROR(ops.Rename("current.new", "current"));
    current_ = release;
    return Status::Ok();
  }

  Status RemoveRelease(Operations& ops, uint64_t release) const {
    const std::string top = Release(release);
    for (const SiteFile& file : files_) OCFSGW_RETURN_IF_ERROR(ops.Remove(top + "/" + file.path));
    OCFSGW_ASSIGN_OR_RETURN(const std::vector<std::string> parts, ops.List(top + "/app"));
    for (const std::string& part : parts) {
      OCFSGW_RETURN_IF_ERROR(ops.RemoveDirectory(top + "/app/" + part));
    }
    OCFSGW_RETURN_IF_ERROR(ops.RemoveDirectory(top + "/app"));
    return ops.RemoveDirectory(top);
  }

  /// The release is told by the content, and may be any from the one in use before the open to `newest`.
  Status ReadCurrent(Operations& ops, const SiteFile& file, uint64_t newest) const {
    const uint64_t oldest = current_;
    const std::string path = "current/" + file.path;
    OCFSGW_ASSIGN_OR_RETURN(OpenedFile opened, ops.Open(path, O_RDONLY));
    std::vector<std::byte> bytes(file.bytes + 1);
    OCFSGW_ASSIGN_OR_RETURN(const size_t got, ops.Read(opened, 0, bytes));
    if (got != file.bytes) return ops.Wrong(path, fmt::format("{} bytes, not {}", got, file.bytes));
    OCFSGW_RETURN_IF_ERROR(ops.Close(std::move(opened)));
    for (uint64_t release = newest; release + 1 > oldest; --release) {
      if (!FirstWrongByte(KeyFor(seed_, file.path, release), 0, std::span(bytes).first(got))) {
        return Status::Ok();
      }
      if (release == 0) break;
    }
    return ops.Wrong(path, fmt::format("neither release {} nor {}", oldest, newest));
  }

  const uint64_t seed_;
  std::vector<SiteFile> files_;
  std::atomic<uint64_t> current_{0};  // switched to for sure
};

}  // namespace

std::unique_ptr<Workload> MakeDeploySwitch(const WorkloadParameters& parameters) {
  return std::make_unique<DeploySwitch>(parameters.seed);
}

}  // namespace ocfsgw::bench
