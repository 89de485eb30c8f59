// Attributes, symbolic links' targets, extended attributes, statfs.
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstring>
#include <iostream>

#include "tests/kernel.h"
#include "tests/mount/operations.h"

namespace ocfsgw::mounttest {
namespace {

using OperationsAttr = OperationsTest;

TEST_F(OperationsAttr, EveryTypeAsInTheSource) {
  ASSERT_TRUE(WriteFile(Source("file"), Pattern(100'000, 1)));
  ASSERT_EQ(mkdir(Source("dir").c_str(), 0710), 0);
  ASSERT_EQ(mkdir(Source("dir/sub").c_str(), 01777), 0);
  ASSERT_EQ(symlink("file", Source("link").c_str()), 0);
  ASSERT_EQ(mknod(Source("fifo").c_str(), S_IFIFO | 0640, 0), 0);
  ASSERT_EQ(mknod(Source("socket").c_str(), S_IFSOCK | 0600, 0), 0);
  ASSERT_EQ(mknod(Source("character").c_str(), S_IFCHR | 0666, makedev(1, 3)), 0);
  ASSERT_EQ(mknod(Source("block").c_str(), S_IFBLK | 0660, makedev(259, 70'000)), 0);
  ASSERT_EQ(link(Source("file").c_str(), Source("dir/hard").c_str()), 0);
  gateway_.Barrier();
  for (const char* path :
       {"", "file", "dir", "dir/sub", "link", "fifo", "socket", "character", "block", "dir/hard"}) {
    ExpectSameAttributes(path);
    ExpectSameAttributes(path);  // now from the lease
  }
}

/// What statx(2) says of the time of birth.
std::string BirthOf(const std::string& path, unsigned mask = STATX_BASIC_STATS | STATX_BTIME, int flags = 0) {
  struct statx st {};
  if (statx(AT_FDCWD, path.c_str(), AT_SYMLINK_NOFOLLOW | flags, mask, &st) != 0) return std::strerror(errno);
  if ((st.stx_mask & STATX_BTIME) == 0) return "none";
  return std::to_string(st.stx_btime.tv_sec) + "." + std::to_string(st.stx_btime.tv_nsec);
}

TEST_F(OperationsAttr, TimeOfBirth) {
  if (KernelBefore(6, 6)) {
    std::cerr << "SKIPPED: before Linux 6.6 the kernel's FUSE does not ask for the time of birth"
              << std::endl;
    GTEST_SKIP();
  }
  ASSERT_TRUE(WriteFile(Source("file"), "data"));
  ASSERT_EQ(mkdir(Source("dir").c_str(), 0755), 0);
  ASSERT_EQ(symlink("file", Source("link").c_str()), 0);
  ASSERT_EQ(mknod(Source("fifo").c_str(), S_IFIFO | 0640, 0), 0);
  ASSERT_EQ(mknod(Source("device").c_str(), S_IFCHR | 0640, makedev(1, 300)), 0);
  gateway_.Barrier();
  const auto asked = [this] { return gateway_.Metric("ocfsgw_backend_operations_total{op=\"birth\"}"); };
  for (const char* path : {"", "file", "dir", "link", "fifo", "device"}) ExpectSameAttributes(path);
  EXPECT_EQ(asked(), 0) << "only who wants to know asks";
  for (const char* path : {"", "file", "dir", "link", "fifo", "device"}) {
    EXPECT_EQ(BirthOf(Mount(path)), BirthOf(Source(path))) << path;
    ExpectSameAttributes(path);                                      // what STATX has brought
    EXPECT_EQ(BirthOf(Mount(path)), BirthOf(Source(path))) << path;  // now from the kernel
    EXPECT_EQ(BirthOf(Mount(path), STATX_BTIME), BirthOf(Source(path))) << path;
  }
  // After a change elsewhere the attributes are others, the birth is as it was and is not looked for again.
  ASSERT_TRUE(OverwriteFile(Source("file"), "other data"));
  ASSERT_EQ(chmod(Source("dir").c_str(), 0700), 0);
  gateway_.Barrier();
  for (const char* path : {"file", "dir"}) {
    EXPECT_EQ(BirthOf(Mount(path)), BirthOf(Source(path))) << path;
    ExpectSameAttributes(path);
    EXPECT_EQ(BirthOf(Mount(path), STATX_BASIC_STATS | STATX_BTIME, AT_STATX_FORCE_SYNC),
              BirthOf(Source(path)));
  }
  if (BirthOf(Source()) != "none") EXPECT_EQ(asked(), 6) << "once per inode";
}

/// By a descriptor STATX brings the handle, and what has just been written through it.
TEST_F(OperationsAttr, TimeOfBirthOfAnOpenFile) {
  if (KernelBefore(6, 6)) GTEST_SKIP();
  const Descriptor fd(open(Mount("file").c_str(), O_RDWR | O_CREAT, 0640));
  for (const unsigned mask : {STATX_BASIC_STATS | STATX_BTIME, STATX_BTIME}) {
    ASSERT_EQ(write(fd.get(), "data", 4), 4);
    struct statx through {
    }, bare{};
    ASSERT_EQ(statx(fd.get(), "", AT_EMPTY_PATH, mask, &through), 0);
    ASSERT_EQ(statx(AT_FDCWD, Source("file").c_str(), 0, STATX_BASIC_STATS | STATX_BTIME, &bare), 0);
    EXPECT_EQ(through.stx_mask & STATX_BTIME, bare.stx_mask & STATX_BTIME);
    EXPECT_EQ(through.stx_btime.tv_sec, bare.stx_btime.tv_sec);
    EXPECT_EQ(through.stx_btime.tv_nsec, bare.stx_btime.tv_nsec);
    if ((mask & STATX_SIZE) != 0) EXPECT_EQ(through.stx_size, bare.stx_size);
    ExpectSameAttributes("file");
  }
  ASSERT_EQ(unlink(Mount("file").c_str()), 0);
  struct statx st {};
  EXPECT_EQ(statx(fd.get(), "", AT_EMPTY_PATH, STATX_BASIC_STATS | STATX_BTIME, &st), 0);
  EXPECT_EQ(st.stx_nlink, 0U);
  EXPECT_EQ(st.stx_size, 8U);
}

TEST_F(OperationsAttr, ModeAndOwner) {
  ASSERT_TRUE(WriteFile(Mount("file"), "data"));
  ASSERT_EQ(mkdir(Mount("dir").c_str(), 0755), 0);
  ASSERT_EQ(symlink("nowhere", Mount("link").c_str()), 0);
  for (const mode_t mode : {0U, 0644U, 0777U, 04755U, 02755U, 01777U, 07777U}) {
    for (const char* path : {"file", "dir"}) {
      EXPECT_EQ(chmod(Mount(path).c_str(), mode), 0);
      ExpectSameAttributes(path);
      struct stat st {};
      EXPECT_EQ(stat(Mount(path).c_str(), &st), 0);
      EXPECT_EQ(st.st_mode & 07777, mode) << path;
    }
  }
  for (const char* path : {"file", "dir", "link"}) {
    EXPECT_EQ(lchown(Mount(path).c_str(), 1234, 4321), 0);
    ExpectSameAttributes(path);
    EXPECT_EQ(lchown(Mount(path).c_str(), 99, -1), 0);
    EXPECT_EQ(lchown(Mount(path).c_str(), -1, 77), 0);
    ExpectSameAttributes(path);
  }
  const Descriptor fd(open(Mount("file").c_str(), O_RDONLY));
  EXPECT_EQ(fchmod(fd.get(), 0601), 0);
  EXPECT_EQ(fchown(fd.get(), 5, 6), 0);
  ExpectSameAttributes("file");
}

TEST_F(OperationsAttr, Truncate) {
  ASSERT_TRUE(WriteFile(Mount("file"), Pattern(300'000, 3)));
  for (const off_t size : {400'000, 131'073, 131'072, 4097, 4096, 1, 0, 1'000'000}) {
    EXPECT_EQ(truncate(Mount("file").c_str(), size), 0);
    ExpectSameAttributes("file");
    ExpectSameContents("file");
  }
  const Descriptor fd(open(Mount("file").c_str(), O_RDWR));
  EXPECT_EQ(pwrite(fd.get(), "end", 3, 500'000), 3);
  EXPECT_EQ(ftruncate(fd.get(), 500'001), 0);
  EXPECT_EQ(ReadAt(fd.get(), 10, 499'999), std::string("\0e", 2));
  ExpectSameAttributes("file");
  ExpectSameContents("file");
}

TEST_F(OperationsAttr, Times) {
  ASSERT_TRUE(WriteFile(Mount("file"), "data"));
  ASSERT_EQ(mkdir(Mount("dir").c_str(), 0755), 0);
  ASSERT_EQ(symlink("nowhere", Mount("link").c_str()), 0);
  static constexpr timespec kCases[][2] = {
      {{1'000'000'000, 123'456'789}, {1'500'000'000, 999'999'999}},
      {{-5, 1}, {0, 0}},
      {{0, UTIME_OMIT}, {1'600'000'000, 1}},
      {{1'700'000'000, 2}, {0, UTIME_OMIT}},
      {{0, UTIME_NOW}, {0, UTIME_OMIT}},
      {{0, UTIME_OMIT}, {0, UTIME_NOW}},
      {{0, UTIME_NOW}, {0, UTIME_NOW}},
  };
  for (const auto& times : kCases) {
    for (const char* path : {"file", "dir", "link"}) {
      struct stat before {};
      ASSERT_EQ(lstat(Mount(path).c_str(), &before), 0);
      EXPECT_EQ(utimensat(AT_FDCWD, Mount(path).c_str(), times, AT_SYMLINK_NOFOLLOW), 0);
      ExpectSameAttributes(path);
      struct stat after {};
      ASSERT_EQ(lstat(Mount(path).c_str(), &after), 0);
      const auto check = [](const timespec& asked, const timespec& was, const timespec& is) {
        if (asked.tv_nsec == UTIME_NOW) {
          EXPECT_GT(is.tv_sec, 1'700'000'000);
        } else {
          const timespec& expected = asked.tv_nsec == UTIME_OMIT ? was : asked;
          EXPECT_EQ(is.tv_sec, expected.tv_sec);
          EXPECT_EQ(is.tv_nsec, expected.tv_nsec);
        }
      };
      check(times[0], before.st_atim, after.st_atim);
      check(times[1], before.st_mtim, after.st_mtim);
    }
  }
  const Descriptor fd(open(Mount("file").c_str(), O_RDONLY));
  EXPECT_EQ(futimens(fd.get(), kCases[0]), 0);
  ExpectSameAttributes("file");
}

TEST_F(OperationsAttr, WritesMoveTheTimes) {
  ASSERT_TRUE(WriteFile(Mount("file"), "data"));
  static constexpr timespec kOld[2] = {{1, 0}, {1, 0}};
  for (const int flags : {O_WRONLY, O_RDWR}) {
    ASSERT_EQ(utimensat(AT_FDCWD, Mount("file").c_str(), kOld, 0), 0);
    const Descriptor fd(open(Mount("file").c_str(), flags));
    EXPECT_EQ(write(fd.get(), "x", 1), 1);
    struct stat st {};
    EXPECT_EQ(fstat(fd.get(), &st), 0);
    EXPECT_GT(st.st_mtime, 1);
    EXPECT_EQ(Describe(st), Describe(Source("file")));
  }
}

TEST_F(OperationsAttr, SymbolicLinks) {
  for (const size_t length : {1UL, 59UL, 60UL, 255UL, 1024UL, 4094UL, 4095UL}) {
    const std::string target = "t" + std::string(length - 1, '/');
    const std::string through = "through" + std::to_string(length);
    const std::string behind = "behind" + std::to_string(length);
    EXPECT_EQ(symlink(target.c_str(), Mount(through).c_str()),
              symlink(target.c_str(), Source(behind).c_str()))
        << length;
    gateway_.Barrier();
    ExpectSameAttributes(through);
    for (const std::string& path : {through, behind}) {
      std::string read(PATH_MAX + 1, '\0');
      std::string expected(PATH_MAX + 1, '\0');
      const ssize_t n = readlink(Mount(path).c_str(), read.data(), read.size());
      EXPECT_EQ(n, readlink(Source(path).c_str(), expected.data(), expected.size())) << length;
      EXPECT_TRUE(read == expected) << length;
    }
  }
  ASSERT_TRUE(WriteFile(Mount("file"), ""));
  char byte = 0;
  EXPECT_EQ(readlink(Mount("file").c_str(), &byte, 1), -1);
  EXPECT_EQ(errno, EINVAL);
}

TEST_F(OperationsAttr, ExtendedAttributes) {
  ASSERT_TRUE(WriteFile(Mount("file"), ""));
  ASSERT_EQ(mkdir(Mount("dir").c_str(), 0755), 0);
  ASSERT_EQ(symlink("file", Mount("link").c_str()), 0);
  for (const char* path : {"file", "dir", "link"}) {
    SCOPED_TRACE(path);
    const std::string through = Mount(path);
    const std::string behind = Source(path);
    const char* const name = path[0] == 'l' ? "trusted.one" : "user.one";
    const std::string value = Pattern(2000, 5);
    std::string got(3000, '\0');
    EXPECT_EQ(lgetxattr(through.c_str(), name, got.data(), got.size()), -1);
    EXPECT_EQ(errno, ENODATA);
    EXPECT_EQ(lsetxattr(through.c_str(), name, value.data(), value.size(), XATTR_REPLACE), -1);
    EXPECT_EQ(errno, ENODATA);
    EXPECT_EQ(lsetxattr(through.c_str(), name, value.data(), value.size(), XATTR_CREATE), 0);
    EXPECT_EQ(lsetxattr(through.c_str(), name, value.data(), value.size(), XATTR_CREATE), -1);
    EXPECT_EQ(errno, EEXIST);
    EXPECT_EQ(lgetxattr(through.c_str(), name, nullptr, 0), 2000);
    EXPECT_EQ(lgetxattr(through.c_str(), name, got.data(), 1999), -1);
    EXPECT_EQ(errno, ERANGE);
    ASSERT_EQ(lgetxattr(through.c_str(), name, got.data(), got.size()), 2000);
    EXPECT_TRUE(got.substr(0, 2000) == value);
    ASSERT_EQ(lgetxattr(behind.c_str(), name, got.data(), got.size()), 2000);
    EXPECT_TRUE(got.substr(0, 2000) == value);
    EXPECT_EQ(lsetxattr(through.c_str(), "trusted.empty", "", 0, 0), 0);
    EXPECT_EQ(lgetxattr(through.c_str(), "trusted.empty", got.data(), got.size()), 0);
    std::string names(1000, '\0');
    std::string expected(1000, '\0');
    EXPECT_EQ(llistxattr(through.c_str(), names.data(), names.size()),
              llistxattr(behind.c_str(), expected.data(), expected.size()));
    EXPECT_EQ(names, expected);
    EXPECT_EQ(llistxattr(through.c_str(), names.data(), 1), -1);
    EXPECT_EQ(errno, ERANGE);
    ExpectSameAttributes(path);
    EXPECT_EQ(lremovexattr(through.c_str(), name), 0);
    EXPECT_EQ(lremovexattr(through.c_str(), name), -1);
    EXPECT_EQ(errno, ENODATA);
    EXPECT_EQ(lgetxattr(behind.c_str(), name, got.data(), got.size()), -1);
    EXPECT_EQ(lsetxattr(through.c_str(), "no_such_namespace.x", "", 0, 0), -1);
    EXPECT_EQ(errno, EOPNOTSUPP);
  }
}

TEST_F(OperationsAttr, StatFs) {
  struct statvfs through {};
  struct statvfs behind {};
  ASSERT_EQ(statvfs(Mount().c_str(), &through), 0);
  ASSERT_EQ(statvfs(Source().c_str(), &behind), 0);
  EXPECT_EQ(through.f_bsize, behind.f_bsize);
  EXPECT_EQ(through.f_frsize, behind.f_frsize);
  EXPECT_EQ(through.f_blocks, behind.f_blocks);
  EXPECT_EQ(through.f_files, behind.f_files);
  EXPECT_EQ(through.f_namemax, behind.f_namemax);
  EXPECT_GT(through.f_bavail, 0U);
}

}  // namespace
}  // namespace ocfsgw::mounttest
