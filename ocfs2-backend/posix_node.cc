#include "ocfs2-backend/posix_node.h"

#include <fcntl.h>

#include <cstring>

#include "base/checksum.h"

namespace ocfsgw::ocfs2 {
namespace {

constexpr size_t kHandleHeaderBytes = sizeof(struct file_handle);
constexpr int kOcfs2HandleType = 1;  // FILEID_INO32_GEN; fs/ocfs2/export.c without the parent
constexpr size_t kOcfs2HandleBytes = 12;

coherence::FileTime TimeOf(const struct timespec& ts) {
  return {ts.tv_sec, static_cast<uint32_t>(ts.tv_nsec)};
}

}  // namespace

Result<std::string> HandleOf(int fd) {
  struct alignas(struct file_handle) {
    char bytes[kHandleHeaderBytes + MAX_HANDLE_SZ];
  } buffer{};
  auto* handle = reinterpret_cast<struct file_handle*>(buffer.bytes);
  handle->handle_bytes = MAX_HANDLE_SZ;
  int mount_id = 0;
  if (::name_to_handle_at(fd, "", handle, &mount_id, AT_EMPTY_PATH) != 0) {
    return Status::LastErrno("name_to_handle_at");
  }
  return std::string(buffer.bytes, kHandleHeaderBytes + handle->handle_bytes);
}

Result<UniqueFd> OpenHandle(int mount_fd, const std::string& handle, int flags) {
  // The kernel only reads the handle; glibc's prototype wants it mutable. A string's bytes are aligned for
  // it.
  auto* raw = reinterpret_cast<struct file_handle*>(const_cast<char*>(handle.data()));
  UniqueFd fd(Retry([&] { return ::open_by_handle_at(mount_fd, raw, flags | O_CLOEXEC); }));
  // While the inode is being deleted the kernel may say ENOMEM for it.
  if (!fd) return Status::FromErrno(errno == ENOMEM ? ESTALE : errno, "open_by_handle_at");
  return fd;
}

std::optional<InodeId> IdOfHandle(const std::string& handle, uint64_t ino, bool is_ocfs2) {
  struct file_handle header {};
  if (handle.size() <= kHandleHeaderBytes || handle.size() > kHandleHeaderBytes + MAX_HANDLE_SZ) return {};
  std::memcpy(&header, handle.data(), kHandleHeaderBytes);
  if (header.handle_bytes != handle.size() - kHandleHeaderBytes) return {};
  if (!is_ocfs2) return InodeId{ino, static_cast<uint32_t>(Xxh3(std::as_bytes(std::span(handle))))};

  if (header.handle_type != kOcfs2HandleType || header.handle_bytes != kOcfs2HandleBytes) return {};
  const auto word = [&](size_t index) {
    uint64_t value = 0;
    for (size_t i = 4; i-- > 0;) {
      value = value << 8 | static_cast<uint8_t>(handle[kHandleHeaderBytes + 4 * index + i]);
    }
    return value;
  };
  if ((word(0) << 32 | word(1)) != ino) return {};
  return InodeId{ino, static_cast<uint32_t>(word(2))};
}

Result<std::optional<coherence::FileTime>> BirthOf(int fd) {
  struct statx st {};
  if (Retry([&] { return ::statx(fd, "", AT_EMPTY_PATH, STATX_BTIME, &st); }) != 0) {
    return Status::LastErrno("statx");
  }
  std::optional<coherence::FileTime> birth;
  if ((st.stx_mask & STATX_BTIME) != 0) birth = {st.stx_btime.tv_sec, st.stx_btime.tv_nsec};
  return birth;
}

coherence::FileAttr AttrFromStat(const struct stat& st, InodeId id) {
  coherence::FileAttr attr;
  attr.id = id;
  attr.mode = st.st_mode;
  attr.nlink = static_cast<uint32_t>(st.st_nlink);
  attr.uid = st.st_uid;
  attr.gid = st.st_gid;
  attr.rdev = st.st_rdev;
  attr.size = static_cast<uint64_t>(st.st_size);
  attr.blocks = static_cast<uint64_t>(st.st_blocks);
  attr.blksize = static_cast<uint32_t>(st.st_blksize);
  attr.atime = TimeOf(st.st_atim);
  attr.mtime = TimeOf(st.st_mtim);
  attr.ctime = TimeOf(st.st_ctim);
  return attr;
}

Status CheckName(const std::string& name) {
  const bool bad = name.empty() || name == "." || name == ".." ||
                   name.find_first_of(std::string_view("/\0", 2)) != std::string::npos;
  return bad ? Status::FromErrno(EINVAL, "name '" + name + "'") : Status::Ok();
}

}  // namespace ocfsgw::ocfs2
