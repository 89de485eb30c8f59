// fcntl(2) locks of byte ranges among the nodes whose gateways have fcntl=cluster.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "tests/cluster/gateway.h"

namespace ocfsgw::cluster {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

/// More than a few commands in a busy lab take, less than any time-out but that of a wait that has been
/// forgotten.
constexpr seconds kMoments{5};
constexpr milliseconds kAWhile{300};
constexpr seconds kRecovery{60};
constexpr const char* kSecond = "/mnt/gw2";  // another gateway of the same node

/// A process in a node, see lab/byte_ranges.py.
class Process {
 public:
  Process(View view, std::string file, const std::string& name)
      : view_(std::move(view)), file_(std::move(file)), fifo_("/tmp/ranges-" + name) {
    const Outcome started = In(view_, file_,
                               "rm -f " + fifo_ + "*; mkfifo " + fifo_ + " " + fifo_ +
                                   ".out; { " OCFSGW_LAB_HELPERS "/byte_ranges.py $d " + fifo_ + " >" +
                                   fifo_ + ".log 2>&1 & echo $! >" + fifo_ + ".pid; }");
    EXPECT_TRUE(started.ok()) << started.output;
  }
  ~Process() { Kill(); }
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  void Say(const std::string& request) {
    const Outcome said = In(view_, file_, Saying(request));
    EXPECT_TRUE(said.ok()) << request << ": " << said.output
                           << In(view_, file_, "cat " + fifo_ + ".log").output;
  }
  std::string Hear(milliseconds limit = kMoments) { return Answer(Hearing(limit), limit); }
  std::string Do(const std::string& request) {
    return Answer(Saying(request) + " && " + Hearing(kMoments), kMoments);
  }
  void Kill() { static_cast<void>(In(view_, file_, "kill -9 $(cat " + fifo_ + ".pid) 2>/dev/null").ok()); }

 private:
  std::string Saying(const std::string& request) const {
    return fmt::format("timeout 20 bash -c \"echo '{}' >{}\"", request, fifo_);
  }
  std::string Hearing(milliseconds limit) const {
    return fmt::format("timeout {:.1f} bash -c 'read -r answer <{}.out; echo -n $answer'",
                       std::chrono::duration<double>(limit).count(), fifo_);
  }
  std::string Answer(const std::string& command, milliseconds limit) const {
    const Outcome heard =
        In(view_, file_, command, std::chrono::duration_cast<seconds>(limit) + Lab::kPatience);
    return heard.ok() ? heard.output : "nothing";
  }

  const View view_;
  const std::string file_;
  const std::string fifo_;
};

class ByteRangeLocks : public testing::Test {
 protected:
  static constexpr const char* kOption = "fcntl=cluster";

  static void SetUpTestSuite() {
    for (const int node : {1, 2}) ASSERT_TRUE(Gateway(node).Unmount().ok());
  }
  static void TearDownTestSuite() {
    for (const int node : {1, 2}) EXPECT_TRUE(Gateway(node).Unmount().ok());
  }
  void SetUp() override {
    for (const int node : {1, 2}) {
      const Outcome mounted = Gateway(node).Mount(false, kOption);
      ASSERT_TRUE(mounted.ok()) << mounted.output;
    }
    file_ = "ranges-" + std::to_string(std::chrono::system_clock::now().time_since_epoch().count());
    ASSERT_TRUE(In({1, kShared}, file_, "touch $d").ok());
  }
  std::unique_ptr<Process> On(int node, const std::string& name, const char* mount = kGateway) const {
    return std::make_unique<Process>(View{node, mount}, file_, name);
  }

  std::string file_;
};

TEST_F(ByteRangeLocks, ExcludeOtherNodes) {
  const auto one = On(1, "a"), two = On(2, "a");
  EXPECT_EQ(one->Do("set w 0 10"), "ok");
  EXPECT_EQ(two->Do("set w 9 1"), "EAGAIN");
  EXPECT_EQ(two->Do("set r 0 1"), "EAGAIN");
  EXPECT_EQ(two->Do("set w 10 0"), "ok") << "another range";
  EXPECT_EQ(one->Do("set w 10 1"), "EAGAIN");
  EXPECT_EQ(one->Do("get w 0 0"), "w 10 0 other");
  EXPECT_EQ(two->Do("get r 5 1"), "w 0 10 other");
  EXPECT_EQ(two->Do("get w 10 0"), "free") << "its own";
  EXPECT_EQ(one->Do("set u 3 2"), "ok");
  EXPECT_EQ(two->Do("set w 3 2"), "ok") << "from the middle";
  EXPECT_EQ(two->Do("get w 0 10"), "w 0 3 other");
  EXPECT_EQ(On(2, "b")->Do("get w 3 1"), "w 3 2 mine");
}

TEST_F(ByteRangeLocks, ReadersShare) {
  const auto one = On(1, "a"), two = On(2, "a");
  EXPECT_EQ(one->Do("set r 0 0"), "ok");
  EXPECT_EQ(two->Do("set r 0 0"), "ok");
  EXPECT_EQ(two->Do("set w 0 1"), "EAGAIN");
  EXPECT_EQ(one->Do("get w 0 1"), "r 0 0 other");
  EXPECT_EQ(one->Do("set u 0 0"), "ok");
  EXPECT_EQ(two->Do("set w 0 1"), "ok");
}

/// Whatever releases a lock wakes who waits for it on the other node.
TEST_F(ByteRangeLocks, AWaiterIsWoken) {
  for (const std::string release : {"set u 0 0", "set r 0 0", "close", "reopen", "end", "kill"}) {
    SCOPED_TRACE(release);
    auto one = On(1, "a"), two = On(2, "a");
    ASSERT_EQ(one->Do("wait w 0 0"), "ok");
    two->Say("wait r 5 10");
    EXPECT_EQ(two->Hear(kAWhile), "nothing");
    if (release == "kill") {
      one->Kill();
    } else {
      EXPECT_EQ(one->Do(release), "ok");
    }
    EXPECT_EQ(two->Hear(), "ok");
  }
}

TEST_F(ByteRangeLocks, AWaiterCanBeInterruptedAndKilled) {
  const auto one = On(1, "a"), here = On(1, "b"), there = On(2, "a");
  auto killed = On(2, "b");
  ASSERT_EQ(one->Do("set w 0 10"), "ok");
  EXPECT_EQ(here->Do("alarmed w 0 10"), "EINTR");
  EXPECT_EQ(there->Do("alarmed w 0 10"), "EINTR");
  killed->Say("wait w 0 10");
  killed.reset();
  EXPECT_TRUE(
      In({2, kGateway}, file_, "while [ -e /proc/$(cat /tmp/ranges-b.pid) ]; do sleep 0.05; done").ok());
  EXPECT_EQ(one->Do("set u 0 0"), "ok");
  EXPECT_EQ(there->Do("set w 0 10"), "ok") << "nobody got it unseen";
}

TEST_F(ByteRangeLocks, ThoseOfAnOpenFileEndWithIt) {
  const auto one = On(1, "a"), two = On(2, "a");
  EXPECT_EQ(one->Do("ofd w 0 10"), "ok");
  EXPECT_EQ(one->Do("set w 5 1"), "EAGAIN") << "the process is another owner";
  EXPECT_EQ(one->Do("close"), "ok");
  EXPECT_EQ(two->Do("ofd w 0 10"), "EAGAIN") << "another descriptor was closed";
  two->Say("wait w 0 10");
  EXPECT_EQ(one->Do("reopen"), "ok");
  EXPECT_EQ(two->Hear(), "ok");
}

TEST_F(ByteRangeLocks, TwoGatewaysOfOneNodeExcludeOneAnother) {
  const std::string second = kSecond;
  const Outcome mounted = Lab().On(
      1, "mkdir -p " + second + " /var/cache/ocfsgw-lab/gw2 && mount -t fuse.ocfsgw " + kShared + " " +
             second + " -o cache_dir=/var/cache/ocfsgw-lab/gw2,cache_size=64M,lease=o2dlm,dlmfs=/dlm," +
             kOption);
  ASSERT_TRUE(mounted.ok()) << mounted.output;
  {
    const auto one = On(1, "a"), other = On(1, "b", kSecond);
    EXPECT_EQ(one->Do("set w 0 10"), "ok");
    EXPECT_EQ(other->Do("set w 0 10"), "EAGAIN");
    other->Say("wait w 0 10");
    EXPECT_EQ(one->Do("set u 0 10"), "ok");
    EXPECT_EQ(other->Hear(), "ok");
    EXPECT_EQ(one->Do("get w 0 0"), "w 0 10 other");
  }
  EXPECT_TRUE(Lab().On(1, "umount " + second).ok());
  EXPECT_EQ(On(1, "a")->Do("set w 0 10"), "ok");
}

/// A lock that does not exclude would lose some.
TEST_F(ByteRangeLocks, NoIncrementIsLost) {
  constexpr int kTimes = 750;
  std::vector<std::unique_ptr<Process>> processes;
  for (const int node : {1, 2}) {
    for (const char* name : {"a", "b"}) processes.push_back(On(node, name));
  }
  for (const auto& process : processes) process->Say("count " + std::to_string(kTimes));
  for (const auto& process : processes) EXPECT_EQ(process->Hear(seconds(60)), "ok");
  EXPECT_EQ(std::stoi(In({1, kShared}, file_, "cat $d").output), 4 * kTimes);
}

TEST_F(ByteRangeLocks, SqliteIsNotCorrupted) {
  constexpr int kTimes = 60;
  const auto one = On(1, "a"), two = On(2, "a");
  for (const auto* process : {&one, &two}) {
    (*process)->Say("insert " + std::string(process == &one ? "one" : "two") + " " + std::to_string(kTimes));
  }
  EXPECT_EQ(one->Hear(seconds(60)), "ok");
  EXPECT_EQ(two->Hear(seconds(60)), "ok");
  const Outcome checked =
      In({2, kGateway}, file_,
         "sqlite3 $d.db 'pragma integrity_check; select name, count(*), max(number) from rows "
         "group by name order by name'");
  EXPECT_EQ(checked.output, "ok\none|60|59\ntwo|60|59\n");
}

/// The gateway's guardian is there, or goes with it.
TEST_F(ByteRangeLocks, AreFreeWhenTheirGatewayDies) {
  for (const std::string how : {"unmount", "kill", "kill both"}) {
    SCOPED_TRACE(how);
    const Gateway gateway(1);
    ASSERT_TRUE(gateway.Mount(false, kOption).ok());
    const auto one = On(1, "a"), two = On(2, "a");
    ASSERT_EQ(one->Do("set w 0 10"), "ok");
    two->Say("wait w 0 10");
    EXPECT_EQ(two->Hear(kAWhile), "nothing");
    if (how == "unmount") {
      EXPECT_TRUE(Lab().On(1, "pkill -TERM -x ocfsgw").ok());
    } else if (how == "kill") {
      EXPECT_TRUE(gateway.Signal("KILL").ok());
    } else {
      EXPECT_TRUE(gateway.Kill().ok());
    }
    EXPECT_EQ(two->Hear(), "ok");
    EXPECT_EQ(two->Do("set u 0 0"), "ok");
    one->Kill();
    EXPECT_TRUE(Lab()
                    .On(1, "until [ -e " + gateway.view().mount + "/" + file_ +
                               " ] || ! pgrep -x gw-guardian >/dev/null; do sleep 0.05; done")
                    .ok());
  }
}

TEST_F(ByteRangeLocks, AreFreeWhenTheirNodeDies) {
  const auto two = On(2, "a");
  ASSERT_EQ(On(1, "b")->Do("set w 20 10"), "ok");
  const auto one = On(1, "a");
  ASSERT_EQ(one->Do("set w 0 10"), "ok");
  ASSERT_EQ(two->Do("set w 30 10"), "ok");  // both are in the table's file
  two->Say("wait w 0 10");
  EXPECT_EQ(two->Hear(kAWhile), "nothing");
  ASSERT_TRUE(Lab().Kill(1).ok());
  EXPECT_EQ(two->Hear(kRecovery), "ok");
  EXPECT_EQ(On(2, "b")->Do("set w 35 1"), "EAGAIN") << "the survivor's";
  const Outcome booted = Lab().Boot(1);
  EXPECT_TRUE(booted.ok()) << booted.output;
}

}  // namespace
}  // namespace ocfsgw::cluster
