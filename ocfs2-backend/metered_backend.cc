#include "ocfs2-backend/metered_backend.h"

#include <cerrno>
#include <type_traits>

namespace ocfsgw::ocfs2 {

using namespace coherence;  // NOLINT(google-build-using-namespace): every signature below is made of its
                            // types

namespace {

constexpr std::array<const char*, BackendCounters::kOps> kOpNames = {
    "lookup",    "stat",        "setattr",  "readlink", "readdir", "open",   "create",   "mknod",
    "mkdir",     "symlink",     "link",     "unlink",   "rmdir",   "rename", "getxattr", "listxattr",
    "setxattr",  "removexattr", "fsyncdir", "statfs",   "read",    "write",  "fsync",    "flush",
    "fallocate", "lseek",       "fstat",    "copy",     "flock",   "ioctl",  "birth",    "tmpfile",
};

template <typename Outcome>
Status StatusOf(const Outcome& outcome) {
  if constexpr (std::is_same_v<Outcome, Status>) {
    return outcome;
  } else {
    return outcome.status();
  }
}

class MeteredFile final : public BackendFile {
 public:
  MeteredFile(std::unique_ptr<BackendFile> file, std::shared_ptr<BackendCounters> counters)
      : below(std::move(file)), counters_(std::move(counters)) {}
  ~MeteredFile() override { AboutToBlock(); }  // the inode may be wiped

  Result<size_t> Read(uint64_t offset, std::span<std::byte> into) override {
    auto got = Counted(BackendOp::kRead, Below().Read(offset, into));
    if (got.ok()) counters_->read_bytes->Add(*got);
    return got;
  }
  int Descriptor() const override { return below->Descriptor(); }
  void ForgetPages() override { Below().ForgetPages(); }
  Result<size_t> Write(uint64_t offset, std::span<const std::byte> from, bool append) override {
    auto put = Counted(BackendOp::kWrite, Below().Write(offset, from, append));
    if (put.ok()) counters_->written_bytes->Add(*put);
    return put;
  }
  Status Sync(bool data_only) override { return Counted(BackendOp::kSync, Below().Sync(data_only)); }
  Status Flush() override { return Counted(BackendOp::kFlush, Below().Flush()); }
  Status Allocate(int mode, uint64_t offset, uint64_t length) override {
    return Counted(BackendOp::kAllocate, Below().Allocate(mode, offset, length));
  }
  Result<uint64_t> Seek(uint64_t offset, int whence) override {
    return Counted(BackendOp::kSeek, Below().Seek(offset, whence));
  }
  Result<FileAttr> Stat() override { return Counted(BackendOp::kFileStat, Below().Stat()); }

  Result<uint64_t> CopyFrom(BackendFile& source, uint64_t from, uint64_t to, uint64_t length) override {
    return Counted(BackendOp::kCopy,
                   Below().CopyFrom(*static_cast<MeteredFile&>(source).below, from, to, length));
  }
  Status Lock(int operation) override { return Counted(BackendOp::kLock, Below().Lock(operation)); }

  const std::unique_ptr<BackendFile> below;

 private:
  template <typename Outcome>
  Outcome Counted(BackendOp op, Outcome outcome) {
    counters_->Count(op, StatusOf(outcome));
    return outcome;
  }
  BackendFile& Below() {
    AboutToBlock();
    return *below;
  }
  const std::shared_ptr<BackendCounters> counters_;
};

}  // namespace

BackendCounters::BackendCounters(MetricsRegistry& registry) {
  for (size_t op = 0; op < kOps; ++op) {
    const MetricLabels labels = {{"op", kOpNames[op]}};
    operations[op] =
        &registry.AddCounter("ocfsgw_backend_operations_total", "Calls to the shared file system.", labels);
    errors[op] = &registry.AddCounter("ocfsgw_backend_errors_total",
                                      "Calls to the shared file system that failed.", labels);
  }
  read_bytes =
      &registry.AddCounter("ocfsgw_backend_read_bytes_total", "Bytes read from the shared file system.");
  written_bytes =
      &registry.AddCounter("ocfsgw_backend_written_bytes_total", "Bytes written to the shared file system.");
}

void BackendCounters::Count(BackendOp op, const Status& status) {
  operations[static_cast<size_t>(op)]->Add();
  if (!status.ok() && !status.IsErrno(ENOENT) && !status.IsErrno(ENODATA) && !status.IsErrno(EWOULDBLOCK)) {
    errors[static_cast<size_t>(op)]->Add();
  }
}

template <typename Outcome>
Outcome MeteredBackend::Counted(BackendOp op, Outcome outcome) {
  counters_->Count(op, StatusOf(outcome));
  return outcome;
}

Result<Found> MeteredBackend::Lookup(const NodeRef& parent, const std::string& name) {
  return Counted(BackendOp::kLookup, Below().Lookup(parent, name));
}
Result<FileAttr> MeteredBackend::Stat(const NodeRef& node) {
  return Counted(BackendOp::kStat, Below().Stat(node));
}
Result<std::optional<FileTime>> MeteredBackend::Birth(const NodeRef& node) {
  return Counted(BackendOp::kBirth, Below().Birth(node));
}
Result<FileAttr> MeteredBackend::SetAttr(const NodeRef& node, const AttrChange& change, BackendFile* file) {
  BackendFile* const below = file == nullptr ? nullptr : static_cast<MeteredFile*>(file)->below.get();
  return Counted(BackendOp::kSetAttr, Below().SetAttr(node, change, below));
}
Result<std::string> MeteredBackend::ReadLink(const NodeRef& node) {
  return Counted(BackendOp::kReadLink, Below().ReadLink(node));
}
Result<std::vector<DirectoryEntry>> MeteredBackend::List(const NodeRef& directory) {
  return Counted(BackendOp::kList, Below().List(directory));
}
Result<std::unique_ptr<BackendFile>> MeteredBackend::Open(const NodeRef& node, int flags) {
  OCFSGW_ASSIGN_OR_RETURN(auto file, Counted(BackendOp::kOpen, Below().Open(node, flags)));
  return std::unique_ptr<BackendFile>(std::make_unique<MeteredFile>(std::move(file), counters_));
}
Result<Created> MeteredBackend::Create(const NodeRef& parent, const std::string& name, uint32_t mode,
                                       int flags, const Caller& caller) {
  OCFSGW_ASSIGN_OR_RETURN(Created created,
                          Counted(BackendOp::kCreate, Below().Create(parent, name, mode, flags, caller)));
  created.file = std::make_unique<MeteredFile>(std::move(created.file), counters_);
  return created;
}
Result<Created> MeteredBackend::CreateUnnamed(const NodeRef& directory, uint32_t mode, int flags,
                                              const Caller& caller) {
  OCFSGW_ASSIGN_OR_RETURN(Created created, Counted(BackendOp::kCreateUnnamed,
                                                   Below().CreateUnnamed(directory, mode, flags, caller)));
  created.file = std::make_unique<MeteredFile>(std::move(created.file), counters_);
  return created;
}
Result<Found> MeteredBackend::MakeNode(const NodeRef& parent, const std::string& name, uint32_t mode,
                                       uint64_t rdev, const Caller& caller) {
  return Counted(BackendOp::kMakeNode, Below().MakeNode(parent, name, mode, rdev, caller));
}
Result<Found> MeteredBackend::MakeDirectory(const NodeRef& parent, const std::string& name, uint32_t mode,
                                            const Caller& caller) {
  return Counted(BackendOp::kMakeDirectory, Below().MakeDirectory(parent, name, mode, caller));
}
Result<Found> MeteredBackend::MakeSymlink(const NodeRef& parent, const std::string& name,
                                          const std::string& target, const Caller& caller) {
  return Counted(BackendOp::kMakeSymlink, Below().MakeSymlink(parent, name, target, caller));
}
Result<Found> MeteredBackend::Link(const NodeRef& node, const std::vector<Place>& places,
                                   const NodeRef& parent, const std::string& name) {
  return Counted(BackendOp::kLink, Below().Link(node, places, parent, name));
}
Status MeteredBackend::Unlink(const NodeRef& parent, const std::string& name) {
  return Counted(BackendOp::kUnlink, Below().Unlink(parent, name));
}
Status MeteredBackend::RemoveDirectory(const NodeRef& parent, const std::string& name) {
  return Counted(BackendOp::kRemoveDirectory, Below().RemoveDirectory(parent, name));
}
Status MeteredBackend::Rename(const NodeRef& from, const std::string& from_name, const NodeRef& to,
                              const std::string& to_name, unsigned flags, const Caller& caller) {
  return Counted(BackendOp::kRename, Below().Rename(from, from_name, to, to_name, flags, caller));
}
Result<std::string> MeteredBackend::GetXattr(const NodeRef& node, const std::string& name) {
  return Counted(BackendOp::kGetXattr, Below().GetXattr(node, name));
}
Result<std::string> MeteredBackend::ListXattr(const NodeRef& node) {
  return Counted(BackendOp::kListXattr, Below().ListXattr(node));
}
Status MeteredBackend::SetXattr(const NodeRef& node, const std::string& name,
                                std::span<const std::byte> value, int flags) {
  return Counted(BackendOp::kSetXattr, Below().SetXattr(node, name, value, flags));
}
Status MeteredBackend::RemoveXattr(const NodeRef& node, const std::string& name) {
  return Counted(BackendOp::kRemoveXattr, Below().RemoveXattr(node, name));
}
Result<std::string> MeteredBackend::Ioctl(const NodeRef& node, unsigned command,
                                          std::span<const std::byte> in) {
  return Counted(BackendOp::kIoctl, Below().Ioctl(node, command, in));
}
Status MeteredBackend::SyncDirectory(const NodeRef& directory, bool data_only) {
  return Counted(BackendOp::kSyncDirectory, Below().SyncDirectory(directory, data_only));
}
Result<struct statvfs> MeteredBackend::StatFs() { return Counted(BackendOp::kStatFs, Below().StatFs()); }

}  // namespace ocfsgw::ocfs2
