// Fast trees: a directory of the mount, or all of it, whose files are opened without a message.
#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <filesystem>
#include <thread>

#include "tests/mount/files.h"
#include "tests/mount/gateway_mount.h"

namespace ocfsgw::mounttest {
namespace {

namespace fs = std::filesystem;

constexpr int kFiles = 20;

class FastTreeTest : public MountTest {
 protected:
  void SetUp() override {
    MountTest::SetUp();
    fs::create_directories(Source("tree/sub"));
    fs::create_directories(Source("full"));
    for (const char* const directory : {"tree", "full"}) {
      for (int i = 0; i < kFiles; ++i) {
        ASSERT_TRUE(WriteFile(Source(std::string(directory) + "/" + std::to_string(i)), Content(i)));
      }
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(100));  // older than any stamp can be mistaken for
  }
  void StartFast(const std::string& more = {}) {
    ASSERT_TRUE(gateway_.Start("fast=/tree,allow_other" + (more.empty() ? "" : "," + more)));
  }
  std::string Source(const std::string& path = {}) const { return gateway_.Source(path); }
  std::string Mount(const std::string& path = {}) const { return gateway_.Mount(path); }
  static std::string Content(int i) { return Pattern(1000 + i, i); }

  /// stat, open, read and close of every file, and a name that does not exist: system calls only.
  static int Visit(const std::string& directory) {
    char path[4096];
    char bytes[2048];
    struct stat st {};
    for (int i = 0; i < kFiles; ++i) {
      snprintf(path, sizeof path, "%s/%d", directory.c_str(), i);
      if (stat(path, &st) != 0 || st.st_size != 1000 + i) return 1;
      const int fd = open(path, O_RDONLY | O_CLOEXEC);
      if (fd < 0 || read(fd, bytes, sizeof bytes) != 1000 + i || close(fd) != 0) return 2;
    }
    snprintf(path, sizeof path, "%s/none", directory.c_str());
    return access(path, F_OK) != 0 && errno == ENOENT ? 0 : 3;
  }
  /// Visits while nobody answers; -1 if that does not come to an end.
  int VisitUnanswered(const std::string& directory) {
    Fork visitor([&] {
      raise(SIGSTOP);
      return Visit(directory);
    });
    int status = 0;
    EXPECT_EQ(waitpid(visitor.pid(), &status, WUNTRACED), visitor.pid());
    kill(gateway_.pid(), SIGSTOP);
    kill(visitor.pid(), SIGCONT);
    const int result = visitor.Wait(Milliseconds(1000));
    kill(gateway_.pid(), SIGCONT);
    return result;
  }
};

TEST_F(FastTreeTest, HotOpensNeverLeaveTheKernel) {
  StartFast("recall_deadline_ms=60000");
  for (int round = 0; round < 2; ++round) {
    ASSERT_EQ(Visit(Mount("tree")), 0);
    ASSERT_EQ(Visit(Mount("full")), 0);
  }
  EXPECT_EQ(VisitUnanswered(Mount("tree")), 0);
  EXPECT_EQ(VisitUnanswered(Mount("full")), -1) << "there, OPEN is a message";
}

TEST_F(FastTreeTest, AllOfTheMountCanBeOne) {
  ASSERT_TRUE(gateway_.Start("fast=/,recall_deadline_ms=60000"));
  for (int round = 0; round < 2; ++round) ASSERT_EQ(Visit(Mount("full")), 0);
  EXPECT_EQ(VisitUnanswered(Mount("full")), 0);
}

TEST_F(FastTreeTest, ChangesBehindItsBackAreSeen) {
  StartFast();
  ASSERT_EQ(Visit(Mount("tree")), 0);
  const Descriptor open_file(open(Mount("tree/1").c_str(), O_RDONLY | O_CLOEXEC));
  ASSERT_GE(open_file.get(), 0);
  const Mapping mapping(open_file.get(), 1001, PROT_READ, MAP_SHARED);
  ASSERT_TRUE(mapping.ok());
  ASSERT_EQ(mapping.Text(), Content(1));

  for (int round = 0; round < 20; ++round) {
    const std::string text = Pattern(1001, 100 + round);
    ASSERT_TRUE(OverwriteFile(Source("tree/1"), text));
    ASSERT_TRUE(WriteFile(Source("tree/2"), text + "longer"));
    ASSERT_TRUE(WriteFile(Source("tree/new" + std::to_string(round)), text));
    ASSERT_EQ(rename(Source("tree/sub").c_str(), Source("tree/moved").c_str()), 0);
    gateway_.Barrier();
    EXPECT_EQ(ReadAt(open_file.get(), 1001), text);
    EXPECT_EQ(mapping.Text(), text);
    EXPECT_EQ(ReadFile(Mount("tree/2")), text + "longer");
    EXPECT_EQ(ReadFile(Mount("tree/new" + std::to_string(round))), text);
    EXPECT_EQ(List(Mount("tree")), List(Source("tree")));
    struct stat st {};
    EXPECT_NE(stat(Mount("tree/sub").c_str(), &st), 0);
    ASSERT_EQ(rename(Source("tree/moved").c_str(), Source("tree/sub").c_str()), 0);
    gateway_.Barrier();
    EXPECT_EQ(stat(Mount("tree/sub").c_str(), &st), 0);
  }
}

TEST_F(FastTreeTest, AMappingIsCurrentWhenAWriterReturns) {
  constexpr size_t kBytes = 2 << 20;  // so many pages that they are not taken back in no time
  const auto name = [](int round) { return "tree/big" + std::to_string(round); };
  for (int round = 0; round < 20; ++round)
    ASSERT_TRUE(WriteFile(Source(name(round)), std::string(kBytes, '0')));
  StartFast();
  for (int round = 0; round < 20; ++round) {  // each on a file of its own: no hold-off
    const Descriptor file(open(Mount(name(round)).c_str(), O_RDONLY | O_CLOEXEC));
    const Mapping mapping(file.get(), kBytes, PROT_READ, MAP_SHARED);
    ASSERT_TRUE(mapping.ok());
    ASSERT_EQ(mapping.Text(), std::string(kBytes, '0'));
    const Descriptor writer(open(Source(name(round)).c_str(), O_WRONLY | O_CLOEXEC));  // waits for the lease
    ASSERT_EQ(pwrite(writer.get(), "1", 1, kBytes - 1), 1);
    ASSERT_EQ(mapping.data()[kBytes - 1], '1') << "round " << round;
  }
}

TEST_F(FastTreeTest, WritesGoThrough) {
  StartFast();
  const std::string text = Pattern(300'000, 7);
  ASSERT_TRUE(WriteFile(Mount("tree/new"), text));
  EXPECT_TRUE(ReadFile(Source("tree/new")) == text);
  ASSERT_TRUE(AppendFile(Mount("tree/new"), "more"));
  EXPECT_TRUE(ReadFile(Source("tree/new")) == text + "more");
  EXPECT_TRUE(ReadFile(Mount("tree/new")) == text + "more");
  ASSERT_TRUE(AppendFile(Source("tree/new"), "+"));
  gateway_.Barrier();
  ASSERT_TRUE(AppendFile(Mount("tree/new"), "end"));
  EXPECT_TRUE(ReadFile(Source("tree/new")) == text + "more+end");
  EXPECT_TRUE(ReadFile(Mount("tree/new")) == text + "more+end");

  const Descriptor file(open(Mount("tree/new").c_str(), O_RDWR | O_CLOEXEC));
  ASSERT_GE(file.get(), 0);
  {
    const Mapping mapping(file.get(), 4096, PROT_READ | PROT_WRITE, MAP_SHARED);
    ASSERT_TRUE(mapping.ok());
    mapping.data()[5] = '#';
    ASSERT_EQ(msync(mapping.data(), 4096, MS_SYNC), 0);
  }
  EXPECT_EQ(ReadFile(Source("tree/new"))->at(5), '#');
  EXPECT_EQ(fsync(file.get()), 0);
  EXPECT_EQ(fdatasync(file.get()), 0);
  EXPECT_EQ(ftruncate(file.get(), 10), 0);
  EXPECT_EQ(fs::file_size(Source("tree/new")), 10U);
  EXPECT_EQ(fallocate(file.get(), 0, 0, 8192), 0);
  EXPECT_EQ(fs::file_size(Source("tree/new")), 8192U);
  EXPECT_EQ(lseek(file.get(), 0, SEEK_HOLE),
            lseek(Descriptor(open(Source("tree/new").c_str(), O_RDONLY)).get(), 0, SEEK_HOLE));

  const Descriptor copy(open(Mount("tree/copy").c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0400));
  ASSERT_GE(copy.get(), 0) << strerror(errno);
  off_t from = 0;
  while (copy_file_range(file.get(), &from, copy.get(), nullptr, 8192, 0) > 0) {
  }
  EXPECT_TRUE(ReadFile(Source("tree/copy")) == ReadFile(Source("tree/new")));
  EXPECT_EQ(fs::status(Source("tree/copy")).permissions(), fs::perms::owner_read);
  EXPECT_EQ(open(Mount("tree/copy").c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600), -1);
  EXPECT_EQ(errno, EEXIST);
  EXPECT_EQ(open(Mount("tree").c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600), -1);
  EXPECT_EQ(errno, EOPNOTSUPP);
  EXPECT_EQ(gateway_.Metric("ocfsgw_timer_releases_total"), 0) << "a change has waited for its own lease";
}

TEST_F(FastTreeTest, DirectWritesGoThrough) {
  StartFast();
  const Descriptor file(open(Mount("tree/1").c_str(), O_RDWR | O_DIRECT | O_CLOEXEC));
  ASSERT_GE(file.get(), 0);
  const Mapping page(-1, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS);
  std::fill_n(page.data(), 4096, 'x');
  ASSERT_EQ(pwrite(file.get(), page.data(), 4096, 0), 4096);
  EXPECT_EQ(ReadFile(Source("tree/1")), std::string(4096, 'x'));
  EXPECT_EQ(ReadFile(Mount("tree/1")), std::string(4096, 'x'));
  ASSERT_TRUE(WriteFile(Source("tree/1"), std::string(4096, 'y')));
  gateway_.Barrier();
  ASSERT_EQ(pread(file.get(), page.data(), 4096, 0), 4096);
  EXPECT_EQ(page.Text(), std::string(4096, 'y'));
}

TEST_F(FastTreeTest, AFileRemovedHereStaysUsable) {
  StartFast();
  const Descriptor file(open(Mount("tree/3").c_str(), O_RDWR | O_CLOEXEC));
  ASSERT_GE(file.get(), 0);
  ASSERT_EQ(unlink(Mount("tree/3").c_str()), 0);
  EXPECT_EQ(ReadAt(file.get(), 2000), Content(3));
  EXPECT_EQ(pwrite(file.get(), "new", 3, 0), 3);
  EXPECT_EQ(ReadAt(file.get(), 3), "new");
  EXPECT_EQ(ftruncate(file.get(), 2), 0);
  EXPECT_EQ(ReadAt(file.get(), 3), "ne");
}

TEST_F(FastTreeTest, AFileRemovedElsewhereIsStale) {
  StartFast();
  const Descriptor fast(open(Mount("tree/3").c_str(), O_RDONLY | O_CLOEXEC));
  const Descriptor full(open(Mount("full/3").c_str(), O_RDONLY | O_CLOEXEC));
  EXPECT_EQ(ReadAt(fast.get(), 2000), Content(3));
  ASSERT_EQ(unlink(Source("tree/3").c_str()), 0);
  ASSERT_EQ(unlink(Source("full/3").c_str()), 0);
  gateway_.Barrier();
  char byte = 0;
  EXPECT_EQ(pread(fast.get(), &byte, 1, 0), -1);
  EXPECT_EQ(errno, ESTALE);
  EXPECT_EQ(ReadAt(full.get(), 2000), Content(3)) << "there the gateway knows that it is open";
}

TEST_F(FastTreeTest, FlockIsRefusedUnlessLocalIsEnough) {
  StartFast();
  const Descriptor file(open(Mount("tree/1").c_str(), O_RDONLY | O_CLOEXEC));
  EXPECT_EQ(flock(file.get(), LOCK_EX | LOCK_NB), -1);
  EXPECT_EQ(errno, ENOLCK);
  const Descriptor full(open(Mount("full/1").c_str(), O_RDONLY | O_CLOEXEC));
  EXPECT_EQ(flock(full.get(), LOCK_EX | LOCK_NB), 0);
}

TEST_F(FastTreeTest, LocalFlock) {
  StartFast("local_lock=flock");
  const Descriptor one(open(Mount("tree/1").c_str(), O_RDONLY | O_CLOEXEC));
  const Descriptor two(open(Mount("tree/1").c_str(), O_RDONLY | O_CLOEXEC));
  const Descriptor source(open(Source("tree/1").c_str(), O_RDONLY | O_CLOEXEC));
  EXPECT_EQ(flock(one.get(), LOCK_EX | LOCK_NB), 0);
  EXPECT_EQ(flock(two.get(), LOCK_EX | LOCK_NB), -1);
  EXPECT_EQ(errno, EWOULDBLOCK);
  EXPECT_EQ(flock(source.get(), LOCK_EX | LOCK_NB), 0) << "nobody else sees it";
}

TEST_F(FastTreeTest, ItsBorderIsThatOfAMount) {
  StartFast();
  EXPECT_EQ(rename(Mount("tree/1").c_str(), Mount("full/new").c_str()), -1);
  EXPECT_EQ(errno, EXDEV);
  EXPECT_EQ(link(Mount("full/1").c_str(), Mount("tree/new").c_str()), -1);
  EXPECT_EQ(errno, EXDEV);
  EXPECT_EQ(rename(Mount("tree/1").c_str(), Mount("tree/sub/1").c_str()), 0);
  EXPECT_EQ(ReadFile(Source("tree/sub/1")), Content(1));
  EXPECT_EQ(rmdir(Mount("tree").c_str()), -1);
  EXPECT_EQ(errno, EBUSY);
}

TEST_F(FastTreeTest, AnInodeOfBothSidesIsOne) {
  ASSERT_EQ(link(Source("tree/1").c_str(), Source("full/link").c_str()), 0);
  StartFast();
  const Descriptor fast(open(Mount("tree/1").c_str(), O_RDONLY | O_CLOEXEC));
  const Mapping mapping(fast.get(), 1001, PROT_READ, MAP_SHARED);
  for (int round = 0; round < 50; ++round) {
    const std::string text = Pattern(1001 + round, 200 + round);
    ASSERT_EQ(mapping.Text().size(), 1001U);
    ASSERT_TRUE(round % 2 == 0 ? OverwriteFile(Mount("full/link"), text)
                               : OverwriteFile(Source("full/link"), text));
    gateway_.Barrier();
    ASSERT_EQ(ReadAt(fast.get(), 4096), text) << "round " << round;
    ASSERT_EQ(mapping.Text(), text.substr(0, 1001)) << "round " << round;
    ASSERT_EQ(ReadFile(Mount("full/link")), text) << "round " << round;
  }
}

TEST_F(FastTreeTest, StopsWhileInUse) {
  StartFast();
  const Descriptor file(open(Mount("tree/1").c_str(), O_RDWR | O_CLOEXEC));
  const Mapping mapping(file.get(), 1001, PROT_READ | PROT_WRITE, MAP_SHARED);
  mapping.data()[0] = '#';
  const pid_t guardian = gateway_.guardian();
  ASSERT_EQ(kill(guardian, SIGTERM), 0);
  EXPECT_EQ(WaitForChild(guardian), 0);
  EXPECT_FALSE(gateway_.mounted());
  EXPECT_EQ(ReadFile(Source("tree/1"))->front(), '#') << "what mappings have written is not lost";
  EXPECT_EQ(access(Mount("tree").c_str(), F_OK), -1) << "nothing is left below";
}

TEST_F(FastTreeTest, IsServedAgainAfterACrash) {
  StartFast();
  ASSERT_EQ(Visit(Mount("tree")), 0);
  const Descriptor file(open(Mount("tree/1").c_str(), O_RDONLY | O_CLOEXEC));
  const Mapping mapping(file.get(), 1001, PROT_READ, MAP_SHARED);
  ASSERT_EQ(mapping.Text(), Content(1));
  const pid_t first = gateway_.pid();
  ASSERT_EQ(kill(first, SIGKILL), 0);
  ASSERT_TRUE(Eventually(
      [&] { return gateway_.pid() != 0 && gateway_.pid() != first && Visit(Mount("tree")) == 0; }));
  EXPECT_EQ(List(Mount("tree")), List(Source("tree")));
  ASSERT_TRUE(OverwriteFile(Source("tree/2"), "changed"));
  gateway_.Barrier();
  EXPECT_EQ(ReadFile(Mount("tree/2"))->substr(0, 7), "changed");
  char byte = 0;
  EXPECT_EQ(pread(file.get(), &byte, 1, 0), -1) << "what was open is of the dead mount";
  EXPECT_EQ(errno, ENOTCONN);
}

TEST_F(FastTreeTest, UnmountedInTheMiddleTheRestGoesOn) {
  StartFast();
  ASSERT_EQ(umount2(Mount("tree").c_str(), 0), 0);
  EXPECT_EQ(ReadFile(Mount("tree/1")), Content(1)) << "by the mount itself";
  ASSERT_TRUE(OverwriteFile(Source("tree/1"), "changed"));
  gateway_.Barrier();
  EXPECT_EQ(ReadFile(Mount("tree/1"))->substr(0, 7), "changed");
  EXPECT_TRUE(gateway_.Unmount());
}

TEST_F(FastTreeTest, StatusNamesThem) {
  StartFast();
  EXPECT_EQ(gateway_.Ctl("status")["fast"], nlohmann::json({"/tree"}));
}

}  // namespace
}  // namespace ocfsgw::mounttest
