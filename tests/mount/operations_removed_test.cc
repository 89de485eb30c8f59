// What was removed and is still referred to: by a descriptor that is not an open file, or as a working
// directory.
#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <functional>
#include <memory>

#include "tests/mount/operations.h"

namespace ocfsgw::mounttest {
namespace {

class OperationsRemoved : public OperationsTest {
 protected:
  /// What was seen, a line each.
  using Seen = std::vector<std::string>;

  static std::string Told(const char* what, int64_t result) {
    return std::string(what) + ": " + (result < 0 ? std::strerror(errno) : std::to_string(result));
  }
  static void LookAt(int fd, const char* what, Seen& seen) {
    struct stat st {};
    seen.push_back(Told(what, fstat(fd, &st)) + " mode " + std::to_string(st.st_mode) + " links " +
                   std::to_string(st.st_nlink) + " size " +
                   (S_ISDIR(st.st_mode) ? "-" : std::to_string(st.st_size)) + " device " +
                   std::to_string(st.st_rdev) + " owner " + std::to_string(st.st_uid));
  }
  static int Entries(int fd) {
    const int copy = openat(fd, ".", O_RDONLY | O_DIRECTORY);
    if (copy < 0) return -1;
    const std::unique_ptr<DIR, int (*)(DIR*)> directory(fdopendir(copy), closedir);
    int entries = 0;
    errno = 0;
    while (readdir(directory.get()) != nullptr) ++entries;
    return errno == 0 ? entries : -1;
  }
  /// Everything that goes by the descriptor of a directory.
  static void UseDirectory(int fd, const std::string& top, Seen& seen) {
    char value[8];
    const timespec times[2] = {{1, 2}, {3, 4}};
    LookAt(fd, "directory", seen);
    seen.push_back(Told("fchmod", fchmod(fd, 0711)));
    seen.push_back(Told("fchown", fchown(fd, 7, 8)));
    seen.push_back(Told("futimens", futimens(fd, times)));
    seen.push_back(Told("fsetxattr", fsetxattr(fd, "user.x", "value", 5, 0)));
    seen.push_back(Told("fgetxattr", fgetxattr(fd, "user.x", value, sizeof value)));
    seen.push_back(Told("flistxattr", flistxattr(fd, value, sizeof value)));
    seen.push_back(Told("fsync", fsync(fd)));
    seen.push_back(Told("readdir", Entries(fd)));
    seen.push_back(Told("openat", openat(fd, "new", O_CREAT | O_WRONLY, 0600)));
    seen.push_back(Told("mkdirat", mkdirat(fd, "new", 0700)));
    seen.push_back(Told("fstatat", faccessat(fd, "none", F_OK, 0)));
    seen.push_back(Told("linkat", linkat(AT_FDCWD, (top + "/other").c_str(), fd, "new", 0)));
    seen.push_back(Told("renameat", renameat(AT_FDCWD, (top + "/other").c_str(), fd, "new")));
    seen.push_back(
        Told("O_TMPFILE", Descriptor(openat(fd, ".", O_TMPFILE | O_RDWR, 0600)).get() < 0 ? -1 : 0));
    LookAt(fd, "directory", seen);
  }
  /// The same below the mount and below the source.
  template <typename Look>
  void ExpectAsInTheSource(const Look& look) {
    for (const std::string& top : {Mount("through"), Source("bare")}) {
      ASSERT_EQ(mkdir(top.c_str(), 0755), 0);
      ASSERT_TRUE(WriteFile(top + "/other", "other"));
    }
    EXPECT_EQ(look(Mount("through")), look(Source("bare")));
  }
  /// Descriptors of the gateway's of what has been removed.
  int Held() const {
    int held = 0;
    for (const auto& fd :
         std::filesystem::directory_iterator("/proc/" + std::to_string(gateway_.pid()) + "/fd")) {
      std::error_code gone;
      const std::string path = std::filesystem::read_symlink(fd.path(), gone).string();
      const bool ours = path.starts_with(gateway_.cache_dir()) || path.starts_with("/memfd:");
      if (path.ends_with(" (deleted)") && !ours) ++held;
    }
    return held;
  }
};

TEST_F(OperationsRemoved, OpenDirectory) {
  ExpectAsInTheSource([](const std::string& top) {
    Seen seen;
    mkdir((top + "/dir").c_str(), 0755);
    const Descriptor fd(open((top + "/dir").c_str(), O_RDONLY | O_DIRECTORY));
    const Descriptor path(open((top + "/dir").c_str(), O_PATH));
    seen.push_back(Told("rmdir", rmdir((top + "/dir").c_str())));
    UseDirectory(fd.get(), top, seen);
    LookAt(path.get(), "O_PATH", seen);
    return seen;
  });
  EXPECT_TRUE(Eventually([&] { return Held() == 0; })) << Held();
}

TEST_F(OperationsRemoved, WorkingDirectory) {
  ExpectAsInTheSource([](const std::string& top) {
    Seen seen;
    char path[4096];
    struct stat st {};
    mkdir((top + "/dir").c_str(), 0755);
    EXPECT_EQ(chdir((top + "/dir").c_str()), 0);
    seen.push_back(Told("rmdir", rmdir((top + "/dir").c_str())));
    seen.push_back(Told("stat", stat(".", &st)) + " links " + std::to_string(st.st_nlink));
    seen.push_back(Told("chmod", chmod(".", 0700)));
    seen.push_back(Told("getcwd", getcwd(path, sizeof path) == nullptr ? -1 : 0));
    seen.push_back(Told("readdir", Entries(AT_FDCWD)));
    seen.push_back(Told("mkdir", mkdir("sub", 0700)));
    seen.push_back(Told("parent", chdir("..")));
    seen.push_back(Told("other", access("other", F_OK)));
    EXPECT_EQ(chdir("/"), 0);
    return seen;
  });
}

TEST_F(OperationsRemoved, DirectoryRenamedOver) {
  ExpectAsInTheSource([](const std::string& top) {
    Seen seen;
    mkdir((top + "/dir").c_str(), 0755);
    mkdir((top + "/new").c_str(), 0700);
    const Descriptor fd(open((top + "/dir").c_str(), O_RDONLY | O_DIRECTORY));
    const Descriptor stays(open((top + "/new").c_str(), O_RDONLY | O_DIRECTORY));
    seen.push_back(Told("rename", rename((top + "/new").c_str(), (top + "/dir").c_str())));
    UseDirectory(fd.get(), top, seen);
    LookAt(stays.get(), "renamed", seen);
    return seen;
  });
}

TEST_F(OperationsRemoved, EveryTypeByPathDescriptor) {
  ExpectAsInTheSource([](const std::string& top) {
    Seen seen;
    const std::string at = top + "/it";
    const std::string over = top + "/over";
    const std::pair<const char*, std::function<bool()>> kinds[] = {
        {"file", [&] { return WriteFile(at, "data"); }},
        {"link", [&] { return symlink("target", at.c_str()) == 0; }},
        {"fifo", [&] { return mknod(at.c_str(), S_IFIFO | 0640, 0) == 0; }},
        {"socket", [&] { return mknod(at.c_str(), S_IFSOCK | 0600, 0) == 0; }},
        {"device", [&] { return mknod(at.c_str(), S_IFCHR | 0600, makedev(1, 300)) == 0; }},
    };
    for (const bool by_rename : {false, true}) {
      for (const auto& [kind, make] : kinds) {
        EXPECT_TRUE(make()) << kind << " " << std::strerror(errno);
        const Descriptor fd(open(at.c_str(), O_PATH | O_NOFOLLOW));
        EXPECT_TRUE(WriteFile(over, "over"));
        seen.push_back(Told(kind, by_rename ? rename(over.c_str(), at.c_str()) : unlink(at.c_str())));
        LookAt(fd.get(), kind, seen);
        char target[100] = {};
        seen.push_back(Told("readlink", readlinkat(fd.get(), "", target, sizeof target)) + target);
        const std::string self = "/proc/self/fd/" + std::to_string(fd.get());
        if (std::strcmp(kind, "link") != 0) seen.push_back(Told("chmod", chmod(self.c_str(), 0604)));
        if (std::strcmp(kind, "file") == 0) seen.push_back("holds " + ReadFile(self).value_or("-"));
        seen.push_back(Told("link", linkat(fd.get(), "", AT_FDCWD, (top + "/again").c_str(), AT_EMPTY_PATH)));
        LookAt(fd.get(), kind, seen);
        unlink(at.c_str());
      }
    }
    return seen;
  });
  EXPECT_TRUE(Eventually([&] { return Held() == 0; })) << Held();
}

/// A FIFO that is open is none of the gateway's open files.
TEST_F(OperationsRemoved, OpenFifo) {
  ExpectAsInTheSource([](const std::string& top) {
    Seen seen;
    const std::string at = top + "/fifo";
    EXPECT_EQ(mkfifo(at.c_str(), 0600), 0);
    const Descriptor fd(open(at.c_str(), O_RDWR));
    EXPECT_EQ(unlink(at.c_str()), 0);
    seen.push_back(Told("write", write(fd.get(), "data", 4)));
    LookAt(fd.get(), "fifo", seen);
    seen.push_back(Told("fchmod", fchmod(fd.get(), 0640)));
    LookAt(fd.get(), "fifo", seen);
    return seen;
  });
}

/// Only the last name counts.
TEST_F(OperationsRemoved, OneNameAfterTheOther) {
  ExpectAsInTheSource([](const std::string& top) {
    Seen seen;
    EXPECT_TRUE(WriteFile(top + "/a", "data"));
    EXPECT_EQ(link((top + "/a").c_str(), (top + "/b").c_str()), 0);
    const Descriptor fd(open((top + "/a").c_str(), O_PATH));
    for (const char* name : {"/a", "/b"}) {
      seen.push_back(Told("unlink", unlink((top + name).c_str())));
      LookAt(fd.get(), name, seen);
    }
    return seen;
  });
}

/// A lease asked for after the removal is not to keep the file when it is closed: the space is free then.
TEST_F(OperationsRemoved, LeaseOfAnOpenFile) {
  ASSERT_TRUE(gateway_.Restart("hold_off_ms=10"));
  ASSERT_TRUE(WriteFile(Source("file"), Pattern(3'000'000, 1)));
  gateway_.Barrier();
  {
    const Descriptor fd(open(Mount("file").c_str(), O_RDONLY));
    ASSERT_EQ(unlink(Mount("file").c_str()), 0);
    const double before = gateway_.Metric("ocfsgw_leases_held");
    EXPECT_TRUE(Eventually([&] {
      struct stat st {};
      return fstat(fd.get(), &st) == 0 && ReadAt(fd.get(), 10) == Pattern(10, 1) &&
             gateway_.Metric("ocfsgw_leases_held") > before;
    })) << "no lease: this test shows nothing";
    EXPECT_GT(Held(), 0);
  }
  EXPECT_TRUE(Eventually([&] { return Held() == 0; })) << Held();
}

/// Nothing is held longer than the kernel knows it: the space is free then.
TEST_F(OperationsRemoved, NothingIsHeldOfWhatNobodyUses) {
  for (int i = 0; i < 300; ++i) {
    const std::string name = Mount("n" + std::to_string(i));
    if (i % 2 == 0) {
      ASSERT_EQ(mkdir(name.c_str(), 0700), 0);
      ASSERT_EQ(rmdir(name.c_str()), 0);
    } else {
      ASSERT_TRUE(WriteFile(name, "data"));
      ASSERT_EQ(unlink(name.c_str()), 0);
    }
  }
  EXPECT_TRUE(Eventually([&] { return Held() == 0; })) << Held();
  ASSERT_EQ(mkdir(Mount("dir").c_str(), 0700), 0);
  {
    const Descriptor fd(open(Mount("dir").c_str(), O_RDONLY | O_DIRECTORY));
    ASSERT_EQ(rmdir(Mount("dir").c_str()), 0);
    EXPECT_EQ(Held(), 1);
  }
  EXPECT_TRUE(Eventually([&] { return Held() == 0; })) << Held();
}

}  // namespace
}  // namespace ocfsgw::mounttest
