// What it costs to find out that a warm cache is still valid: messages of the lock manager and reads of the
// shared disk for each of many small files, after a restart of the gateway. Prints the figures.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <chrono>
#include <string>

#include "tests/cluster/gateway.h"

namespace ocfsgw::cluster {
namespace {

constexpr int kFiles = 200;
constexpr double kMessagesPerFileMax = 2;
// A node reads a sector of the shared disk every 2 s for its heartbeat.
constexpr uint64_t kHeartbeatReadsMax = 15;

constexpr const char* kRead = "cat $d/* | md5sum";

class Validation : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(gateway_.Unmount().ok());
    ASSERT_TRUE(gateway_.Mount(/*fresh=*/true).ok());
    name_ = "validation-" + std::to_string(std::chrono::system_clock::now().time_since_epoch().count());
    // A stamp younger than 5 s proves nothing later, and nothing is stored under it for long.
    const Outcome made =
        In(truth_, name_,
           fmt::format("mkdir $d && for i in {{1..{}}}; do echo \"$i $d\" >$d/$i || exit 1; done; "
                       "sync; sleep 6; {}",
                       kFiles, kRead));
    ASSERT_TRUE(made.ok()) << made.output;
    content_ = made.output;
  }

  // All lock resources of the cluster go, and the value blocks with them.
  void RestartBothNodes() {
    ASSERT_TRUE(gateway_.Unmount().ok());
    for (const int node : {1, 2}) ASSERT_TRUE(Lab().On(node, "sync").ok());
    for (const int node : {1, 2}) ASSERT_TRUE(Lab().Kill(node).ok());
    for (const int node : {1, 2}) ASSERT_TRUE(Lab().Boot(node).ok());
    // Node 1 asks first, and becomes master of the locks: every one costs node 2 messages.
    ASSERT_EQ(In(truth_, name_, kRead).output, content_);
    ASSERT_TRUE(gateway_.Mount().ok());
  }

  struct Cost {
    double messages = 0;  // per file
    uint64_t disk_reads = 0;
  };
  Cost CostOfReading(const std::string& mount, const std::string& what) {
    const uint64_t before = Lab().Reads(2).requests;
    const std::string command = "export d=" + mount + "/" + name_ + "; [ \"$(" + read_ + ")\" = \"" +
                                content_.substr(0, content_.find('\n')) + "\" ]";
    Cost cost;
    cost.messages = static_cast<double>(Lab().Messages(2, command)) / kFiles;
    cost.disk_reads = Lab().Reads(2).requests - before;
    fmt::print("{}: {:.2f} messages per file, {} reads of the shared disk for {} files\n", what,
               cost.messages, cost.disk_reads, kFiles);
    return cost;
  }

  void ExpectWarmRestartIsCheap(bool drop_caches) {
    ASSERT_TRUE(gateway_.Unmount().ok());
    if (drop_caches) ASSERT_TRUE(Lab().DropCaches(2).ok());
    ASSERT_TRUE(gateway_.Mount(false, options_).ok());
    const Cost warm = CostOfReading(kGateway, drop_caches ? "restart, caches dropped" : "restart");
    EXPECT_LE(warm.messages, kMessagesPerFileMax);
    EXPECT_LE(warm.disk_reads, kHeartbeatReadsMax);
  }

  const Gateway gateway_{2};
  const View truth_{1, kShared};
  std::string name_;
  std::string content_;
  std::string read_ = kRead;
  std::string options_;
};

TEST_F(Validation, OfFilesThatWereWrittenSinceTheNodesMounted) {
  CostOfReading(kGateway, "first read");
  ExpectWarmRestartIsCheap(/*drop_caches=*/false);
  ExpectWarmRestartIsCheap(/*drop_caches=*/true);
}

TEST_F(Validation, OfFilesThatNobodyHasWrittenSinceTheNodesMounted) {
  ASSERT_NO_FATAL_FAILURE(RestartBothNodes());
  CostOfReading(kGateway, "first read");
  ExpectWarmRestartIsCheap(/*drop_caches=*/false);
  ExpectWarmRestartIsCheap(/*drop_caches=*/true);
}

// For whom the kernel asks for the ACL of each file.
TEST_F(Validation, OfFilesThatTheReaderDoesNotOwn) {
  options_ = "allow_other";
  read_ = std::string("setpriv --reuid 65534 --regid 65534 --clear-groups bash -c '") + kRead + "'";
  ASSERT_TRUE(gateway_.Unmount().ok());
  ASSERT_TRUE(gateway_.Mount(false, options_).ok());
  CostOfReading(kGateway, "first read");
  ExpectWarmRestartIsCheap(/*drop_caches=*/false);
  ExpectWarmRestartIsCheap(/*drop_caches=*/true);
}

// For comparison; the bounds only say that the counter counts.
TEST_F(Validation, ByPlainOcfs2) {
  ASSERT_TRUE(gateway_.Unmount().ok());
  EXPECT_GT(CostOfReading(kShared, "plain OCFS2, first read").messages, 4);
  ASSERT_TRUE(Lab().DropCaches(2).ok());
  const Cost dropped = CostOfReading(kShared, "plain OCFS2, caches dropped");
  EXPECT_GT(dropped.messages, 2);
  EXPECT_GT(dropped.disk_reads, kHeartbeatReadsMax);
}

// The master of the locks dies: where nobody held one, its value block is empty again.
TEST_F(Validation, OfValueBlocksThatDiedWithTheirMaster) {
  constexpr const char* kLook = "for i in 1 2 3 new; do fsop stat $d/$i; fsop read $d/$i; done; fsop ls $d";
  const auto expect_the_truth = [&](const char* when) {
    const Outcome real = In(truth_, name_, kLook);
    EXPECT_TRUE(real.ok()) << real.output;
    EXPECT_EQ(In(gateway_.view(), name_, kLook).output, real.output) << when;
  };
  ASSERT_TRUE(In(truth_, name_, "fsop create $d/new 10 1").ok());
  expect_the_truth("before");
  for (int round = 0; round < 2; ++round) {
    // In the second round the last change was made while no gateway ran: its stamp is in the lost value block
    // only.
    if (round == 1) {
      ASSERT_TRUE(gateway_.Unmount().ok());
      ASSERT_TRUE(In(truth_, name_, "fsop overwrite $d/new 0 10 7 && fsop utimes $d/new 1000000000").ok());
    }
    const Outcome last = In(truth_, name_, std::string("sync; ") + kLook);
    ASSERT_TRUE(Lab().Kill(1).ok());
    ASSERT_TRUE(gateway_.Mount().ok());
    // The reader's node recovers the locks while it is asked.
    const Outcome alone = In(gateway_.view(), name_, kLook, std::chrono::seconds(120));
    EXPECT_TRUE(alone.ok()) << alone.output;
    EXPECT_EQ(alone.output, last.output);
    ASSERT_TRUE(Lab().Boot(1).ok());
    expect_the_truth("after the death of node 1");
    ASSERT_TRUE(
        In(truth_, name_, "fsop append $d/1 100 1; fsop chmod $d/2 600; fsop overwrite $d/3 0 5 9; echo")
            .ok());
    expect_the_truth("after changes by node 1 in its next life");
    // As a restarted gateway sees it.
    ASSERT_TRUE(gateway_.Unmount().ok());
    ASSERT_TRUE(gateway_.Mount().ok());
    expect_the_truth("after a restart");
  }
}

}  // namespace
}  // namespace ocfsgw::cluster
