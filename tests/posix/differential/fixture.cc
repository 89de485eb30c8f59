#include "tests/posix/differential/fixture.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <filesystem>
#include <stdexcept>

#include "tests/posix/differential/acl.h"
#include "tests/posix/differential/actor.h"

namespace ocfsgw::posixdiff {
namespace {

namespace fs = std::filesystem;

void Check(bool done, const std::string& what) {
  if (!done) throw std::runtime_error("cannot make " + what + ": " + Outcome(-1));
}

class Fixture {
 public:
  explicit Fixture(std::string directory) : directory_(std::move(directory) + "/") {}

  void File(const std::string& name, size_t size, mode_t mode, uid_t uid, gid_t gid, off_t hole = 0) const {
    const std::string path = directory_ + name;
    const int fd = open(path.c_str(), O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600);
    Check(fd >= 0, path);
    const std::string data = Pattern(size, static_cast<int64_t>(size));
    const auto bytes = static_cast<ssize_t>(size);
    Check(pwrite(fd, data.data(), size, 0) == bytes && pwrite(fd, data.data(), size, hole) == bytes, path);
    Check(fchown(fd, uid, gid) == 0 && fchmod(fd, mode) == 0, path);
    close(fd);
  }
  void Directory(const std::string& name, mode_t mode, uid_t uid, gid_t gid) const {
    const std::string path = directory_ + name;
    Check(mkdir(path.c_str(), 0700) == 0 && chown(path.c_str(), uid, gid) == 0 &&
              chmod(path.c_str(), mode) == 0,
          path);
  }
  void Symlink(const std::string& target, const std::string& name) const {
    Check(symlink(target.c_str(), (directory_ + name).c_str()) == 0, name);
  }
  void Age(const std::string& name) const {
    const timespec times[2] = {{1'111'111'111, 11}, {1'222'222'222, 22}};
    Check(utimensat(AT_FDCWD, (directory_ + name).c_str(), times, AT_SYMLINK_NOFOLLOW) == 0, name);
  }
  const std::string& directory() const { return directory_; }

 private:
  const std::string directory_;
};

void ClearFlags(const fs::path& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
  int flags = 0;
  if (fd >= 0 && ioctl(fd, FS_IOC_GETFLAGS, &flags) == 0 && (flags & (FS_IMMUTABLE_FL | FS_APPEND_FL)) != 0) {
    flags &= ~(FS_IMMUTABLE_FL | FS_APPEND_FL);
    ioctl(fd, FS_IOC_SETFLAGS, &flags);
  }
  if (fd >= 0) close(fd);
}

}  // namespace

void MakeFixture(const std::string& directory) {
  const Fixture make(directory);
  make.Directory("d0", 0755, 0, 0);
  make.Directory("d0/e", 0777, 1002, 1002);
  make.Directory("d1", 01777, 0, 0);
  make.Directory("d2", 02777, 1002, kSharedGroup);
  make.Directory("d3", 0700, 1001, 1001);
  make.Directory("d4", 0777, 1001, kSharedGroup);
  make.File("f0", 10'000, 0644, 0, 0);
  make.File("f1", 3, 0666, 1001, 1001);
  make.File("f2", 100, 06777, 1002, 1002);
  make.File("f3", 5000, 0660, 1001, kSharedGroup, 1 << 20);
  make.File("d0/f", 4096, 0600, 1002, 1002);
  make.File("d1/f", 7, 0666, 1001, 1001);
  make.File("d2/f", 8192, 04755, 0, kSharedGroup);
  make.File("d3/f", 20'000, 0644, 1001, 1001);
  make.Symlink("f0", "l0");
  make.Symlink("d1", "l1");
  make.Symlink("nowhere", "l2");
  make.Symlink("l3", "l3");
  make.Symlink("..", "l4");
  make.Symlink("../f1", "d2/l0");
  Check(link((make.directory() + "f1").c_str(), (make.directory() + "h0").c_str()) == 0, "h0");
  Check(mkfifo((make.directory() + "p0").c_str(), 0600) == 0, "p0");
  // Where there are no access control lists or attributes, there are none on either side.
  const std::string acl = AclOf(64 + 1);
  setxattr((make.directory() + "d4").c_str(), "system.posix_acl_default", acl.data(), acl.size(), 0);
  for (const char* name : {"f0", "f1", "f2", "d1/f", "d0"}) {
    setxattr((make.directory() + name).c_str(), "user.a", "value", 5, 0);
  }
  for (const char* name : {"d0/e", "d0/f", "d1/f", "d2/f", "d3/f", "d2/l0", "d0", "d1", "d2", "d3", "d4",
                           "f0",   "f1",   "f2",   "f3",   "l0",   "l1",    "l2", "l3", "l4", "p0"}) {
    make.Age(name);
  }
}

void RemoveTree(const std::string& directory) {
  std::error_code error;
  fs::remove_all(directory, error);
  if (!error) return;
  ClearFlags(directory);
  for (auto at = fs::recursive_directory_iterator(directory, error); !error && at != fs::end(at);
       at.increment(error)) {
    if (at->is_regular_file(error) || at->is_directory(error)) ClearFlags(at->path());
  }
  fs::remove_all(directory, error);
}

}  // namespace ocfsgw::posixdiff
