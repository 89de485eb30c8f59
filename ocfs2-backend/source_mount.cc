#include "ocfs2-backend/source_mount.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include <array>

#include "base/checksum.h"
#include "base/log.h"
#include "base/mount_info.h"

namespace ocfsgw::ocfs2 {
namespace {

Status BadSource(const std::string& path, int err) {
  return {StatusCode::kInvalidArgument, path + ": " + Status::FromErrno(err).ToString()};
}

// A detached copy of the mount `path` lies on, starting there; none if the kernel does not permit it.
UniqueFd CloneTree(const std::string& path) {
  UniqueFd tree(::open_tree(AT_FDCWD, path.c_str(), OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC));
  if (!tree) return {};
  // Private, or mounts made below SOURCE later would appear in the copy.
  mount_attr attr{};
  attr.attr_set = MOUNT_ATTR_NOATIME;
  attr.attr_clr = MOUNT_ATTR__ATIME;
  attr.propagation = MS_PRIVATE;
  if (::mount_setattr(tree.get(), "", AT_EMPTY_PATH, &attr, sizeof(attr)) != 0) return {};
  return tree;
}

VolumeId HashVolume(const std::string& uuid, const struct statfs& fs) {
  if (!uuid.empty()) return VolumeId(Xxh3(std::as_bytes(std::span(uuid))));
  const std::array<int64_t, 3> words = {fs.f_fsid.__val[0], fs.f_fsid.__val[1], fs.f_type};
  return VolumeId(Xxh3(std::as_bytes(std::span(words))));
}

bool HasOption(const std::string& options, const std::string& option) {
  return ("," + options + ",").find("," + option + ",") != std::string::npos;
}

/// Inode number of the volume's root if the directory `fd` (inode `ino`) is it, else 0. The root is its own
/// `..` on disk; the number that stat(2) gives for `..` belongs to whatever is above the mount.
uint64_t VolumeRoot(int fd, uint64_t ino) {
  const int own = Retry([&] { return ::openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC); });
  DIR* const directory = own < 0 ? nullptr : ::fdopendir(own);
  if (directory == nullptr) {
    if (own >= 0) ::close(own);
    return 0;
  }
  uint64_t root = 0;
  while (const dirent64* entry = ::readdir64(directory)) {
    if (std::string_view(entry->d_name) == "..") root = entry->d_ino == ino ? ino : 0;
  }
  ::closedir(directory);
  return root;
}

}  // namespace

Result<std::unique_ptr<SourceMount>> SourceMount::Open(const std::string& path) {
  std::unique_ptr<SourceMount> source(new SourceMount);
  UniqueFd directory(Retry([&] { return ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC); }));
  if (!directory) return BadSource(path, errno);

  source->tree_ = CloneTree(path);
  if (source->tree_) {
    source->is_private_ = true;
    const int tree = source->tree_.get();
    source->root_ = UniqueFd(Retry([&] { return ::openat(tree, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC); }));
    if (!source->root_) return BadSource(path, errno);
  } else {
    log::Warning("{}: no private noatime mount ({}); reads may update access times, mount it noatime", path,
                 Status::LastErrno().ToString());
    source->root_ = std::move(directory);
  }

  struct stat st {};
  struct statfs fs {};
  if (::fstat(source->root_fd(), &st) != 0 || ::fstatfs(source->root_fd(), &fs) != 0) {
    return BadSource(path, errno);
  }
  source->device_ = st.st_dev;
  source->is_ocfs2_ = fs.f_type == OCFS2_SUPER_MAGIC;
  source->xattrs_move_ctime_ = source->is_ocfs2_ || fs.f_type == EXT4_SUPER_MAGIC ||
                               fs.f_type == XFS_SUPER_MAGIC || fs.f_type == BTRFS_SUPER_MAGIC;
  if (source->is_ocfs2_) {
    auto info = QueryOcfs2Info(source->root_fd());
    if (!info.ok()) return BadSource(path, info.status().sys_errno());
    source->ocfs2_ = std::move(info).value();
    source->ocfs2_.root_ino = VolumeRoot(source->root_fd(), st.st_ino);
  }
  source->volume_ = HashVolume(source->ocfs2_.uuid, fs);

  source->super_options_ = FindSuperOptions(ReadMountInfo(), st.st_dev);
  return source;
}

Status SourceMount::CheckClusterLeases() const {
  if (!is_ocfs2_)
    return {StatusCode::kUnsupported, "not an OCFS2 file system: use lease=local or lease=none"};
  if (super_options_.empty()) {
    return {StatusCode::kUnsupported, "mount options not found in /proc/self/mountinfo: is /proc mounted?"};
  }
  for (const char* option : {"coherency=buffered", "nocluster"}) {
    if (HasOption(super_options_, option)) {
      return {StatusCode::kUnsupported,
              std::string("mounted ") + option +
                  ", where cluster locks do not cover all writes: mount without it"};
    }
  }
  return Status::Ok();
}

Result<UniqueFd> SourceMount::OpenVolumeRoot() const {
  const auto open = [](int at, const char* path) {
    return UniqueFd(Retry([&] { return ::openat(at, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC); }));
  };
  if (ocfs2_.root_ino != 0) {
    UniqueFd root = open(root_fd(), ".");
    if (root) return root;
  }
  for (const std::string& path : FindRootMounts(ReadMountInfo(), device_)) {
    const UniqueFd tree = CloneTree(path);
    UniqueFd root = tree ? open(tree.get(), ".") : open(AT_FDCWD, path.c_str());
    struct stat st {};
    if (!root || ::fstat(root.get(), &st) != 0 || st.st_dev != device_) continue;
    if (VolumeRoot(root.get(), st.st_ino) != 0) return root;
  }
  return Status(StatusCode::kUnsupported,
                "the root of the volume is not mounted here: mount it somewhere, or its root as SOURCE");
}

std::vector<std::string> FindRootMounts(const std::string& mountinfo, dev_t device) {
  std::vector<std::string> paths;
  for (auto& mount : ParseMountInfo(mountinfo)) {
    if (mount.device == device && mount.root == "/") paths.push_back(std::move(mount.path));
  }
  return paths;
}

std::string FindSuperOptions(const std::string& mountinfo, dev_t device) {
  for (const auto& mount : ParseMountInfo(mountinfo)) {
    if (mount.device == device) return mount.super_options;
  }
  return {};
}

}  // namespace ocfsgw::ocfs2
