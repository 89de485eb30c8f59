// POSIX ACLs and inode flags.
#include <fcntl.h>
#include <grp.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "tests/kernel.h"
#include "tests/mount/operations.h"

namespace ocfsgw::mounttest {
namespace {

constexpr uid_t kUser = 12345;

class OperationsAcl : public OperationsTest {
 protected:
  void SetUp() override {
    OperationsTest::SetUp();
    ASSERT_EQ(chmod(Source().c_str(), 0755), 0);
    ASSERT_TRUE(WriteFile(Source("probe"), ""));
    if (RunProgram({"setfacl", "-m", "u:1:r", Source("probe")}).exit_code != 0) {
      GTEST_SKIP() << "no ACLs below " << Source();
    }
  }
  std::string Acl(const std::string& path) { return RunProgram({"getfacl", "-cpE", path}).out; }
  void Set(const std::string& acl, const std::string& path) {
    const Outcome set = RunProgram({"setfacl", "-m", acl, path});
    EXPECT_EQ(set.exit_code, 0) << set.err;
  }
  void ExpectSameAcl(const std::string& path) {
    EXPECT_EQ(Acl(Mount(path)), Acl(Source(path))) << path;
    ExpectSameAttributes(path);
  }
  static int OpenAsUser(const std::string& path, int flags) {
    Fork process([&] {
      if (setgroups(0, nullptr) != 0 || setgid(kUser) != 0 || setuid(kUser) != 0) return 255;
      return open(path.c_str(), flags) < 0 ? errno : 0;
    });
    return process.Wait();
  }
};

TEST_F(OperationsAcl, GrantAndDeny) {
  ASSERT_TRUE(WriteFile(Mount("f"), "text"));
  ASSERT_EQ(chmod(Mount("f").c_str(), 0600), 0);
  EXPECT_EQ(OpenAsUser(Mount("f"), O_RDONLY), EACCES);
  Set("u:12345:r", Mount("f"));
  ExpectSameAcl("f");
  EXPECT_EQ(OpenAsUser(Mount("f"), O_RDONLY), 0);
  EXPECT_EQ(OpenAsUser(Mount("f"), O_RDWR), EACCES);
  ASSERT_EQ(chmod(Mount("f").c_str(), 0600), 0);  // takes the mask away
  EXPECT_EQ(OpenAsUser(Mount("f"), O_RDONLY), EACCES);
  ExpectSameAcl("f");
}

/// A change behind the mount is judged by at once, as any other change of attributes.
TEST_F(OperationsAcl, ChangedBehindTheMount) {
  ASSERT_TRUE(WriteFile(Mount("f"), "text"));
  ASSERT_EQ(chmod(Mount("f").c_str(), 0600), 0);
  EXPECT_EQ(OpenAsUser(Mount("f"), O_RDONLY), EACCES);
  Set("u:12345:rw", Source("f"));
  EXPECT_TRUE(Eventually([&] { return OpenAsUser(Mount("f"), O_RDWR) == 0; }));
  EXPECT_EQ(RunProgram({"setfacl", "-b", Source("f")}).exit_code, 0);
  EXPECT_TRUE(Eventually([&] { return OpenAsUser(Mount("f"), O_RDONLY) == EACCES; }));
}

/// Where a directory has a default ACL it counts instead of the umask.
TEST_F(OperationsAcl, DefaultsAreInherited) {
  for (const std::string& top : {Mount("through"), Source("behind")}) {
    ASSERT_EQ(mkdir(top.c_str(), 0755), 0);
    Set("d:u:12345:rwx,d:g::rx,d:o::-", top);
    const mode_t before = umask(077);
    ASSERT_TRUE(WriteFile(top + "/file", ""));
    ASSERT_EQ(mkdir((top + "/dir").c_str(), 0777), 0);
    ASSERT_EQ(mknod((top + "/fifo").c_str(), S_IFIFO | 0666, 0), 0);
    ASSERT_TRUE(WriteFile(top + "/dir/file", ""));
    const Descriptor temporary(open((top + "/dir").c_str(), O_TMPFILE | O_WRONLY, 0666));
    const std::string self = "/proc/self/fd/" + std::to_string(temporary.get());
    const std::string name = top + "/named";
    if (temporary.get() >= 0 || !KernelBefore(6, 1)) {
      EXPECT_EQ(linkat(AT_FDCWD, self.c_str(), AT_FDCWD, name.c_str(), AT_SYMLINK_FOLLOW), 0);
    }
    umask(before);
  }
  for (const std::string path : {"", "/file", "/dir", "/fifo", "/dir/file", "/named"}) {
    if (path == "/named" && access(Mount("through" + path).c_str(), F_OK) != 0) continue;  // no O_TMPFILE
    EXPECT_EQ(Acl(Mount("through" + path)), Acl(Source("behind" + path))) << path;
    ExpectSameAcl("through" + path);
  }
}

/// A set-group-ID bit stays only for members of the group, and for root.
TEST_F(OperationsAcl, TakeTheSetGroupIdBitFromOthers) {
  for (const std::string& path : {Mount("f"), Source("g")}) {
    ASSERT_TRUE(WriteFile(path, ""));
    ASSERT_EQ(chown(path.c_str(), kUser, 54321), 0);
    ASSERT_EQ(chmod(path.c_str(), 02770), 0);
    Fork process([&] {
      if (setgroups(0, nullptr) != 0 || setgid(kUser) != 0 || setuid(kUser) != 0) return 255;
      execlp("setfacl", "setfacl", "-m", "u:1:r", path.c_str(), nullptr);
      return 254;
    });
    EXPECT_EQ(process.Wait(), 0);
  }
  struct stat f {
  }, g{};
  ASSERT_EQ(stat(Source("f").c_str(), &f), 0);
  ASSERT_EQ(stat(Source("g").c_str(), &g), 0);
  EXPECT_EQ(f.st_mode, g.st_mode);
  EXPECT_EQ(g.st_mode & S_ISGID, 0U);
}

int Flags(const std::string& path) {
  const Descriptor file(open(path.c_str(), O_RDONLY));
  int flags = 0;
  return ioctl(file.get(), FS_IOC_GETFLAGS, &flags) == 0 ? flags : -errno;
}

int SetFlags(const std::string& path, int flags) {
  const Descriptor file(open(path.c_str(), O_RDONLY));
  return ioctl(file.get(), FS_IOC_SETFLAGS, &flags) == 0 ? 0 : errno;
}

TEST_F(OperationsAcl, InodeFlags) {
  ASSERT_TRUE(WriteFile(Mount("f"), "text"));
  ASSERT_EQ(mkdir(Mount("d").c_str(), 0755), 0);
  if (Flags(Source("f")) < 0) GTEST_SKIP() << "no inode flags below " << Source();
  for (const char* const name : {"f", "d"}) {
    const std::string path = Mount(name);
    const int plain = Flags(path);
    EXPECT_EQ(plain, Flags(Source(name)));
    ASSERT_EQ(SetFlags(path, plain | FS_IMMUTABLE_FL), 0);
    EXPECT_EQ(Flags(Source(name)), plain | FS_IMMUTABLE_FL);
    EXPECT_NE(chmod(path.c_str(), 0700), 0);
    EXPECT_EQ(errno, EPERM);
    ASSERT_EQ(SetFlags(path, plain), 0);
  }
  EXPECT_EQ(ioctl(Descriptor(open(Mount("f").c_str(), O_RDONLY)).get(), FIGETBSZ + 77, nullptr), -1);
  EXPECT_EQ(errno, ENOTTY);
}

TEST_F(OperationsAcl, AppendOnly) {
  ASSERT_TRUE(WriteFile(Mount("log"), "one"));
  const int plain = Flags(Source("log"));
  if (plain < 0) GTEST_SKIP() << "no inode flags below " << Source();
  ASSERT_EQ(SetFlags(Mount("log"), plain | FS_APPEND_FL), 0);
  EXPECT_FALSE(WriteFile(Mount("log"), "new"));
  EXPECT_EQ(errno, EPERM);
  EXPECT_FALSE(OverwriteFile(Mount("log"), "x"));
  EXPECT_TRUE(AppendFile(Mount("log"), "two"));
  EXPECT_EQ(ReadFile(Mount("log")), "onetwo");
  ExpectSameContents("log");
  EXPECT_NE(unlink(Mount("log").c_str()), 0);
  EXPECT_EQ(SetFlags(Mount("log"), plain), 0);
}

}  // namespace
}  // namespace ocfsgw::mounttest
