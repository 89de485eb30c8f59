// Data of open files.
#include <fcntl.h>
#include <linux/falloc.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <memory>
#include <random>

#include "tests/kernel.h"
#include "tests/mount/operations.h"

namespace ocfsgw::mounttest {
namespace {

class OperationsFiles : public OperationsTest {
 protected:
  static Descriptor Open(const std::string& path, int flags, mode_t mode = 0644) {
    return Descriptor(open(path.c_str(), flags, mode));
  }
};

TEST_F(OperationsFiles, RandomReadsAndWritesAgainstAModel) {
  constexpr size_t kSizeMax = 700'000;
  std::mt19937_64 random(TestSeed());
  const auto below = [&random](size_t n) { return static_cast<size_t>(random() % n); };
  std::string model;
  const Descriptor both = Open(Mount("file"), O_RDWR | O_CREAT);
  const Descriptor writer = Open(Mount("file"), O_WRONLY);
  const Descriptor reader = Open(Mount("file"), O_RDONLY);
  for (int step = 0; step < 600; ++step) {
    const size_t offset = below(kSizeMax);
    const size_t size = 1 + below(below(2) == 0 ? 200 : 200'000);
    switch (below(5)) {
      case 0:
      case 1: {
        const std::string data = Pattern(size, random());
        const int fd = below(2) == 0 ? both.get() : writer.get();
        ASSERT_EQ(pwrite(fd, data.data(), size, static_cast<off_t>(offset)), static_cast<ssize_t>(size))
            << step;
        if (model.size() < offset + size) model.resize(offset + size);
        model.replace(offset, size, data);
        break;
      }
      case 2: {
        ASSERT_EQ(ftruncate(both.get(), static_cast<off_t>(offset)), 0) << step;
        model.resize(offset);
        break;
      }
      default: {
        const int fd = below(2) == 0 ? both.get() : reader.get();
        const std::string expected = offset < model.size() ? model.substr(offset, size) : "";
        ASSERT_TRUE(ReadAt(fd, size, static_cast<off_t>(offset)) == expected)
            << "step " << step << " offset " << offset << " size " << size;
      }
    }
  }
  EXPECT_TRUE(ReadFile(Mount("file")) == model);
  EXPECT_TRUE(ReadFile(Source("file")) == model);
  ExpectSameAttributes("file");
}

TEST_F(OperationsFiles, TwoAppendersLoseNothing) {
  constexpr int kRecords = 400;
  constexpr size_t kRecordBytes = 16;
  ASSERT_TRUE(WriteFile(Mount("log"), ""));
  const auto append = [&](char who) {
    const int fd = open(Mount("log").c_str(), (who == 'a' ? O_WRONLY : O_RDWR) | O_APPEND);
    for (int i = 0; i < kRecords; ++i) {
      char record[kRecordBytes + 1];
      std::snprintf(record, sizeof record, "%c%014d\n", who, i);
      if (write(fd, record, kRecordBytes) != kRecordBytes) return 1;
    }
    return 0;
  };
  Fork a([&] { return append('a'); });
  Fork b([&] { return append('b'); });
  EXPECT_EQ(a.Wait(), 0);
  EXPECT_EQ(b.Wait(), 0);
  const std::string log = ReadFile(Mount("log")).value_or("");
  ASSERT_EQ(log.size(), 2 * kRecords * kRecordBytes);
  EXPECT_EQ(log, ReadFile(Source("log")));
  int next[2] = {0, 0};
  for (size_t at = 0; at < log.size(); at += kRecordBytes) {
    ASSERT_TRUE(log[at] == 'a' || log[at] == 'b') << at;
    EXPECT_EQ(std::atoi(log.substr(at + 1, kRecordBytes - 2).c_str()), next[log[at] - 'a']++);
  }
}

TEST_F(OperationsFiles, OpenFlags) {
  ASSERT_TRUE(WriteFile(Mount("file"), "contents"));
  EXPECT_EQ(Open(Mount("file"), O_RDWR | O_CREAT | O_EXCL).get(), -1);
  EXPECT_EQ(errno, EEXIST);
  {
    const Descriptor fd = Open(Mount("file"), O_RDWR | O_TRUNC);
    EXPECT_EQ(ReadAt(fd.get(), 10), "");
    ExpectSameAttributes("file");
    EXPECT_EQ(write(fd.get(), "new", 3), 3);
  }
  EXPECT_EQ(ReadFile(Source("file")), "new");
  const Descriptor created = Open(Mount("other"), O_RDWR | O_CREAT | O_EXCL);
  EXPECT_EQ(write(created.get(), "data", 4), 4);
  EXPECT_EQ(ReadAt(created.get(), 10), "data");
  const Descriptor write_only = Open(Mount("file"), O_WRONLY);
  char byte = 0;
  EXPECT_EQ(read(write_only.get(), &byte, 1), -1);
  EXPECT_EQ(errno, EBADF);
  const Descriptor read_only = Open(Mount("file"), O_RDONLY);
  EXPECT_EQ(write(read_only.get(), "x", 1), -1);
  EXPECT_EQ(errno, EBADF);
  const Descriptor no_access = Open(Mount("file"), O_PATH);
  struct stat st {};
  EXPECT_EQ(fstat(no_access.get(), &st), 0);
}

TEST_F(OperationsFiles, TemporaryFile) {
  ASSERT_EQ(mkdir(Mount("dir").c_str(), 02775), 0);
  ASSERT_EQ(chown(Mount("dir").c_str(), 0, 77), 0);
  ASSERT_EQ(chmod(Mount("dir").c_str(), 02775), 0);
  umask(027);
  const Descriptor through = Open(Mount("dir"), O_TMPFILE | O_RDWR, 0666);
  umask(022);
  if (through.get() < 0) {
    EXPECT_EQ(errno, EOPNOTSUPP);  // applications then make a name
    std::cerr << "SKIPPED: no O_TMPFILE before Linux 6.1, nor where the source has none" << std::endl;
    EXPECT_TRUE(KernelBefore(6, 1) || Open(Source("dir"), O_TMPFILE | O_RDWR, 0600).get() < 0);
    GTEST_SKIP();
  }
  EXPECT_EQ(write(through.get(), "data", 4), 4);
  EXPECT_EQ(ReadAt(through.get(), 4), "data");
  EXPECT_EQ(List(Mount("dir")), std::vector<std::string>());
  struct stat st {};
  ASSERT_EQ(fstat(through.get(), &st), 0);
  EXPECT_EQ(st.st_nlink, 0U);
  EXPECT_EQ(st.st_size, 4);
  EXPECT_EQ(st.st_mode, S_IFREG | 0640U);
  EXPECT_EQ(st.st_gid, 77U);  // the set-group-ID directory's
  EXPECT_EQ(fchmod(through.get(), 0604), 0);
  EXPECT_EQ(ftruncate(through.get(), 3), 0);

  const std::string self = "/proc/self/fd/" + std::to_string(through.get());
  ASSERT_EQ(linkat(AT_FDCWD, self.c_str(), AT_FDCWD, Mount("dir/name").c_str(), AT_SYMLINK_FOLLOW), 0)
      << std::strerror(errno);
  EXPECT_EQ(ReadFile(Mount("dir/name")), "dat");
  EXPECT_EQ(List(Mount("dir")), List(Source("dir")));
  ExpectSameAttributes("dir/name");
  EXPECT_EQ(linkat(through.get(), "", AT_FDCWD, Mount("dir/second").c_str(), AT_EMPTY_PATH), 0);
  ExpectSameAttributes("dir/second");
  EXPECT_EQ(pwrite(through.get(), "more", 4, 3), 4);
  EXPECT_EQ(ReadFile(Source("dir/second")), "datmore");

  const Descriptor never = Open(Mount("dir"), O_TMPFILE | O_WRONLY | O_EXCL, 0600);
  ASSERT_GE(never.get(), 0);
  EXPECT_EQ(linkat(never.get(), "", AT_FDCWD, Mount("dir/third").c_str(), AT_EMPTY_PATH), -1);
  EXPECT_EQ(errno, ENOENT);
}

/// What is never named is gone with its descriptor, in the source as for the kernel.
TEST_F(OperationsFiles, TemporaryFilesLeaveNothing) {
  const double known = gateway_.Metric("ocfsgw_inodes_known");
  for (int i = 0; i < 100; ++i) {
    const Descriptor fd = Open(Mount(), O_TMPFILE | O_RDWR, 0600);
    if (fd.get() < 0) GTEST_SKIP();
    ASSERT_EQ(write(fd.get(), "data", 4), 4);
  }
  EXPECT_TRUE(Eventually([&] { return gateway_.Metric("ocfsgw_inodes_known") <= known; }));
}

TEST_F(OperationsFiles, Sync) {
  for (const int flags : {O_RDWR, O_WRONLY, O_RDWR | O_SYNC, O_WRONLY | O_DSYNC}) {
    const Descriptor fd = Open(Mount("file"), flags | O_CREAT);
    EXPECT_EQ(write(fd.get(), "data", 4), 4);
    EXPECT_EQ(fdatasync(fd.get()), 0);
    EXPECT_EQ(fsync(fd.get()), 0);
  }
  const Descriptor reader = Open(Mount("file"), O_RDONLY);
  EXPECT_EQ(fsync(reader.get()), 0);
  const Descriptor directory = Open(Mount(), O_RDONLY | O_DIRECTORY);
  EXPECT_EQ(fsync(directory.get()), 0);
  EXPECT_EQ(syncfs(directory.get()), 0);
}

TEST_F(OperationsFiles, Fallocate) {
  constexpr off_t kSize = 1 << 20;
  ASSERT_TRUE(WriteFile(Mount("file"), Pattern(kSize, 2)));
  ASSERT_TRUE(WriteFile(Source("twin"), Pattern(kSize, 2)));
  const Descriptor through = Open(Mount("file"), O_RDWR);
  const Descriptor twin = Open(Source("twin"), O_RDWR);
  static constexpr struct {
    int mode;
    off_t offset, length;
  } kCases[] = {
      {FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 100'000, 300'000},
      {FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, kSize - 10, 1000},
      {FALLOC_FL_ZERO_RANGE, 500'000, 5},
      {FALLOC_FL_ZERO_RANGE, kSize - 5, 100},
      {0, kSize, 200'000},
      {FALLOC_FL_KEEP_SIZE, 2 * kSize, 65536},
  };
  for (const auto& c : kCases) {
    EXPECT_EQ(ReadAt(through.get(), kSize * 2), ReadAt(twin.get(), kSize * 2));  // fills the caches
    const int expected = fallocate(twin.get(), c.mode, c.offset, c.length);
    const int error = errno;
    EXPECT_EQ(fallocate(through.get(), c.mode, c.offset, c.length), expected) << c.mode;
    if (expected != 0) EXPECT_EQ(errno, error) << c.mode;
    EXPECT_TRUE(ReadAt(through.get(), kSize * 2) == ReadAt(twin.get(), kSize * 2))
        << c.mode << " " << c.offset;
    ExpectSameAttributes("file");
  }
}

TEST_F(OperationsFiles, HolesAndData) {
  ASSERT_TRUE(WriteFile(Mount("file"), ""));
  const Descriptor through = Open(Mount("file"), O_RDWR);
  for (const off_t at : {0, 1 << 20, 3 << 20}) EXPECT_EQ(pwrite(through.get(), "data", 4, at), 4);
  EXPECT_EQ(ftruncate(through.get(), 5 << 20), 0);
  const Descriptor behind = Open(Source("file"), O_RDONLY);
  for (const int whence : {SEEK_DATA, SEEK_HOLE}) {
    for (off_t at = 0; at < 6 << 20; at += 300'000) {
      const off_t expected = lseek(behind.get(), at, whence);
      const int error = errno;
      EXPECT_EQ(lseek(through.get(), at, whence), expected) << at;
      if (expected < 0) EXPECT_EQ(errno, error) << at;
    }
  }
  EXPECT_EQ(lseek(through.get(), -1, SEEK_END), (5 << 20) - 1);
}

TEST_F(OperationsFiles, OneTebibyteSparse) {
  constexpr off_t kSize = off_t{1} << 40;
  const Descriptor fd = Open(Mount("file"), O_RDWR | O_CREAT);
  ASSERT_EQ(ftruncate(fd.get(), kSize), 0);
  const std::string data = Pattern(10'000, 9);
  ASSERT_EQ(pwrite(fd.get(), data.data(), data.size(), kSize - 5000), 10'000);
  for (const off_t at : {off_t{1} << 32, (off_t{1} << 31) - 7, kSize / 2}) {
    ASSERT_EQ(pwrite(fd.get(), data.data(), 100, at), 100);
  }
  ExpectSameAttributes("file");
  const Descriptor reader = Open(Mount("file"), O_RDONLY);
  EXPECT_TRUE(ReadAt(reader.get(), 20'000, kSize - 5000) == data);
  const Descriptor behind = Open(Source("file"), O_RDONLY);
  EXPECT_TRUE(ReadAt(behind.get(), 20'000, kSize - 5000) == data);
  for (const off_t at :
       {off_t{0}, off_t{1} << 32, (off_t{1} << 31) - 7, kSize / 2, kSize - 4096, kSize + 4999}) {
    EXPECT_TRUE(ReadAt(reader.get(), 4096, at) == ReadAt(behind.get(), 4096, at)) << at;
  }
}

TEST_F(OperationsFiles, Mappings) {
  const std::string before = Pattern(200'000, 4);
  ASSERT_TRUE(WriteFile(Mount("file"), before));
  const Descriptor fd = Open(Mount("file"), O_RDWR);
  const Mapping private_map(fd.get(), before.size(), PROT_READ | PROT_WRITE, MAP_PRIVATE);
  ASSERT_TRUE(private_map.ok());
  EXPECT_TRUE(private_map.Text() == before);
  private_map.data()[100] = '!';
  EXPECT_EQ(ReadAt(fd.get(), 1, 100), before.substr(100, 1)) << "a private change got out";

  const Mapping shared(fd.get(), before.size(), PROT_READ | PROT_WRITE, MAP_SHARED);
  ASSERT_TRUE(shared.ok()) << std::strerror(errno);
  std::memcpy(shared.data() + 150'000, "through the mapping", 19);
  EXPECT_EQ(ReadAt(fd.get(), 19, 150'000), "through the mapping");
  ASSERT_EQ(msync(shared.data(), before.size(), MS_SYNC), 0);
  const Descriptor behind = Open(Source("file"), O_RDONLY);
  EXPECT_EQ(ReadAt(behind.get(), 19, 150'000), "through the mapping");
  EXPECT_EQ(pwrite(fd.get(), "by a write", 10, 10), 10);
  EXPECT_EQ(std::string(shared.data() + 10, 10), "by a write");
  const Descriptor writer = Open(Mount("file"), O_WRONLY);
  EXPECT_EQ(pwrite(writer.get(), "by another descriptor", 21, 60'000), 21);
  EXPECT_EQ(std::string(shared.data() + 60'000, 21), "by another descriptor");
}

TEST_F(OperationsFiles, MappingWrittenBackAtTheEnd) {
  ASSERT_TRUE(WriteFile(Mount("file"), std::string(10'000, '-')));
  {
    const Descriptor fd = Open(Mount("file"), O_RDWR);
    const Mapping shared(fd.get(), 10'000, PROT_READ | PROT_WRITE, MAP_SHARED);
    ASSERT_TRUE(shared.ok());
    std::memcpy(shared.data() + 5000, "kept", 4);
  }
  EXPECT_EQ(ReadFile(Mount("file")).value_or("").substr(5000, 4), "kept");
  ASSERT_TRUE(gateway_.Unmount());
  EXPECT_EQ(ReadFile(Source("file")).value_or("").substr(5000, 4), "kept");
}

TEST_F(OperationsFiles, DirectIo) {
  constexpr size_t kBytes = 256 * 1024;
  const auto release = [](void* p) { std::free(p); };
  const std::unique_ptr<void, decltype(release)> buffer(std::aligned_alloc(4096, kBytes), release);
  const std::string data = Pattern(kBytes, 6);
  std::memcpy(buffer.get(), data.data(), kBytes);
  const Descriptor fd = Open(Mount("file"), O_RDWR | O_CREAT | O_DIRECT);
  ASSERT_GE(fd.get(), 0);
  ASSERT_EQ(pwrite(fd.get(), buffer.get(), kBytes, 0), static_cast<ssize_t>(kBytes));
  EXPECT_TRUE(ReadFile(Source("file")) == data);
  EXPECT_TRUE(ReadFile(Mount("file")) == data);
  std::memset(buffer.get(), 'z', 4096);
  ASSERT_EQ(pwrite(fd.get(), buffer.get(), 4096, 8192), 4096);
  const std::string expected = data.substr(0, 8192) + std::string(4096, 'z') + data.substr(12288);
  EXPECT_TRUE(ReadFile(Mount("file")) == expected);
  std::memset(buffer.get(), 0, kBytes);
  ASSERT_EQ(pread(fd.get(), buffer.get(), kBytes, 0), static_cast<ssize_t>(kBytes));
  EXPECT_EQ(std::memcmp(buffer.get(), expected.data(), kBytes), 0);
  EXPECT_EQ(pread(fd.get(), buffer.get(), 8192, kBytes - 4096), 4096);
  EXPECT_EQ(pread(fd.get(), buffer.get(), 4096, kBytes), 0);
}

TEST_F(OperationsFiles, CopyFileRange) {
  const std::string data = Pattern(300'000, 8);
  ASSERT_TRUE(WriteFile(Mount("from"), data));
  const Descriptor from = Open(Mount("from"), O_RDONLY);
  const Descriptor to = Open(Mount("to"), O_RDWR | O_CREAT);
  ssize_t copied = 0;
  do {
    copied = copy_file_range(from.get(), nullptr, to.get(), nullptr, data.size(), 0);
  } while (copied > 0);
  EXPECT_EQ(copied, 0);
  EXPECT_TRUE(ReadFile(Mount("to")) == data);
  EXPECT_TRUE(ReadFile(Source("to")) == data);
}

TEST_F(OperationsFiles, CopyFileRangeIntoTheMiddle) {
  const std::string text = Pattern(3'000'000, 5);
  ASSERT_TRUE(WriteFile(Mount("from"), text));
  ASSERT_TRUE(WriteFile(Mount("to"), std::string(100'000, '-')));
  const Descriptor from(open(Mount("from").c_str(), O_RDONLY)), to(open(Mount("to").c_str(), O_RDWR));
  EXPECT_EQ(ReadAt(to.get(), 100'000), std::string(100'000, '-'));  // pages that have to go
  off_t in = 1'000, out = 50'000;
  size_t left = 2'500'000;
  while (left > 0) {
    const ssize_t copied = copy_file_range(from.get(), &in, to.get(), &out, left, 0);
    ASSERT_GT(copied, 0) << errno;
    left -= static_cast<size_t>(copied);
  }
  EXPECT_TRUE(ReadAt(to.get(), 3'000'000) == std::string(50'000, '-') + text.substr(1'000, 2'500'000));
  ExpectSameContents("to");
  ExpectSameAttributes("to");
}

}  // namespace
}  // namespace ocfsgw::mounttest
