// Several gateways on one cache directory, a slot for each.
#include <fcntl.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <thread>

#include "tests/mount/files.h"
#include "tests/mount/gateway_mount.h"

namespace ocfsgw::mounttest {
namespace {

constexpr int kFiles = 100;
constexpr size_t kFileBytes = 9000;

std::string Name(int i) { return "file" + std::to_string(i); }

class SharedCacheDirectory : public MountTest {
 protected:
  void SetUp() override {
    MountTest::SetUp();
    ASSERT_NO_FATAL_FAILURE(MakeFiles(gateway_.Source(), 0));
  }
  static void MakeFiles(const std::string& source, int seed) {
    for (int i = 0; i < kFiles; ++i) {
      ASSERT_TRUE(WriteFile(source + "/" + Name(i), Pattern(kFileBytes, static_cast<uint64_t>(seed + i))));
    }
    // Files that changed a moment ago are cached for the present lease only.
    ASSERT_TRUE(Eventually([&] {
      struct stat st {};
      timespec now{};
      stat((source + "/" + Name(kFiles - 1)).c_str(), &st);
      clock_gettime(CLOCK_REALTIME, &now);
      return (now.tv_sec - st.st_ctim.tv_sec) * 1'000'000'000 + now.tv_nsec - st.st_ctim.tv_nsec >
             100'000'000;
    }));
  }
  /// Mounts the first one's source, or `source`, at the other mount point, with the first one's cache
  /// directory.
  Outcome MountOther(const std::string& source = {}) {
    return RunProgram({GatewayMount::Program(), source.empty() ? gateway_.Source() : source, other_.Mount(),
                       "-o", gateway_.Options()});
  }
  static void ExpectFilesRight(const GatewayMount& gateway, int seed = 0) {
    for (int i = 0; i < kFiles; ++i) {
      ASSERT_EQ(ReadFile(gateway.Mount(Name(i))), Pattern(kFileBytes, static_cast<uint64_t>(seed + i)))
          << Name(i);
    }
  }
  static double FromStore(GatewayMount& gateway) {
    return gateway.Metric("ocfsgw_block_reads_total{from=\"store\"}");
  }
  static void ExpectWarm(GatewayMount& gateway, int seed = 0) {
    const double before = FromStore(gateway);
    ASSERT_NO_FATAL_FAILURE(ExpectFilesRight(gateway, seed));
    EXPECT_GE(FromStore(gateway) - before, 0.95 * kFiles);
  }
  /// What the gateway says is its slot: the part behind the cache directory.
  std::string Slot(GatewayMount& gateway) {
    const std::string slot = gateway.Ctl("status").value("cache_slot", "");
    EXPECT_TRUE(slot.starts_with(gateway_.cache_dir() + "/")) << slot;
    return slot.substr(std::min(slot.size(), gateway_.cache_dir().size() + 1));
  }
  /// Returns when another gateway than `before` serves.
  void AwaitRestart(pid_t before) {
    ASSERT_TRUE(Eventually([&] {
      return gateway_.pid() != 0 && gateway_.pid() != before && ReadFile(gateway_.Mount(Name(0))).has_value();
    }));
    ASSERT_TRUE(Eventually([&] {
      return RunProgram({GatewayMount::ControlProgram(), "--mount", gateway_.Mount(), "status"}).exit_code ==
             0;
    }));
  }

  GatewayMount other_;
};

TEST_F(SharedCacheDirectory, TwoGatewaysOfOneSourceAndBothRestartWarm) {
  ASSERT_TRUE(gateway_.Start());
  const Outcome mounted = MountOther();
  ASSERT_EQ(mounted.exit_code, 0) << mounted.err;
  EXPECT_EQ(Slot(gateway_), "0");
  EXPECT_EQ(Slot(other_), "1");
  EXPECT_NE(gateway_.Ctl("status").value("pid", 0), other_.Ctl("status").value("pid", 0));
  ASSERT_NO_FATAL_FAILURE(ExpectFilesRight(gateway_));
  ASSERT_NO_FATAL_FAILURE(ExpectFilesRight(other_));

  ASSERT_TRUE(gateway_.Restart());
  EXPECT_EQ(Slot(gateway_), "0") << "the other one is in use";
  ASSERT_NO_FATAL_FAILURE(ExpectWarm(gateway_));

  ASSERT_TRUE(gateway_.Unmount());
  ASSERT_TRUE(other_.Unmount());
  ASSERT_TRUE(gateway_.Start());
  EXPECT_EQ(Slot(gateway_), "1") << "the one used last";
  ASSERT_EQ(MountOther().exit_code, 0);
  EXPECT_EQ(Slot(other_), "0");
  ASSERT_NO_FATAL_FAILURE(ExpectWarm(gateway_));
  ASSERT_NO_FATAL_FAILURE(ExpectWarm(other_));

  // What one node writes the other's cache does not hide.
  ASSERT_TRUE(WriteFile(gateway_.Mount(Name(0)), "changed"));
  other_.Barrier();
  EXPECT_EQ(ReadFile(other_.Mount(Name(0))), "changed");
  EXPECT_TRUE(other_.Unmount());
}

TEST_F(SharedCacheDirectory, TwoThatStartAtOnceBothWork) {
  for (int round = 0; round < 3; ++round) {
    Outcome mounted;
    std::thread starter([&] { mounted = MountOther(); });
    const auto started = gateway_.Start();
    starter.join();
    ASSERT_TRUE(started);
    ASSERT_EQ(mounted.exit_code, 0) << mounted.err;
    EXPECT_NE(Slot(gateway_), Slot(other_));
    ASSERT_NO_FATAL_FAILURE(ExpectFilesRight(gateway_));
    ASSERT_NO_FATAL_FAILURE(ExpectFilesRight(other_));
    ASSERT_TRUE(gateway_.Unmount());
    ASSERT_TRUE(other_.Unmount());
  }
}

TEST_F(SharedCacheDirectory, AnotherVolumeDoesNotCostTheFirstItsSlot) {
  ASSERT_EQ(mount("ocfsgw-test", other_.Source().c_str(), "tmpfs", 0, "size=8m"), 0);
  ASSERT_NO_FATAL_FAILURE(MakeFiles(other_.Source(), 5000));
  ASSERT_TRUE(gateway_.Start());
  ASSERT_NO_FATAL_FAILURE(ExpectFilesRight(gateway_));
  ASSERT_TRUE(gateway_.Unmount());
  const Outcome mounted = MountOther(other_.Source());
  ASSERT_EQ(mounted.exit_code, 0) << mounted.err;
  EXPECT_EQ(Slot(other_), "1") << "slot 0 is free, and has the first volume";
  ASSERT_NO_FATAL_FAILURE(ExpectFilesRight(other_, 5000));
  ASSERT_TRUE(other_.Unmount());

  ASSERT_TRUE(gateway_.Start());
  EXPECT_EQ(Slot(gateway_), "0") << "slot 1 was used later, by the other volume";
  ASSERT_NO_FATAL_FAILURE(ExpectWarm(gateway_));
  ASSERT_EQ(MountOther(other_.Source()).exit_code, 0);
  EXPECT_EQ(Slot(other_), "1");
  ASSERT_NO_FATAL_FAILURE(ExpectWarm(other_, 5000));
  EXPECT_TRUE(other_.Unmount());
  EXPECT_EQ(umount2(other_.Source().c_str(), 0), 0) << std::strerror(errno);
}

TEST_F(SharedCacheDirectory, AKilledGatewayComesBackInItsSlotThoughAnotherWasUsedLater) {
  ASSERT_TRUE(gateway_.Start());
  ASSERT_EQ(MountOther().exit_code, 0);
  ASSERT_EQ(Slot(gateway_), "0");
  ASSERT_NO_FATAL_FAILURE(ExpectFilesRight(gateway_));
  ASSERT_TRUE(gateway_.Restart());  // what is kept of a killed one is what it had written to disk
  ASSERT_NO_FATAL_FAILURE(ExpectWarm(gateway_));
  ASSERT_TRUE(other_.Unmount());
  for (int restarts = 1; restarts <= 2; ++restarts) {
    const pid_t pid = gateway_.pid();
    ASSERT_EQ(kill(pid, SIGKILL), 0);
    ASSERT_NO_FATAL_FAILURE(AwaitRestart(pid));
    EXPECT_EQ(Slot(gateway_), "0");
    ASSERT_NO_FATAL_FAILURE(ExpectWarm(gateway_));
  }
}

TEST_F(SharedCacheDirectory, TheControlSocketIsFoundWhenTheRestartedGatewayHasAnotherSlot) {
  ASSERT_TRUE(gateway_.Start());
  const pid_t pid = gateway_.pid();
  ASSERT_EQ(Slot(gateway_), "0");
  // Its database is of another format when it comes back, and its socket is still there.
  ASSERT_TRUE(WriteFile(gateway_.cache_dir() + "/0/store/FORMAT", "ocfsgw page store, format 0\n"));
  ASSERT_EQ(kill(pid, SIGKILL), 0);
  ASSERT_NO_FATAL_FAILURE(AwaitRestart(pid));
  EXPECT_TRUE(std::filesystem::exists(gateway_.cache_dir() + "/0/control.sock"));
  EXPECT_EQ(Slot(gateway_), "1");
  EXPECT_EQ(gateway_.Ctl("status").value("pid", 0), gateway_.pid());
  ASSERT_NO_FATAL_FAILURE(ExpectFilesRight(gateway_));
}

TEST_F(SharedCacheDirectory, ASlotTakenOverFromAKilledMountIsWarmAndItsSocketIsReplaced) {
  ASSERT_TRUE(gateway_.Start());
  ASSERT_NO_FATAL_FAILURE(ExpectFilesRight(gateway_));
  ASSERT_TRUE(gateway_.Restart());
  gateway_.Kill();
  ASSERT_TRUE(Eventually([&] { return umount2(gateway_.Mount().c_str(), 0) == 0; })) << std::strerror(errno);
  ASSERT_TRUE(std::filesystem::exists(gateway_.cache_dir() + "/0/control.sock"));
  const Outcome mounted = MountOther();
  ASSERT_EQ(mounted.exit_code, 0) << mounted.err;
  EXPECT_EQ(Slot(other_), "0");
  ASSERT_NO_FATAL_FAILURE(ExpectWarm(other_));
  EXPECT_EQ(RunProgram({GatewayMount::ControlProgram(), "--mount", gateway_.Mount(), "status"}).exit_code, 2)
      << "the killed mount's entry leads to the other gateway";
  EXPECT_TRUE(other_.Unmount());
}

TEST_F(SharedCacheDirectory, ADatabaseOfTheTimeBeforeSlotsIsLeftAlone) {
  std::filesystem::create_directory(gateway_.cache_dir() + "/store");
  ASSERT_TRUE(WriteFile(gateway_.cache_dir() + "/store/CURRENT", "MANIFEST-000001\n"));
  const Outcome outcome = gateway_.Mounting(gateway_.Options());
  EXPECT_EQ(outcome.exit_code, 0);
  EXPECT_NE(
      outcome.err.find(gateway_.cache_dir() + "/store is a page store of an earlier version: it is not used"),
      std::string::npos)
      << outcome.err;
  EXPECT_EQ(std::count(outcome.err.begin(), outcome.err.end(), '\n'), 1) << outcome.err;
  ASSERT_NO_FATAL_FAILURE(ExpectFilesRight(gateway_));
  EXPECT_EQ(ReadFile(gateway_.cache_dir() + "/store/CURRENT"), "MANIFEST-000001\n");
}

}  // namespace
}  // namespace ocfsgw::mounttest
