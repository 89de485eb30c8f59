// Permissions and ownership for other users than the one who mounts: the kernel checks permissions
// (default_permissions), the gateway gives new objects to the caller.
#include <fcntl.h>
#include <grp.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include "tests/mount/operations.h"

namespace ocfsgw::mounttest {
namespace {

constexpr uid_t kUser = 12345;
constexpr gid_t kGroup = 23456;
constexpr gid_t kOtherGroup = 34567;

class OperationsUsers : public OperationsTest {
 protected:
  /// Runs `body` as another user; its result, or 255 if the user could not be changed.
  template <typename Body>
  static int AsUser(const Body& body, uid_t uid = kUser, gid_t gid = kGroup) {
    Fork process([&] {
      if (setgroups(0, nullptr) != 0 || setgid(gid) != 0 || setuid(uid) != 0) return 255;
      return body();
    });
    return process.Wait();
  }
  static int ErrorOf(int result) { return result < 0 ? errno : 0; }
  struct stat Stat(const std::string& path) {
    struct stat st {};
    EXPECT_EQ(lstat(Source(path).c_str(), &st), 0) << path;
    return st;
  }
};

TEST_F(OperationsUsers, NewObjectsBelongToTheirMaker) {
  ASSERT_EQ(mkdir(Mount("open").c_str(), 0), 0);
  ASSERT_EQ(chmod(Mount("open").c_str(), 0777), 0);
  const int failed = AsUser([&] {
    umask(027);
    if (open(Mount("open/file").c_str(), O_CREAT | O_WRONLY, 0666) < 0) return 1;
    if (mkdir(Mount("open/dir").c_str(), 0777) != 0) return 2;
    if (symlink("file", Mount("open/link").c_str()) != 0) return 3;
    if (mknod(Mount("open/fifo").c_str(), S_IFIFO | 0666, 0) != 0) return 4;
    if (open(Mount("open/dir/file").c_str(), O_CREAT | O_RDWR, 0604) < 0) return 5;
    if (mknod(Mount("open/device").c_str(), S_IFCHR | 0666, 0x103) == 0 || errno != EPERM) return 6;
    return 0;
  });
  EXPECT_EQ(failed, 0);
  static constexpr std::pair<const char*, mode_t> kMade[] = {{"open/file", 0640},
                                                             {"open/dir", 0750},
                                                             {"open/link", 0777},
                                                             {"open/fifo", 0640},
                                                             {"open/dir/file", 0600}};
  for (const auto& [path, mode] : kMade) {
    EXPECT_EQ(Stat(path).st_uid, kUser) << path;
    EXPECT_EQ(Stat(path).st_gid, kGroup) << path;
    EXPECT_EQ(Stat(path).st_mode & 07777, mode) << path;
    ExpectSameAttributes(path);
  }
}

TEST_F(OperationsUsers, TemporaryFilesBelongToTheirMaker) {
  if (Descriptor(open(Mount().c_str(), O_TMPFILE | O_RDWR, 0600)).get() < 0) GTEST_SKIP() << "no O_TMPFILE";
  ASSERT_EQ(chmod(Source().c_str(), 0777), 0);
  gateway_.Barrier();
  const int failed = AsUser([&] {
    umask(027);
    const int fd = open(Mount().c_str(), O_TMPFILE | O_RDWR, 0666);
    if (fd < 0) return 1;
    const std::string self = "/proc/self/fd/" + std::to_string(fd);
    if (linkat(AT_FDCWD, self.c_str(), AT_FDCWD, Mount("file").c_str(), AT_SYMLINK_FOLLOW) != 0) return 2;
    if (write(fd, "data", 4) != 4) return 3;
    return 0;
  });
  EXPECT_EQ(failed, 0);
  EXPECT_EQ(Stat("file").st_uid, kUser);
  EXPECT_EQ(Stat("file").st_gid, kGroup);
  EXPECT_EQ(Stat("file").st_mode & 07777, 0640U);
  ExpectSameAttributes("file");
}

TEST_F(OperationsUsers, UmaskOfTheCaller) {
  for (const mode_t mask : {0U, 022U, 077U, 0777U}) {
    const std::string file = "file" + std::to_string(mask);
    const std::string dir = "dir" + std::to_string(mask);
    const mode_t before = umask(mask);
    EXPECT_GE(Descriptor(open(Mount(file).c_str(), O_CREAT | O_WRONLY, 0666)).get(), 0);
    EXPECT_EQ(mkdir(Mount(dir).c_str(), 0777), 0);
    umask(before);
    EXPECT_EQ(Stat(file).st_mode & 07777, 0666 & ~mask);
    EXPECT_EQ(Stat(dir).st_mode & 07777, 0777 & ~mask);
  }
}

TEST_F(OperationsUsers, SetGroupIdDirectories) {
  ASSERT_EQ(mkdir(Mount("shared").c_str(), 0777), 0);
  ASSERT_EQ(chown(Mount("shared").c_str(), 0, kOtherGroup), 0);
  ASSERT_EQ(chmod(Mount("shared").c_str(), 02777), 0);
  const int failed = AsUser([&] {
    if (open(Mount("shared/file").c_str(), O_CREAT | O_WRONLY, 0644) < 0) return 1;
    if (mkdir(Mount("shared/dir").c_str(), 0755) != 0) return 2;
    if (open(Mount("shared/dir/file").c_str(), O_CREAT | O_WRONLY, 0644) < 0) return 3;
    return 0;
  });
  EXPECT_EQ(failed, 0);
  for (const char* path : {"shared/file", "shared/dir", "shared/dir/file"}) {
    EXPECT_EQ(Stat(path).st_uid, kUser) << path;
    EXPECT_EQ(Stat(path).st_gid, kOtherGroup) << path;
    ExpectSameAttributes(path);
  }
  EXPECT_TRUE(Stat("shared/dir").st_mode & S_ISGID);
}

TEST_F(OperationsUsers, PermissionsAreChecked) {
  ASSERT_TRUE(WriteFile(Mount("secret"), "root's"));
  ASSERT_EQ(chmod(Mount("secret").c_str(), 0600), 0);
  ASSERT_TRUE(WriteFile(Mount("readable"), "all's"));
  ASSERT_EQ(mkdir(Mount("closed").c_str(), 0700), 0);
  ASSERT_TRUE(WriteFile(Mount("closed/file"), "hidden"));
  ASSERT_EQ(mkdir(Mount("sticky").c_str(), 0777), 0);
  ASSERT_EQ(chmod(Mount("sticky").c_str(), 01777), 0);
  ASSERT_TRUE(WriteFile(Mount("sticky/file"), "root's"));
  // Each of these fails in the same way in the source.
  const auto attempt = [](const std::string& at, int step) {
    switch (step) {
      case 0:
        return ErrorOf(open((at + "/secret").c_str(), O_RDONLY));
      case 1:
        return ErrorOf(open((at + "/readable").c_str(), O_WRONLY));
      case 2:
        return ErrorOf(open((at + "/closed/file").c_str(), O_RDONLY));
      case 3:
        return ErrorOf(open((at + "/new").c_str(), O_CREAT | O_WRONLY, 0600));
      case 4:
        return ErrorOf(unlink((at + "/readable").c_str()));
      case 5:
        return ErrorOf(unlink((at + "/sticky/file").c_str()));
      case 6:
        return ErrorOf(rename((at + "/sticky/file").c_str(), (at + "/sticky/x").c_str()));
      case 7:
        return ErrorOf(chmod((at + "/readable").c_str(), 0777));
      case 8:
        return ErrorOf(chown((at + "/readable").c_str(), kUser, kGroup));
      case 9:
        return ErrorOf(truncate((at + "/readable").c_str(), 0));
      case 10:
        return ErrorOf(utimensat(AT_FDCWD, (at + "/readable").c_str(), nullptr, 0));
      case 11:
        return ErrorOf(access((at + "/secret").c_str(), R_OK));
      default:
        return ErrorOf(mkdir((at + "/closed/dir").c_str(), 0700));
    }
  };
  for (int step = 0; step <= 12; ++step) {
    const int expected = AsUser([&] { return attempt(Source(), step); });
    EXPECT_NE(expected, 0) << step;
    EXPECT_EQ(AsUser([&] { return attempt(Mount(), step); }), expected) << step;
  }
  EXPECT_EQ(AsUser([&] { return ErrorOf(open(Mount("readable").c_str(), O_RDONLY)); }), 0);
  EXPECT_EQ(ReadFile(Source("secret")), "root's");
}

/// A user's write takes the set-id bits away, whichever way it comes.
TEST_F(OperationsUsers, SetIdBitsAreClearedByChanges) {
  const auto change = [](const std::string& path, int way) {
    switch (way) {
      case 0: {
        const int fd = open(path.c_str(), O_WRONLY);
        return write(fd, "x", 1) == 1 ? 0 : 1;
      }
      case 1: {
        const int fd = open(path.c_str(), O_RDWR);
        return write(fd, "x", 1) == 1 ? 0 : 1;
      }
      case 2: {
        const int fd = open(path.c_str(), O_WRONLY | O_APPEND);
        return write(fd, "x", 1) == 1 ? 0 : 1;
      }
      case 3:
        return truncate(path.c_str(), 1);
      case 4:
        return open(path.c_str(), O_WRONLY | O_TRUNC) >= 0 ? 0 : 1;
      case 5: {
        const int fd = open(path.c_str(), O_RDWR);
        return fallocate(fd, 0, 0, 4096);
      }
      default:
        return chown(path.c_str(), kUser, kGroup);
    }
  };
  for (int way = 0; way <= 6; ++way) {
    const std::string names[] = {Mount("through" + std::to_string(way)),
                                 Source("behind" + std::to_string(way))};
    mode_t modes[2] = {};
    for (int i = 0; i < 2; ++i) {
      ASSERT_TRUE(WriteFile(names[i], "#!/bin/sh"));
      ASSERT_EQ(chown(names[i].c_str(), kUser, kGroup), 0);
      ASSERT_EQ(chmod(names[i].c_str(), 06777), 0);
      EXPECT_EQ(AsUser([&] { return change(names[i], way); }), 0) << way;
      struct stat st {};
      ASSERT_EQ(stat(names[i].c_str(), &st), 0);
      modes[i] = st.st_mode;
    }
    EXPECT_EQ(modes[0], modes[1]) << "way " << way;
    ExpectSameAttributes("through" + std::to_string(way));
  }
}

TEST_F(OperationsUsers, WritesDoNotAskForCapabilities) {
  ASSERT_TRUE(WriteFile(Mount("file"), std::string(4096, 'a')));
  const auto asked = [this] { return gateway_.Metric("ocfsgw_backend_operations_total{op=\"getxattr\"}"); };
  const Descriptor file(open(Mount("file").c_str(), O_RDWR));
  ASSERT_EQ(pwrite(file.get(), "b", 1, 0), 1);
  const double before = asked();
  for (off_t i = 0; i < 100; ++i) ASSERT_EQ(pwrite(file.get(), "c", 1, i), 1);
  EXPECT_LE(asked() - before, 1) << "before Linux 5.11 it is one for each";
}

/// What users see who are root to themselves: as on the source, ids that they do not have included.
constexpr const char* kInNamespace = R"(
cd "$1" && id -u && stat -c '%u:%g %a' file && cat file
echo new >made && mkdir dir && ln made dir/link && mv made dir/moved && stat -c '%n %u:%g %h' dir dir/*
chown 1:1 dir/moved || echo "chown $?"
chmod 2750 dir && stat -c %a dir
echo stranger 2>&1 >>file || echo "denied"
setfacl -m u:0:r dir/moved && getfacl -cn dir/moved
rm -r dir; ls
)";

TEST_F(OperationsUsers, InAUserNamespace) {
  const auto run = [](const std::string& directory) {
    return RunProgram({"setpriv", "--reuid", std::to_string(kUser), "--regid", std::to_string(kGroup),
                       "--clear-groups", "unshare", "-Ur", "bash", "-c", kInNamespace, "bash", directory});
  };
  if (run("/proc").exit_code == 1)
    GTEST_SKIP() << "no user namespaces for users: kernel.unprivileged_userns_clone?";
  ASSERT_EQ(mkdir(Mount("work").c_str(), 0), 0);
  ASSERT_TRUE(WriteFile(Mount("work/file"), "of another\n"));
  ASSERT_EQ(chmod(Mount("work").c_str(), 0777), 0);
  const Outcome native = run(Source("work")), here = run(Mount("work"));
  EXPECT_EQ(native.exit_code, 0) << native.err;
  EXPECT_NE(native.out.find("denied"), std::string::npos) << native.out << native.err;
  EXPECT_EQ(here.exit_code, native.exit_code) << here.err;
  EXPECT_EQ(here.out, native.out);
}

// Without the right to open file handles: a descriptor for each inode, and nothing else is different.
TEST_F(OperationsUsers, AGatewayInAUserNamespace) {
  ASSERT_TRUE(gateway_.Unmount());
  constexpr const char* kMountAndTry = R"(
"$1" "$2" "$3" -o "$4" || exit 9
cd "$3" && echo one >file && mkdir dir && mv file dir/moved && ln dir/moved other && cat other && stat -c '%u %h' other
rm dir/moved && cat other && setfattr -n user.x -v y other && getfattr -n user.x --only-values other
cd / && umount "$3"
)";
  const Outcome outcome = RunProgram({"unshare", "-Urm", "bash", "-c", kMountAndTry, "bash",
                                      GatewayMount::Program(), Source(), Mount(), gateway_.Options()});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_EQ(outcome.out, "one\n0 2\none\ny") << outcome.err;
  EXPECT_EQ(ReadFile(Source("other")), "one\n");
}

TEST_F(OperationsUsers, OthersAreLockedOutWithoutAllowOther) {
  ASSERT_TRUE(WriteFile(Mount("readable"), "all's"));
  ASSERT_TRUE(gateway_.Restart());
  EXPECT_EQ(AsUser([&] { return ErrorOf(open(Mount("readable").c_str(), O_RDONLY)); }), EACCES);
}

}  // namespace
}  // namespace ocfsgw::mounttest
