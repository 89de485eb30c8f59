// What a fast tree gives up, on a real cluster. That it is as coherent as the rest:
// cluster_race_matrix_fast_test.
#include <gtest/gtest.h>

#include <chrono>
#include <string>

#include "tests/cluster/gateway.h"

namespace ocfsgw::cluster {
namespace {

constexpr const char* kSetUp = "mkdir -p $d/tree && fsop create $d/tree/f 5000 1 && fsop create $d/f 5000 1";
class FastTree : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(In(truth_, name_, kSetUp).ok());
    ASSERT_TRUE(gateway_.Unmount().ok());
    const Outcome mounted = gateway_.Mount(false, "fast=/" + name_ + "/tree");
    ASSERT_TRUE(mounted.ok()) << mounted.output;
  }
  void TearDown() override {
    EXPECT_TRUE(Lab().On(2, std::string("umount -R ") + kGateway).ok());
    EXPECT_TRUE(gateway_.Unmount().ok());
  }

  const std::string name_ =
      "fast-" + std::to_string(std::chrono::system_clock::now().time_since_epoch().count());
  const View truth_{1, kShared};
  const Gateway gateway_{2};
};

TEST_F(FastTree, AFileOfBothSidesIsOne) {
  const Outcome linked = In(truth_, name_, "ln $d/f $d/tree/link");
  ASSERT_TRUE(linked.ok()) << linked.output;
  for (int round = 2; round < 12; ++round) {
    // By either side of the gateway, and by the other node.
    const View& writer = round % 3 == 0 ? truth_ : gateway_.view();
    const std::string file = round % 3 == 1 ? "$d/f" : "$d/tree/link";
    const std::string bytes = std::to_string(5000 + round);
    ASSERT_TRUE(In(writer, name_, "printf '%0" + bytes + "d' " + std::to_string(round) + " >" + file).ok());
    const std::string real = In(truth_, name_, "fsop read $d/f").output;
    EXPECT_EQ(In(gateway_.view(), name_, "fsop read $d/f").output, real) << "round " << round;
    EXPECT_EQ(In(gateway_.view(), name_, "fsop read $d/tree/link").output, real) << "round " << round;
  }
}

}  // namespace
}  // namespace ocfsgw::cluster
