// Pods on two nodes of a real cluster: in each a sidecar, in mount and process namespaces of its own, and an
// application in another mount namespace that has the sidecar's mount as a slave (HostToContainer).
#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <thread>

#include "tests/cluster/lab.h"

namespace ocfsgw::cluster {
namespace {

constexpr int kRounds = 4;

/// Shell: what the node provides to pods (as the kubelet does), and a pod's two containers. $dir is the tree
/// on the volume.
constexpr const char* kPodFunctions = R"sh(
node() { mkdir -p /run/pod /mnt/app /var/cache/ocfsgw-lab/pod
  mountpoint -q /run/pod || { mount -t tmpfs pod /run/pod && mount --make-shared /run/pod && mkdir /run/pod/mount; }; }
process_1() { local p one=; p=$(</run/sidecar.pid); read -r one </proc/$p/task/$p/children; [ -n "$one" ] && echo $one; } 2>/dev/null
ctl() { nsenter --target "$(process_1)" --pid ocfsgwctl --mount /run/pod/mount --timeout 5 "$@"; }
sidecar() { unshare --mount --pid --fork --kill-child --propagation unchanged --mount-proc=/proc \
    ocfsgw /mnt/shared /run/pod/mount -f \
    -o cache_dir=/var/cache/ocfsgw-lab/pod,cache_size=64M,lease=o2dlm,dlmfs=/dlm,hold_off_ms=100,allow_other \
    >>/run/pod.log 2>&1 & echo $! >/run/sidecar.pid
  for i in {1..15}; do ctl status >/dev/null 2>&1 && return; sleep 0.1; done; cat /run/pod.log; return 1; }
application() { unshare --mount --propagation slave \
    sh -c 'mount --rbind /run/pod/mount /mnt/app && exec sleep 1000' >/dev/null 2>&1 & echo $! >/run/application.pid
  for i in {1..100}; do grep -q ' /mnt/app ' /proc/$!/mounts && return; sleep 0.1; done; return 1; }
in_app() ( cd /proc/$(</run/application.pid)/root/mnt/app/$dir && eval "$1" )
disk_reads() { ctl stats | grep 'ocfsgw_block_reads_total{from="backend"}'; }
until_leased() { local before; for i in {1..30}; do before=$(disk_reads); in_app "$1" >/dev/null
  [ "$before" != "$(disk_reads)" ] || return 0; sleep 0.3; done; return 1; }
layers() { grep -c ' /run/pod/mount ' /proc/mounts; }
)sh";

class Pods : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(Lab().On(1, "mkdir -p /mnt/shared/" + dir_).ok());
    for (const int node : {1, 2}) {
      const Outcome started = On(node, "node && sidecar && application");
      ASSERT_TRUE(started.ok()) << "node " << node << ": " << started.output;
    }
  }
  void TearDown() override {
    for (const int node : {1, 2}) {
      On(node,
         "kill -9 $(</run/application.pid) $(process_1) $(</run/sidecar.pid) 2>/dev/null; "
         "while umount -l /run/pod/mount 2>/dev/null; do :; done; umount -l /run/pod; rm -f /run/pod.log");
    }
  }
  Outcome On(int node, const std::string& command) const {
    return Lab().On(node, kPodFunctions + ("dir=" + dir_ + "\n") + command);
  }
  /// A command in the application's container, in $dir of what it sees.
  Outcome InApplication(int node, const std::string& command) const {
    return On(node, "in_app '" + command + "'");
  }

  const std::string dir_ =
      "pods-" + std::to_string(std::chrono::system_clock::now().time_since_epoch().count());
};

TEST_F(Pods, AWriteOfOneApplicationIsSeenByTheOtherAtOnce) {
  for (int round = 0; round < kRounds; ++round) {
    const int writer = 1 + round % 2, reader = 3 - writer;
    const std::string number = std::to_string(round);
    ASSERT_TRUE(InApplication(writer, "echo round " + number + " >f && ln -sfn " + number + " link").ok());
    EXPECT_EQ(InApplication(reader, "cat f; readlink link").output, "round " + number + "\n" + number + "\n");
  }
  // From the caches now, under a lease: the next change has to take it back.
  const Outcome leased = On(2, "ctl status --json; until_leased 'cat f'");
  ASSERT_TRUE(leased.ok()) << leased.output;
  EXPECT_NE(leased.output.find("\"lease_provider\": \"o2dlm\""), std::string::npos) << leased.output;
  ASSERT_TRUE(InApplication(1, "echo recalled >f").ok());
  EXPECT_EQ(InApplication(2, "cat f").output, "recalled\n");
  EXPECT_NE(On(2, "ctl stats | grep ^ocfsgw_recalls_total").output, "ocfsgw_recalls_total 0\n");
}

TEST_F(Pods, AnApplicationRecoversFromTheDeathOfItsSidecarAndSeesWhatWasWrittenMeanwhile) {
  ASSERT_TRUE(InApplication(1, "echo before >f").ok());
  ASSERT_EQ(InApplication(2, "cat f").output, "before\n");
  ASSERT_TRUE(On(2, "kill -9 $(process_1); while process_1; do sleep 0.1; done >/dev/null").ok());
  EXPECT_NE(InApplication(2, "cat new").output.find("not connected"), std::string::npos);
  const Outcome written = InApplication(1, "echo after >f");
  ASSERT_TRUE(written.ok()) << "a writer elsewhere waits for the dead: " << written.output;
  const Outcome again = On(2, "sidecar");
  ASSERT_TRUE(again.ok()) << again.output;
  EXPECT_EQ(InApplication(2, "cat f").output, "after\n");
}

TEST_F(Pods, ServesItsApplicationUntilThatHasEndedAndLeavesNoMount) {
  ASSERT_TRUE(On(2, "kill -TERM $(process_1)").ok());
  std::this_thread::sleep_for(std::chrono::seconds(1));
  ASSERT_TRUE(InApplication(2, "echo last >f").ok());
  EXPECT_EQ(InApplication(1, "cat f").output, "last\n");
  const Outcome ended =
      On(2,
         "kill -9 $(</run/application.pid); for i in {1..100}; do process_1 >/dev/null || break; "
         "sleep 0.1; done; process_1; layers");
  EXPECT_EQ(ended.output, "0\n");
}

}  // namespace
}  // namespace ocfsgw::cluster
