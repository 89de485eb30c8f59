// Files that the kernel writes to without a request.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <random>
#include <thread>

#include "tests/mount/files.h"
#include "tests/mount/gateway_mount.h"

namespace ocfsgw::mounttest {
namespace {

class PassthroughTest : public MountTest {
 protected:
  static constexpr size_t kBytes = 64 * 1024;

  void SetUp() override {
    MountTest::SetUp();
    ASSERT_TRUE(gateway_.Start("passthrough=on,hold_off_ms=10,allow_other"));
    if (!Eventually([&] { return gateway_.Ctl("status").value("passthrough", false); }, Milliseconds(2000))) {
      GTEST_SKIP() << "NOT TESTED: this kernel has no FUSE passthrough (Linux 6.9)";
    }
    ASSERT_TRUE(WriteFile(Source("file"), Pattern(kBytes, 0)));
    gateway_.Barrier();
  }
  std::string Source(const std::string& path) const { return gateway_.Source(path); }
  std::string Mount(const std::string& path) const { return gateway_.Mount(path); }
  double Written() { return gateway_.Metric("ocfsgw_written_bytes_total"); }
  static bool Put(int fd, const std::string& data, off_t at = 0) {
    return pwrite(fd, data.data(), data.size(), at) == static_cast<ssize_t>(data.size());
  }
};

TEST_F(PassthroughTest, WritesOfWhoOnlyWritesDoNotComeByTheGateway) {
  EXPECT_EQ(ReadFile(Mount("file")), Pattern(kBytes, 0));
  for (uint64_t i = 1; i < 20; ++i) {
    const std::string data = Pattern(kBytes + i * 100, i);
    // RELEASE of who read it before is not waited for, and while that is open it is not passed through.
    EXPECT_TRUE(Eventually([&] {
      const double before = Written();
      const Descriptor file(open(Mount("file").c_str(), O_WRONLY));
      EXPECT_TRUE(Put(file.get(), data));
      EXPECT_EQ(Describe(Mount("file")), Describe(Source("file"))) << "while it is open";
      EXPECT_EQ(fsync(file.get()), 0);
      return Written() == before;
    })) << i;
    EXPECT_EQ(ReadFile(Mount("file")), data) << i;
    EXPECT_EQ(ReadFile(Mount("file")), data) << i << ": again";
    EXPECT_EQ(Describe(Mount("file")), Describe(Source("file")));
  }
  const double before = Written();
  ASSERT_TRUE(WriteFile(Mount("new"), Pattern(1000, 1)));
  EXPECT_EQ(ReadFile(Source("new")), Pattern(1000, 1));
  EXPECT_EQ(Written(), before) << "created";
  ASSERT_TRUE(WriteFile(Source("log"), "some"));  // nobody has opened it here
  gateway_.Barrier();
  ASSERT_TRUE(AppendFile(Mount("log"), "more"));
  EXPECT_EQ(Written(), before + 4) << "appends are the gateway's";
}

TEST_F(PassthroughTest, WhoOpensItMeanwhileSeesWhatIsWritten) {
  std::optional<Descriptor> writer(open(Mount("file").c_str(), O_WRONLY));
  ASSERT_TRUE(Put(writer->get(), "one"));
  const Descriptor reader(open(Mount("file").c_str(), O_RDONLY));
  const Descriptor both(open(Mount("file").c_str(), O_RDWR));
  const Descriptor appender(open(Mount("file").c_str(), O_WRONLY | O_APPEND));
  ASSERT_TRUE(reader.get() >= 0 && both.get() >= 0 && appender.get() >= 0);
  const Mapping mapping(both.get(), 3, PROT_READ | PROT_WRITE, MAP_SHARED);
  ASSERT_TRUE(mapping.ok());
  EXPECT_EQ(ReadAt(reader.get(), 3), "one");
  ASSERT_TRUE(Put(writer->get(), "two"));
  EXPECT_EQ(ReadAt(reader.get(), 3), "two");
  EXPECT_EQ(mapping.Text(), "two");
  mapping.data()[0] = 'T';
  EXPECT_EQ(ReadAt(reader.get(), 3), "Two");
  writer.reset();
  const Descriptor later(open(Mount("file").c_str(), O_RDONLY));
  ASSERT_TRUE(Put(both.get(), "three"));
  EXPECT_EQ(ReadAt(later.get(), 5), "three");
  EXPECT_EQ(ReadAt(reader.get(), 5), "three");
  ASSERT_EQ(write(appender.get(), "end", 3), 3);
  EXPECT_EQ(ReadAt(reader.get(), 10, kBytes), "end");
  ASSERT_TRUE(OverwriteFile(Source("file"), "behind"));
  EXPECT_EQ(ReadAt(reader.get(), 6), "behind");
  EXPECT_EQ(ftruncate(both.get(), 2), 0);
  EXPECT_EQ(ReadAt(reader.get(), 6), "be");
}

TEST_F(PassthroughTest, WritesBesideAReaderWhoWasThereFirstComeByTheGateway) {
  const Descriptor reader(open(Mount("file").c_str(), O_RDONLY));
  const Mapping mapping(reader.get(), 4, PROT_READ, MAP_SHARED);
  ASSERT_TRUE(mapping.ok());
  EXPECT_EQ(mapping.Text(), Pattern(kBytes, 0).substr(0, 4));
  const double before = Written();
  const Descriptor writer(open(Mount("file").c_str(), O_WRONLY));
  ASSERT_GE(writer.get(), 0);
  ASSERT_TRUE(Put(writer.get(), "new!"));
  EXPECT_EQ(Written(), before + 4);
  EXPECT_EQ(ReadAt(reader.get(), 4), "new!");
  EXPECT_EQ(mapping.Text(), "new!");
}

// A mapping outlives all descriptors, and is of the source's file.
TEST_F(PassthroughTest, WhatIsMappedStaysTheSourcesFile) {
  std::optional<Descriptor> writer(open(Mount("file").c_str(), O_WRONLY));
  std::optional<Descriptor> both(open(Mount("file").c_str(), O_RDWR));
  const Mapping first(both->get(), 2, PROT_READ | PROT_WRITE, MAP_SHARED);
  ASSERT_TRUE(first.ok());
  writer.reset();
  both.reset();
  usleep(100'000);  // RELEASE is not waited for
  const Descriptor later(open(Mount("file").c_str(), O_RDWR));
  ASSERT_GE(later.get(), 0);
  const Mapping second(later.get(), 2, PROT_READ | PROT_WRITE, MAP_SHARED);
  ASSERT_TRUE(second.ok());
  second.data()[0] = '?';
  first.data()[0] = 'a';
  EXPECT_EQ(second.data()[0], 'a');
  second.data()[1] = 'b';
  EXPECT_EQ(first.data()[1], 'b');
  ASSERT_EQ(fsync(later.get()), 0);
  EXPECT_EQ(ReadFile(Source("file"))->substr(0, 2), "ab");
}

TEST_F(PassthroughTest, LeasesAreToBeHadAgainWhenTheWriterHasClosed) {
  ASSERT_TRUE(OverwriteFile(Mount("file"), "x"));
  EXPECT_TRUE(Eventually([&] {
    const double before = gateway_.Metric("ocfsgw_unleased_reads_total");
    const double blocks = gateway_.Metric("ocfsgw_block_reads_total{from=\"store\"}");
    // Inodes, too: whoever reads before RELEASE has come is passed through until the kernel forgets the file.
    EXPECT_TRUE(WriteFile("/proc/sys/vm/drop_caches", "3\n"));
    ReadFile(Mount("file"));
    return gateway_.Metric("ocfsgw_unleased_reads_total") == before &&
           gateway_.Metric("ocfsgw_block_reads_total{from=\"store\"}") > blocks;
  }));
}

TEST_F(PassthroughTest, DirectWritesNeedNoAlignment) {
  const Descriptor writer(open(Mount("file").c_str(), O_WRONLY | O_DIRECT));
  ASSERT_TRUE(Put(writer.get(), "unaligned", 3));
  EXPECT_EQ(ReadFile(Source("file"))->substr(3, 9), "unaligned");
}

TEST_F(PassthroughTest, SetUserIdGoesWithAWrite) {
  ASSERT_EQ(chmod(Mount("file").c_str(), 0777), 0);
  for (const bool before : {true, false}) {  // the bits are there before it is opened
    int go[2];
    ASSERT_EQ(pipe(go), 0);
    if (before) {
      ASSERT_EQ(chmod(Mount("file").c_str(), 06777), 0);
    }
    const Fork writer([path = Mount("file"), go] {
      if (setgid(65534) != 0 || setuid(65534) != 0) return 2;
      const int fd = open(path.c_str(), O_WRONLY);
      if (fd < 0 || write(fd, "x", 1) != 1) return 1;
      char byte = 0;
      return read(go[0], &byte, 1) == 1 && write(fd, "y", 1) == 1 ? 0 : 1;
    });
    ASSERT_TRUE(Eventually([&] { return ReadFile(Source("file"))->starts_with("x"); }));
    if (!before) {
      ASSERT_EQ(chmod(Mount("file").c_str(), 06777), 0);
    }
    ASSERT_EQ(write(go[1], "g", 1), 1);
    EXPECT_EQ(WaitForChild(writer.pid()), 0);
    for (const std::string& at : {Source("file"), Mount("file")}) {
      struct stat st {};
      ASSERT_EQ(stat(at.c_str(), &st), 0);
      EXPECT_EQ(st.st_mode & 07777, 0777u) << at << ", " << before;
    }
    close(go[0]);
    close(go[1]);
    ASSERT_TRUE(OverwriteFile(Source("file"), "--"));
  }
  ASSERT_EQ(chmod(Mount("file").c_str(), 06777), 0);
  ASSERT_TRUE(OverwriteFile(Mount("file"), "by root"));
  struct stat st {};
  ASSERT_EQ(stat(Mount("file").c_str(), &st), 0);
  EXPECT_EQ(st.st_mode & 07777, 06777u) << "who may keep them";
}

TEST_F(PassthroughTest, OfWhatHasNoNameAndOfWhatLosesIt) {
  const Descriptor unnamed(open(Mount("").c_str(), O_WRONLY | O_TMPFILE, 0600));
  ASSERT_TRUE(unnamed.get() >= 0 && Put(unnamed.get(), "unnamed"));
  struct stat st {};
  ASSERT_EQ(fstat(unnamed.get(), &st), 0);
  EXPECT_EQ(st.st_size, 7);
  const Descriptor file(open(Mount("file").c_str(), O_WRONLY));
  ASSERT_EQ(unlink(Mount("file").c_str()), 0);
  ASSERT_TRUE(Put(file.get(), "gone", kBytes));
  ASSERT_EQ(fstat(file.get(), &st), 0);
  EXPECT_EQ(st.st_size, static_cast<off_t>(kBytes + 4));
}

TEST_F(PassthroughTest, ManyAtOnceInAllWays) {
  constexpr int kThreads = 6, kRounds = 400;
  constexpr off_t kEach = 4096;
  std::mt19937_64 random(TestSeed());
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t, seed = random()] {
      std::mt19937_64 mine(seed);
      const off_t at = t * kEach;
      std::string last = Pattern(kBytes, 0).substr(static_cast<size_t>(at), kEach);
      for (int i = 0; i < kRounds; ++i) {
        const int ways[] = {O_RDONLY, O_RDWR, O_WRONLY, O_WRONLY};
        const int way = ways[mine() % 4];
        const Descriptor file(open(Mount("file").c_str(), way));
        if (file.get() < 0) {
          std::printf("open: errno %d\n", errno);
          ++wrong;
          continue;
        }
        if (way != O_RDONLY) {
          const std::string data = Pattern(kEach, mine());
          if (Put(file.get(), data, at)) {
            last = data;
          } else {
            ++wrong;
          }
        }
        if (way != O_WRONLY && ReadAt(file.get(), kEach, at) != last) ++wrong;
        const Descriptor again(open(Mount("file").c_str(), O_RDONLY));
        if (ReadAt(again.get(), kEach, at) != last) ++wrong;
        const std::string own = Mount("own" + std::to_string(t));
        if (!WriteFile(own, last) || ReadFile(own) != last || unlink(own.c_str()) != 0) ++wrong;
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(wrong.load(), 0);
  EXPECT_EQ(ReadFile(Mount("file")), ReadFile(Source("file")));
}

/// Whether the kernel writes by itself where that is left to the gateway.
using PassthroughChoice = MountTest;

TEST_F(PassthroughChoice, IsTheKernelsWithLocalLeasesOnly) {
  ASSERT_TRUE(gateway_.Start("passthrough=on"));
  const bool can =
      Eventually([&] { return gateway_.Ctl("status").value("passthrough", false); }, Milliseconds(2000));
  ASSERT_TRUE(gateway_.Restart("passthrough=auto"));
  EXPECT_EQ(Eventually([&] { return gateway_.Ctl("status").value("passthrough", false); },
                       Milliseconds(can ? 20000 : 100)),
            can);
  ASSERT_TRUE(gateway_.Unmount());
  for (const char* off : {"lease=none,passthrough=auto", "lease=local,passthrough=off"}) {
    const Outcome mounted = gateway_.Mounting(std::string(off) + ",cache_dir=" + gateway_.cache_dir());
    ASSERT_EQ(mounted.exit_code, 0) << mounted.err;
    List(gateway_.Mount());  // INIT has been answered
    EXPECT_FALSE(gateway_.Ctl("status").value("passthrough", true)) << off;
    ASSERT_TRUE(gateway_.Unmount());
  }
}

}  // namespace
}  // namespace ocfsgw::mounttest
