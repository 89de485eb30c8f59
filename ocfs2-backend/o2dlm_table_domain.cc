#include "ocfs2-backend/o2dlm_table_domain.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/mount.h>
#include <sys/random.h>
#include <sys/stat.h>

#include <fmt/format.h>

#include "ocfs2-backend/lock_name.h"

namespace ocfsgw::ocfs2 {
namespace {

constexpr size_t kFirstRead = 4096;  // most tables are shorter

Status Unavailable(const std::string& what, const Status& why) {
  return {StatusCode::kUnavailable, fmt::format("fcntl=cluster: {}: {}", what, why.ToString())};
}

Result<size_t> ReadAt(int fd, uint64_t offset, std::span<std::byte> into) {
  size_t done = 0;
  while (done < into.size()) {
    const ssize_t got = Retry([&] {
      return ::pread(fd, into.data() + done, into.size() - done, static_cast<off_t>(offset + done));
    });
    if (got < 0) return Status::LastErrno("pread");
    if (got == 0) break;
    done += static_cast<size_t>(got);
  }
  return done;
}

/// What one of the two places of a table's file has; zeros beyond the end of the file.
Result<std::vector<std::byte>> ReadPlace(int fd, uint64_t offset) {
  std::vector<std::byte> bytes(kFirstRead);
  OCFSGW_ASSIGN_OR_RETURN(const size_t got, ReadAt(fd, offset, bytes));
  const size_t size = EncodedTableBytes(bytes);
  if (got < kFirstRead || size <= kFirstRead) return bytes;
  bytes.resize(size);
  OCFSGW_RETURN_IF_ERROR(ReadAt(fd, offset + kFirstRead, std::span(bytes).subspan(kFirstRead)).status());
  return bytes;
}

Result<UniqueFd> OpenDirectory(int at, const char* name, bool make) {
  if (make && ::mkdirat(at, name, 0700) != 0 && errno != EEXIST) return Status::LastErrno(name);
  UniqueFd fd(Retry([&] { return ::openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC); }));
  if (!fd) return Status::LastErrno(name);
  return fd;
}

}  // namespace

class O2dlmTableDomain::TableHold final : public TableDomain::Hold {
 public:
  TableHold(const O2dlmTableDomain& domain, uint32_t table, UniqueFd lock)
      : domain_(domain), table_(table), name_(fmt::format("{:03x}", table)), lock_(std::move(lock)) {}

  ~TableHold() override {
    lock_ = UniqueFd();
    domain_.DropLock(LockKind::kTable, table_);
  }

  Result<std::vector<RangeLock>> Read() override {
    OCFSGW_ASSIGN_OR_RETURN(const UniqueFd file, Open(O_RDONLY));
    if (!file) return std::vector<RangeLock>{};
    OCFSGW_ASSIGN_OR_RETURN(const auto even, ReadPlace(file.get(), 0));
    OCFSGW_ASSIGN_OR_RETURN(const auto odd, ReadPlace(file.get(), kTablePlaceBytes));
    OCFSGW_ASSIGN_OR_RETURN(auto table, NewestTable(even, odd));
    sequence_ = table.sequence;
    return std::move(table.locks);
  }

  Status Write(std::span<const RangeLock> locks) override {
    if (locks.size() > kTableLocksMax) return Status::FromErrno(ENOSPC, name_);
    OCFSGW_ASSIGN_OR_RETURN(const UniqueFd file, Open(O_WRONLY | O_CREAT));
    const std::vector<std::byte> bytes = EncodeTable(locks, sequence_ + 1);
    const auto offset = static_cast<off_t>((sequence_ + 1) % 2 * kTablePlaceBytes);
    const ssize_t put = Retry([&] { return ::pwrite(file.get(), bytes.data(), bytes.size(), offset); });
    if (put < 0 || ::fdatasync(file.get()) != 0) return Status::LastErrno(name_);
    if (static_cast<size_t>(put) < bytes.size()) return Status::FromErrno(ENOSPC, name_);
    ++sequence_;
    return Status::Ok();
  }

 private:
  // None if it is not there.
  Result<UniqueFd> Open(int flags) const {
    UniqueFd fd(Retry(
        [&] { return ::openat(domain_.files_.get(), name_.c_str(), flags | O_NOFOLLOW | O_CLOEXEC, 0600); }));
    if (!fd && errno != ENOENT) return Status::LastErrno(name_);
    return fd;
  }

  const O2dlmTableDomain& domain_;
  const uint32_t table_;
  const std::string name_;
  UniqueFd lock_;
  uint64_t sequence_ = 0;
};

Result<std::unique_ptr<O2dlmTableDomain>> O2dlmTableDomain::Open(const SourceMount& source) {
  std::unique_ptr<O2dlmTableDomain> domain(new O2dlmTableDomain);
  if (::getrandom(&domain->instance_, sizeof(domain->instance_), 0) != sizeof(domain->instance_)) {
    return Unavailable("getrandom", Status::LastErrno());
  }
  OCFSGW_RETURN_IF_ERROR(domain->OpenFiles(source));
  OCFSGW_RETURN_IF_ERROR(domain->OpenDomain(source.ocfs2().uuid));
  return domain;
}

Status O2dlmTableDomain::OpenDomain(const std::string& uuid) {
  const UniqueFd context(::fsopen("ocfs2_dlmfs", FSOPEN_CLOEXEC));
  if (!context || ::fsconfig(context.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) != 0) {
    return Unavailable("cannot mount dlmfs", Status::LastErrno());
  }
  dlmfs_ = UniqueFd(::fsmount(context.get(), FSMOUNT_CLOEXEC, 0));
  if (!dlmfs_) return Unavailable("cannot mount dlmfs", Status::LastErrno());
  auto directory = OpenDirectory(dlmfs_.get(), uuid.c_str(), true);
  if (!directory.ok()) return Unavailable("cannot join the lock domain", directory.status());
  domain_ = *std::move(directory);
  auto alive = OpenLock(LockKind::kGateway, instance_, O_RDWR);
  if (!alive.ok()) return Unavailable("cannot take a lock", alive.status());
  alive_ = *std::move(alive);
  const Status opened = recalls_.Open(
      "range-recall", {.on_start = nullptr,
                       .on_event = [this](EventKey key, uint32_t) { on_wanted_(key.slot, key.generation); },
                       .on_wake = [] {}});
  return opened.ok() ? opened : Unavailable("no thread", opened);
}

Status O2dlmTableDomain::OpenFiles(const SourceMount& source) {
  auto root = source.OpenVolumeRoot();
  if (!root.ok()) return Status(root.status().code(), "fcntl=cluster: " + root.status().ToString());
  auto ours = OpenDirectory(root->get(), ".ocfsgw", true);
  if (!ours.ok()) return Unavailable("cannot make a directory at the volume's root", ours.status());
  auto files = OpenDirectory(ours->get(), "locks", true);
  if (!files.ok()) return Unavailable("cannot make a directory in .ocfsgw", files.status());
  files_ = *std::move(files);
  return Status::Ok();
}

void O2dlmTableDomain::Start(OnWanted on_wanted) {
  on_wanted_ = std::move(on_wanted);
  recalls_.Start();
}

Result<UniqueFd> O2dlmTableDomain::OpenLock(LockKind kind, uint64_t number, int flags) const {
  const std::string name = LockName(kind, number, 0);
  UniqueFd fd(
      Retry([&] { return ::openat(domain_.get(), name.c_str(), flags | O_CREAT | O_CLOEXEC, 0600); }));
  if (!fd) return Status::LastErrno(name);
  return fd;
}

void O2dlmTableDomain::DropLock(LockKind kind, uint64_t number) const {
  ::unlinkat(domain_.get(), LockName(kind, number, 0).c_str(), 0);
}

Result<std::unique_ptr<TableDomain::Hold>> O2dlmTableDomain::Take(uint32_t table, TableLevel level,
                                                                  uint32_t grant) {
  OCFSGW_ASSIGN_OR_RETURN(
      UniqueFd lock, OpenLock(LockKind::kTable, table, level == TableLevel::kExclusive ? O_RDWR : O_RDONLY));
  OCFSGW_RETURN_IF_ERROR(recalls_.Watch(lock.get(), EPOLLIN | EPOLLONESHOT, {table, grant}));
  return std::unique_ptr<Hold>(new TableHold(*this, table, std::move(lock)));
}

bool O2dlmTableDomain::Alive(uint64_t instance) {
  // Not exclusively: several may look at the same time.
  const auto lock = OpenLock(LockKind::kGateway, instance, O_RDONLY | O_NONBLOCK);
  return !lock.ok();  // ETXTBSY; and where there is another reason, no lock is taken from anybody
}

}  // namespace ocfsgw::ocfs2
