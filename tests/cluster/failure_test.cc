// A gateway that dies, or its whole node, must not hold up writers, and must not have forgotten anything when
// it is back.
#include <gtest/gtest.h>

#include <chrono>
#include <string>

#include "tests/cluster/gateway.h"

namespace ocfsgw::cluster {
namespace {

using std::chrono::seconds;
using Clock = std::chrono::steady_clock;

constexpr seconds kAtOnce{
    5};  // more than starting a program in a busy lab takes, less than any time-out of the cluster
constexpr seconds kRecovery{
    60};  // dead_threshold 7 means 12 s without a heartbeat, then the lock manager recovers

class GatewayFailure : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(gateway_.Unmount().ok());  // a gateway at its lease budget would hold no more
    const Outcome mounted = gateway_.Mount();
    ASSERT_TRUE(mounted.ok()) << mounted.output;
    name_ = "failure-" + std::to_string(std::chrono::system_clock::now().time_since_epoch().count());
    const Outcome made =
        In(truth_, name_, "mkdir $d && for i in {0..9}; do fsop create $d/f$i 20000 $i; done");
    ASSERT_TRUE(made.ok()) << made.output;
    const Outcome cached = gateway_.LookUntilLeased(name_, kLook, gateway_.Metric(kLeasesHeld), 11);
    ASSERT_TRUE(cached.ok()) << cached.output;
  }

  void ExpectGatewayShowsTheTruth() {
    const Outcome mounted = gateway_.Mount();
    ASSERT_TRUE(mounted.ok()) << mounted.output;
    const Outcome seen = In(gateway_.view(), name_, kLook);
    const Outcome real = In(truth_, name_, kLook);
    EXPECT_TRUE(real.ok()) << real.output;
    EXPECT_EQ(seen.output, real.output);
  }

  static constexpr const char* kLook =
      "for i in {0..9}; do fsop stat $d/f$i; fsop read $d/f$i; done; fsop ls $d";
  static constexpr const char* kChange =
      "for i in 0 1 2; do fsop append $d/f$i 100 1; fsop chmod $d/f$((i + 3)) 600; done; fsop create $d/new "
      "10 1";
  const Gateway gateway_{2};
  const View truth_{1, kShared};
  std::string name_;
};

TEST_F(GatewayFailure, KilledGatewayReleasesItsLeasesAtOnce) {
  ASSERT_TRUE(gateway_.Kill().ok());
  const auto start = Clock::now();
  const Outcome changed = In(truth_, name_, kChange, kRecovery);
  ASSERT_TRUE(changed.ok()) << changed.output;
  EXPECT_LT(Clock::now() - start, kAtOnce);
  ExpectGatewayShowsTheTruth();
}

TEST_F(GatewayFailure, WriterGoesOnAfterTheReadersNodeLostPower) {
  ASSERT_TRUE(Lab().Kill(2).ok());
  const auto start = Clock::now();
  const Outcome changed = In(truth_, name_, kChange, kRecovery);
  ASSERT_TRUE(changed.ok()) << changed.output;
  RecordProperty(
      "writer_waited_ms",
      static_cast<int>(std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - start).count()));
  const Outcome booted = Lab().Boot(2);
  ASSERT_TRUE(booted.ok()) << booted.output;
  ExpectGatewayShowsTheTruth();
}

}  // namespace
}  // namespace ocfsgw::cluster
