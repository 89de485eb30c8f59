// `ocfsgw-bench locks` and scripts/locks count what is known to happen.
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>

#include "tests/cluster/gateway.h"

namespace ocfsgw::cluster {
namespace {

using Json = nlohmann::json;

constexpr int kFiles = 50;
constexpr double kHeartbeatReadsMax = 15;

/// What `ocfsgw-bench locks` says of a command in node 2, and in `other` what the lab's own counter says.
Json Count(const std::string& command, uint64_t& other) {
  other = Lab().Messages(
      2, "ocfsgw-bench locks --json --interface eth0 --disk ubda -- " + command + " >/tmp/locks");
  return Json::parse(Lab().On(2, "tail -n 1 /tmp/locks").output);
}

TEST(Locks, AgreeWithTheLabsOwnCounter) {
  ASSERT_TRUE(Lab()
                  .On(1,
                      "rm -rf /mnt/shared/locks; mkdir /mnt/shared/locks && cd /mnt/shared/locks && "
                      "for i in {1..50}; do echo $i >$i; done; sync")
                  .ok());
  const std::string read = "bash -c 'cat /mnt/shared/locks/*'";
  uint64_t other = 0;
  const Json cold = Count(read, other);
  EXPECT_EQ(cold["messages"], other);
  EXPECT_GT(cold["messages"], 4 * kFiles);
  EXPECT_GE(cold["sent"]["create_lock"], 2 * kFiles) << "M and O of each file at least";
  EXPECT_GE(cold["disk_reads"], kFiles);
  const Json hot = Count(read, other);
  EXPECT_EQ(hot["messages"], 0);
  EXPECT_EQ(other, 0U);
  EXPECT_LE(hot["disk_reads"], kHeartbeatReadsMax);
  EXPECT_TRUE(Lab().On(1, "rm -r /mnt/shared/locks").ok());
}

TEST(Locks, OfThePlainAndTheGatewaysWalks) {
  const std::string file = testing::TempDir() + "/ocfsgw-locks.json";
  const std::string command = OCFSGW_SOURCE_DIR "/scripts/locks --rounds 1 --files " +
                              std::to_string(kFiles) + " --scenario cold-walk,gateway-restart --json " + file;
  ASSERT_EQ(std::system(command.c_str()), 0) << command;
  std::map<std::pair<std::string, std::string>, Json> results;
  std::ifstream stream(file);
  const Json all = Json::parse(stream);
  for (const Json& result : all["results"]) {
    EXPECT_EQ(result["operations"], kFiles);
    results[{result["scenario"].get<std::string>(), result["side"].get<std::string>()}] = result;
  }
  const auto messages = [&](const char* scenario, const char* side) {
    return results.at({scenario, side})["messages"].get<double>();
  };
  EXPECT_GT(messages("cold-walk", "plain"), 4 * kFiles);
  EXPECT_GT(messages("cold-walk", "gateway"), 4 * kFiles);
  EXPECT_EQ(messages("gateway-restart", "plain"), 0) << "its second walk, hot";
  EXPECT_LE(messages("gateway-restart", "gateway"), 2 * kFiles);
  EXPECT_LE((results.at({"gateway-restart", "gateway"})["disk_reads"].get<double>()), kHeartbeatReadsMax);
  const std::string page = OCFSGW_SOURCE_DIR "/scripts/locks --page " + file +
                           " | grep -F '| messages, gateway-restart, strict | 1.10 | 0 / 0 | yes |'";
  EXPECT_EQ(std::system(page.c_str()), 0) << page;
  EXPECT_EQ(std::remove(file.c_str()), 0);
}

}  // namespace
}  // namespace ocfsgw::cluster
