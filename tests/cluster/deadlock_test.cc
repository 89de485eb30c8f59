// The cycles of docs/COHERENCE.md, "Deadlocks and what cuts them", that need OCFS2: its queue of lock
// requests and its order of locks. The timer comes after minutes, so that a hang is a hang; then the stacks
// of the gateway and of who waits for it are printed, and the gateway is killed.
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "tests/cluster/gateway.h"
#include "tests/cluster/soak/node_line.h"

namespace ocfsgw::cluster {
namespace {

using std::chrono::seconds;

constexpr seconds kQuiet{20};  // more than anything takes in a busy lab
constexpr const char* kTimerReleases = "ocfsgw_timer_releases_total";
constexpr const char* kLongDeadline = "recall_deadline_ms=600000";

class ClusterDeadlock : public testing::Test {
 protected:
  void Mount(const std::string& options = kLongDeadline) {
    ASSERT_TRUE(gateway_.Unmount().ok());
    const Outcome mounted = gateway_.Mount(false, options);
    ASSERT_TRUE(mounted.ok()) << mounted.output;
    name_ = "deadlock-" + std::to_string(NowNs());
    const Outcome made =
        In(truth_, name_, "mkdir $d && fsop create $d/f 4194304 1 && fsop create $d/g 20000 2");
    ASSERT_TRUE(made.ok()) << made.output;
  }
  void TearDown() override {
    if (!hung_) EXPECT_EQ(gateway_.Metric(kTimerReleases), 0u);
    EndHold();
    EXPECT_TRUE(gateway_.Unmount().ok());
  }
  /// A command that has to end; if it hangs, says where everybody is, and lets everybody go.
  Outcome MustEnd(const View& view, const std::string& command, const std::string& why) {
    Outcome outcome = In(view, name_, command, kQuiet);
    if (outcome.status == 4) Hung(why);
    EXPECT_TRUE(outcome.ok()) << command << ": " << outcome.output;
    return outcome;
  }
  void Hung(const std::string& why) {
    if (hung_.exchange(true)) return;
    ADD_FAILURE() << "hung: " << why << "\n--- node 2\n"
                  << gateway_.Stacks() << "--- who waits in node 1\n"
                  << Lab().On(1, kWhoWaits).output;
    gateway_.Kill();
  }
  void LeaseFile(const std::string& look) {
    const Outcome cached = gateway_.LookUntilLeased(name_, look, 0, 3);
    ASSERT_TRUE(cached.ok()) << cached.output;
  }
  /// A process of node 1 takes a lock of each of these files exclusively, as a writer, and keeps it.
  void HoldLocks(const std::string& kind, const std::string& files) {
    const Outcome held =
        In(truth_, name_,
           "cd $d; rm -f /tmp/hold; mkfifo /tmp/hold; { " OCFSGW_LAB_HELPERS "/hold_lock.py /dlm/" +
               Domain() + " " + kind + " " + files +
               " >/tmp/hold 2>&1 & echo $! >/tmp/hold.pid; }; read -r said </tmp/hold; echo $said; [ "
               "\"$said\" = held ]");
    ASSERT_TRUE(held.ok()) << held.output;
  }
  void EndHold() { Lab().On(1, "kill $(cat /tmp/hold.pid) 2>/dev/null; rm -f /tmp/hold.pid"); }
  std::string Domain() const {
    std::string domain = Lab().On(2, "ls /dlm").output;
    while (!domain.empty() && domain.back() == '\n') domain.pop_back();
    return domain;
  }

  static constexpr const char* kWhoWaits =
      "for p in /proc/[0-9]*; do grep -q '^State:.D' $p/status 2>/dev/null && { tr '\\0' ' ' <$p/cmdline; "
      "echo; "
      "cat $p/stack; }; done";
  const Gateway gateway_{2};
  const View truth_{1, kShared};
  std::string name_;
  std::atomic<bool> hung_{false};
};

// recall waits for a page <- WRITE waits for the exclusive lock <- our lease. A part of a page that the
// kernel does not have: it keeps the page locked until the WRITE is answered.
TEST_F(ClusterDeadlock, AWriteOfOurOwnGivesTheLeaseOfItsFileBackFirst) {
  Mount();
  constexpr const char* kWrite =
      "python3 -IS -c 'import os, sys; os.pwrite(os.open(sys.argv[1], os.O_RDWR), b\"new\", "
      "int(sys.argv[2]))' "
      "$d/f ";
  for (int i = 0; i < 3 && !hung_; ++i) {
    LeaseFile("head -c 100 $d/f >/dev/null; fsop stat $d/f; fsop ls $d");
    MustEnd(gateway_.view(), kWrite + std::to_string((i + 1) * 1'000'000),
            "the WRITE waits for its own lease");
  }
}

// recall waits for the directory <- CREATE, RENAME, UNLINK wait for the exclusive lock <- our lease
TEST_F(ClusterDeadlock, AChangeOfNamesInALeasedDirectoryEnds) {
  Mount();
  LeaseFile("fsop ls $d; fsop stat $d/f; [ ! -e $d/new ]");
  MustEnd(gateway_.view(), "fsop create $d/new 100 1", "CREATE waits for its own lease");
  LeaseFile("fsop ls $d; fsop stat $d/new; fsop stat $d/f");
  MustEnd(gateway_.view(), "fsop rename_over $d/new $d/g", "RENAME waits for its own lease");
  LeaseFile("fsop ls $d; fsop stat $d/g; fsop stat $d/f");
  MustEnd(gateway_.view(), "fsop unlink $d/g; mkdir $d/sub && rmdir $d/sub",
          "UNLINK waits for its own lease");
}

// recall waits for a page <- READ waits in the backend <- the kernel's own lock request behind the writer's
// <- our lease; with files opened anew each time, whose backend file is opened when a block is missing.
TEST_F(ClusterDeadlock, ReadersAndWritersOfOneFileOnAllSidesMakeProgress) {
  Mount();
  enum Lane { kWriter, kOwnWriter, kNames, kReaders, kLanes = kReaders + 4 };
  const char* const lab = std::getenv("OCFSGW_LAB");
  const std::string directory = lab == nullptr ? "/tmp/ocfsgw-lab" : lab;
  NodeLine one(1, directory + "/node1"), two(2, directory + "/node2");
  ASSERT_TRUE(one.Start(kLanes) && two.Start(kLanes));
  struct Load {
    NodeLine* node;
    int lane;
    std::string request;
    int done = 0;
  };
  const auto at = [&](const char* mount, const char* file) {
    return std::string(mount) + "/" + name_ + "/" + file;
  };
  const std::string shared = at(kShared, "g"), gateway = at(kGateway, "g");
  std::vector<Load> loads = {
      {&one, kWriter, "pwrite " + shared + " 4096 7"},    {&one, kNames, "truncate " + shared + " 20000"},
      {&two, kOwnWriter, "store " + gateway + " 8192 8"}, {&two, kReaders, "read " + gateway},
      {&two, kReaders + 1, "load " + gateway + " 4096"},  {&two, kReaders + 2, "pread " + gateway + " 12288"},
      {&two, kReaders + 3, "stat_all " + gateway}};
  std::atomic<bool> stop{false};
  std::vector<std::thread> threads;
  for (Load& load : loads) {
    threads.emplace_back([this, &load, &stop] {
      while (!stop && !hung_) {
        const Answer answer = load.node->Ask(load.lane, load.request, kQuiet);
        if (answer.outcome == Answer::Outcome::kLost) Hung(load.request);
        ++load.done;
      }
    });
  }
  const auto end = std::chrono::steady_clock::now() + seconds(5);
  while (std::chrono::steady_clock::now() < end && !hung_)
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  stop = true;
  for (std::thread& thread : threads) thread.join();
  for (const Load& load : loads) EXPECT_GT(load.done, 5) << load.request;
}

// An O_DIRECT writer has W, and wants M while we wait for W: we must not have M.
TEST_F(ClusterDeadlock, AnODirectWriterGetsMWhileWeWaitForItsW) {
  Mount("recall_deadline_ms=2000");
  ASSERT_TRUE(In(gateway_.view(), name_, "fsop ls $d").ok());
  HoldLocks("W", "f");
  const Outcome looked = MustEnd(gateway_.view(), "fsop stat $d/f", "a handler waits for the writer's W");
  EXPECT_TRUE(looked.ok()) << "the backend answers where no lease can be had in time: " << looked.output;
  MustEnd(truth_, "fsop chmod $d/f 600", "the writer waits for an M that is held while we wait for its W");
  EXPECT_EQ(MustEnd(gateway_.view(), "fsop stat $d/f", "a handler waits for the writer's W").output,
            In(truth_, name_, "fsop stat $d/f").output);
}

// The backend's file is not opened in the middle of a recall: its open lock, taken at the first open, keeps
// the inode until a block is missing, although nothing else of this node knows it any more.
TEST_F(ClusterDeadlock, AFileRemovedOnAnotherNodeWhileItIsOpenHereStaysReadable) {
  Mount();
  const std::string real = In(truth_, name_, "md5sum <$d/f").output;
  LeaseFile("head -c 100 $d/f >/dev/null; fsop stat $d/f; fsop ls $d");
  const Outcome opened =
      In(gateway_.view(), name_,
         "rm -f /tmp/h /tmp/h.out; mkfifo /tmp/h /tmp/h.out; { exec 3<$d/f; echo open >/tmp/h.out; "
         "read -r _ </tmp/h; md5sum <&3 >/tmp/h.out 2>&1; } & cat /tmp/h.out");
  ASSERT_EQ(opened.output, "open\n");
  ASSERT_TRUE(Lab().DropCaches(2).ok());
  MustEnd(truth_, "fsop unlink $d/f; sync", "UNLINK waits for whoever has it open");
  EXPECT_EQ(MustEnd(gateway_.view(), "echo go >/tmp/h; cat /tmp/h.out", "a READ waits for the backend's open")
                .output,
            real);
}

// All acquisition threads wait for locks that writers keep: recalls are served, and handlers answer.
TEST_F(ClusterDeadlock, RecallsAreServedWhileAllAcquisitionsWait) {
  Mount("recall_deadline_ms=2000");
  ASSERT_TRUE(In(truth_, name_, "for i in {1..40}; do echo $i >$d/held$i; done").ok());
  LeaseFile("fsop ls $d; fsop stat $d/g; fsop read $d/g");
  HoldLocks("W", "held*");
  const Outcome looks = In(
      gateway_.view(), name_,
      "rm -f /tmp/look*; for i in {1..40}; do { { fsop stat $d/held$i >/tmp/look$i; echo >/tmp/looked$i; } "
      ">/dev/null 2>&1 & }; done");
  ASSERT_TRUE(looks.ok()) << looks.output;
  MustEnd(truth_, "fsop append $d/g 100 3", "a recall waits for an acquisition");
  MustEnd(gateway_.view(),
          "until [ $(ls /tmp/looked* | wc -l) = 40 ]; do sleep 0.1; done; [ $(grep -c mode /tmp/look[0-9]* | "
          "grep "
          "-c :1) = 40 ]",
          "handlers wait for leases for ever");
  EndHold();
  EXPECT_EQ(MustEnd(gateway_.view(), "fsop read $d/g", "a READ waits for an acquisition").output,
            In(truth_, name_, "fsop read $d/g").output);
}

}  // namespace
}  // namespace ocfsgw::cluster
