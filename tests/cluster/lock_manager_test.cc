// The lock manager, or the volume, goes away under a gateway: nothing stale is shown, nothing hangs, and
// caching comes back without a restart.
#include <gtest/gtest.h>

#include <chrono>
#include <sstream>
#include <string>
#include <thread>

#include "tests/cluster/gateway.h"

namespace ocfsgw::cluster {
namespace {

using std::chrono::seconds;

// No answer from a cut node for 10 s, then the quorum decides; then no heartbeat of it for 12 s.
constexpr seconds kFenced{180};

class LockManagerLoss : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(gateway_.Unmount().ok());
    const Outcome mounted = gateway_.Mount();
    ASSERT_TRUE(mounted.ok()) << mounted.output;
    name_ = "loss-" + std::to_string(std::chrono::system_clock::now().time_since_epoch().count());
    const Outcome made =
        In(truth_, name_, "mkdir $d && for i in {0..4}; do fsop create $d/f$i 20000 $i || exit 1; done");
    ASSERT_TRUE(made.ok()) << made.output;
  }

  void ExpectLeased() {
    const Outcome cached = gateway_.LookUntilLeased(name_, kLook, 0, 6);
    ASSERT_TRUE(cached.ok()) << cached.output;
  }
  void ExpectChangesAreSeen(const char* when) {
    SCOPED_TRACE(when);
    const Outcome changed = In(
        truth_, name_, "fsop append $d/f0 100 1 && fsop chmod $d/f1 600 && fsop create $d/new$RANDOM 10 1");
    ASSERT_TRUE(changed.ok()) << changed.output;
    const Outcome seen = In(gateway_.view(), name_, kLook);
    const Outcome real = In(truth_, name_, kLook);
    EXPECT_TRUE(real.ok()) << real.output;
    EXPECT_EQ(seen.output, real.output);
  }
  Outcome OnReader(const std::string& command) { return Lab().On(2, command); }

  static constexpr const char* kLook =
      "for i in {0..4}; do fsop stat $d/f$i; fsop read $d/f$i; done; fsop ls $d";
  const Gateway gateway_{2};
  const View truth_{1, kShared};
  std::string name_;
};

TEST_F(LockManagerLoss, LazilyUnmountedDlmfsServesOn) {
  ExpectLeased();
  ASSERT_TRUE(OnReader("umount -l /dlm && [ -z \"$(ls /dlm)\" ]").ok());
  ExpectChangesAreSeen("without dlmfs to be seen");
  ExpectLeased();
  ExpectChangesAreSeen("leased without dlmfs to be seen");
  ASSERT_TRUE(OnReader("mount -t ocfs2_dlmfs none /dlm").ok());
}

TEST_F(LockManagerLoss, RemovedDomainIsJoinedAnew) {
  // Only what nobody has open can be removed: make the gateway give everything back first.
  const auto remove = [&] {
    const auto deadline = std::chrono::steady_clock::now() + seconds(30);
    Outcome removed;
    do {
      EXPECT_TRUE(In(truth_, name_, "touch $d $d/* " + std::string(kShared)).ok());
      removed = OnReader("cd /dlm/* && find . -type f -delete && rmdir \"$PWD\"");
    } while (!removed.ok() && std::chrono::steady_clock::now() < deadline);
    ASSERT_TRUE(removed.ok()) << removed.output;
  };
  ExpectLeased();
  remove();
  ExpectChangesAreSeen("without a domain");
  ExpectLeased();
  ExpectChangesAreSeen("leased again");
  remove();
  ExpectLeased();
  ExpectChangesAreSeen("leased once more");
}

TEST_F(LockManagerLoss, VolumeTurnedReadOnly) {
  ExpectLeased();
  ASSERT_TRUE(OnReader("mount -o remount,ro /mnt/shared").ok());
  ExpectChangesAreSeen("read-only");
  ExpectLeased();
  ExpectChangesAreSeen("leased on a read-only volume");
  EXPECT_NE(In(gateway_.view(), name_, "fsop append $d/f0 1 1").output.find("Read-only"), std::string::npos);
  ASSERT_TRUE(OnReader("mount -o remount,rw /mnt/shared").ok());
  const Outcome written = In(gateway_.view(), name_, "fsop append $d/f0 1 1");
  EXPECT_TRUE(written.ok()) << written.output;
  ExpectChangesAreSeen("writable again");
}

TEST_F(LockManagerLoss, LazilyUnmountedVolumeIsServedOn) {
  ExpectLeased();
  ASSERT_TRUE(OnReader("umount -l /mnt/shared").ok());
  ExpectChangesAreSeen("without the volume to be seen");
  ExpectLeased();
  ExpectChangesAreSeen("leased without the volume to be seen");
  const Outcome written = In(gateway_.view(), name_, "fsop append $d/f2 1 1");
  EXPECT_TRUE(written.ok()) << written.output;
  ASSERT_TRUE(gateway_.Unmount().ok());
  // The file system goes when the last of the gateway's mount has gone.
  const Outcome again = OnReader("mount -t ocfs2 -o noatime /dev/ubda /mnt/shared");
  ASSERT_TRUE(again.ok()) << again.output;
  ASSERT_TRUE(gateway_.Mount().ok());
  ExpectChangesAreSeen("mounted again");
}

// Node 2 goes on serving what it has leased until it fences itself; the writer's change must not be done
// before.
TEST_F(LockManagerLoss, ACutOffNodeShowsNothingOldOnceTheWriterIsDone) {
  ASSERT_TRUE(In(truth_, name_, "echo old >$d/word").ok());
  ExpectLeased();
  ASSERT_TRUE(
      In(gateway_.view(), name_,
         "{ while true; do t=$EPOCHREALTIME; w=$(<$d/word); echo \"look $t $w\" >/dev/console; sleep 0.05; "
         "done; } >/dev/null 2>&1 &")
          .ok());
  ASSERT_TRUE(Lab().Cut(2).ok());
  const Outcome cut = Lab().On(1, "echo $EPOCHREALTIME");
  const Outcome written = In(truth_, name_, "echo new >$d/word && echo $EPOCHREALTIME", kFenced);
  ASSERT_TRUE(written.ok()) << written.output;
  const double cut_at = std::stod(cut.output), written_at = std::stod(written.output);
  const auto deadline = std::chrono::steady_clock::now() + kFenced;
  while (Lab().Alive(2) && std::chrono::steady_clock::now() < deadline) {
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
  ASSERT_FALSE(Lab().Alive(2)) << "a node without its network must fence itself";

  int looks_while_cut = 0;
  double last = 0;
  std::istringstream console(Lab().Console(2));
  for (std::string line; std::getline(console, line);) {
    std::istringstream words(line);
    std::string look, word;
    double at = 0;
    if (!(words >> look >> at >> word) || look != "look") continue;
    looks_while_cut += at > cut_at ? 1 : 0;
    last = std::max(last, at);
    EXPECT_TRUE(word == "new" || at < written_at) << line << ", written at " << written.output;
  }
  EXPECT_GT(looks_while_cut, 0);
  RecordProperty("writer_waited_ms", static_cast<int>((written_at - cut_at) * 1000));
  RecordProperty("last_look_before_write_ms", static_cast<int>((written_at - last) * 1000));
  ASSERT_TRUE(Lab().Boot(2).ok());
  ASSERT_TRUE(gateway_.Mount().ok());
  ExpectChangesAreSeen("after the node's boot");
}

}  // namespace
}  // namespace ocfsgw::cluster
