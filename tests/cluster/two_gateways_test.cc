// Two gateways of one volume on one node share its lock files. One of them ends, in every way, while the
// other goes on.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <chrono>
#include <sstream>
#include <string>
#include <thread>

#include "tests/cluster/gateway.h"

namespace ocfsgw::cluster {
namespace {

constexpr const char* kOther = "/mnt/gw2";
constexpr int kWrites = 10;
constexpr const char* kReadAll = "cat $d/{0..39} | md5sum";

/// Shell functions for node 2 that act on the second gateway. It may keep 32 lock files, and soon has more.
constexpr const char* kFunctions = R"sh(
mount_other() {
  mkdir -p /mnt/gw2 /var/cache/ocfsgw-lab/gw2 && mount -t fuse.ocfsgw /mnt/shared /mnt/gw2 \
    -o cache_dir=/var/cache/ocfsgw-lab/gw2,cache_size=64M,lease=o2dlm,dlmfs=/dlm,hold_off_ms=100,max_leases=8
}
pids() { ocfsgwctl --mount /mnt/gw2 --json status 2>/dev/null | tr ',' '\n' | sed -nE "s/.*\"$1\": *([0-9]+).*/\1/p"; }
await_end() { for p in $1; do while [ -d /proc/$p ]; do sleep 0.05; done; done; }
unmount_other() { p="$(pids pid) $(pids guardian)"; until umount /mnt/gw2; do sleep 0.01; done; await_end "$p"; }
kill_other() { p="$(pids pid) $(pids guardian)"; kill -STOP $p; kill -KILL $p; umount -l /mnt/gw2; await_end "$p"; }
purge() { u=$(echo /dlm/*); flock -x /dlm flock -xn "$u" find "$u" -type f -delete; }
)sh";

struct End {
  const char* name;
  const char* command;  ///< Leaves the second gateway mounted.
};
void PrintTo(const End& end, std::ostream* out) { *out << end.name; }

class SharedLockFiles : public testing::Test {
 protected:
  static void SetUpTestSuite() { ASSERT_TRUE(ServeLooks(2).ok()); }
  void SetUp() override {
    ASSERT_TRUE(gateway_.Unmount().ok());
    ASSERT_TRUE(OnNode2("purge").ok());
    ASSERT_TRUE(gateway_.Mount().ok());
    ASSERT_TRUE(OnNode2("mount_other").ok());
    name_ = "two-" + std::to_string(std::chrono::system_clock::now().time_since_epoch().count());
    const Outcome made = In(
        writer_, name_, "mkdir $d && fsop create $d/0 4096 0 && for i in {1..39}; do echo $i >$d/$i; done");
    ASSERT_TRUE(made.ok()) << made.output;
  }
  void TearDown() override { EXPECT_TRUE(OnNode2("! mountpoint -q /mnt/gw2 || unmount_other").ok()); }

  static Outcome OnNode2(const std::string& command) { return Lab().On(2, kFunctions + command); }
  std::string ReadAll(const std::string& mount) const { return In({2, mount}, name_, kReadAll).output; }
  /// Lock files on the node, those that the first gateway has open at least.
  static int LockFiles() { return std::stoi(OnNode2("ls /dlm/* | wc -l").output); }

  const Gateway gateway_{2};
  const View writer_{1, kShared};
  std::string name_;
};

class TwoGateways : public SharedLockFiles, public testing::WithParamInterface<End> {};

TEST_P(TwoGateways, TheOtherGoesOnAndNeitherShowsAnythingOld) {
  EXPECT_EQ(ReadAll(kGateway), ReadAll(kOther));
  const int lock_files = LockFiles();
  const uint64_t held = gateway_.Metric(kLeasesHeld);
  EXPECT_GE(held, 40U);

  Outcome ended;
  std::thread end([&] { ended = OnNode2(GetParam().command); });
  const std::string look = fmt::format("fsop read {{}}/{}/0", name_);
  const Outcome looks = In(
      writer_, name_,
      kAsk + fmt::format("for i in {{1..{}}}; do fsop overwrite $d/0 0 4096 $i >/dev/null; fsop read $d/0; "
                         "ask 2 '{}'; ask 2 '{}' | head -1; done",
                         kWrites, fmt::format(fmt::runtime(look), kGateway),
                         fmt::format(fmt::runtime(look), kOther)));
  end.join();
  ASSERT_TRUE(looks.ok()) << looks.output;
  EXPECT_TRUE(ended.ok()) << ended.output;

  std::istringstream lines(looks.output);
  std::string real, here, other;
  int writes = 0;
  for (; std::getline(lines, real) && std::getline(lines, here) && std::getline(lines, other); ++writes) {
    EXPECT_EQ(here, real) << "write " << writes;
    if (other.starts_with("4096 "))
      EXPECT_EQ(other, real) << "write " << writes << ", the gateway that ended";
  }
  EXPECT_EQ(writes, kWrites);
  EXPECT_GE(LockFiles(), lock_files) << "removed under a gateway that may have them open";
  EXPECT_GE(gateway_.Metric(kLeasesHeld), held - 1) << "the one that was written may be held off";
  const std::string truth = In(writer_, name_, kReadAll).output;
  EXPECT_EQ(ReadAll(kGateway), truth);
  EXPECT_EQ(ReadAll(kOther), truth);
}

INSTANTIATE_TEST_SUITE_P(
    Ends, TwoGateways,
    testing::Values(
        End{"unmounted", "unmount_other; mount_other"}, End{"killed", "kill_other; mount_other"},
        End{"killed_without_its_guardian",
            "kill -KILL $(pids pid); until fsop exists /mnt/gw2/. >/dev/null; do sleep 0.05; done"},
        End{"purged", "unmount_other; purge && exit 1; mount_other"}),
    [](const auto& test) { return std::string(test.param.name); });

// Only a gateway that is alone removes what is beyond its budget.
TEST_F(SharedLockFiles, LockFilesGoOnceOneIsAlone) {
  EXPECT_EQ(ReadAll(kOther), ReadAll(kGateway));
  EXPECT_GT(LockFiles(), 64);
  ASSERT_TRUE(OnNode2(std::string("umount ") + kGateway +
                      "; while [ $(pgrep -xc ocfsgw) -gt 1 ]; do sleep 0.05; done")
                  .ok());
  // It tries again when there are so many more.
  const Outcome more = In(writer_, name_, "mkdir $d/more && for i in {1..200}; do echo $i >$d/more/$i; done");
  ASSERT_TRUE(more.ok()) << more.output;
  EXPECT_EQ(In({2, kOther}, name_, "cat $d/more/* | wc -l").output, "200\n");
  EXPECT_LE(LockFiles(), 64);
}

}  // namespace
}  // namespace ocfsgw::cluster
