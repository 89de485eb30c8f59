#include "bench/lock_cost.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <nlohmann/json.hpp>

namespace ocfsgw::bench {
namespace {

const std::atomic<bool> kNoStop = false;

LockCost Example() {
  LockCost cost;
  cost.sent = {{503, 6}, {504, 2}};
  cost.received = {{504, 2}, {505, 6}};
  cost.packets = 48;
  cost.disk = DiskReads{.requests = 3, .bytes = 12288};
  cost.seconds = 4;
  return cost;
}

TEST(LockCost, AsText) {
  EXPECT_EQ(LockCostText(Example(), 8),
            "message                    sent   received        all      per s     per op\n"
            "create_lock                   6          0          6       1.50      0.750\n"
            "convert_lock                  2          2          4       1.00      0.500\n"
            "proxy_ast                     0          6          6       1.50      0.750\n"
            "all                           8          8         16       4.00      2.000\n"
            "48 packets in 4.000 s; 3 reads, 12288 bytes of the disk, 0.375 reads per op\n");
  EXPECT_EQ(LockCostText(LockCost{}, 0),
            "message                    sent   received        all      per s\n"
            "all                           0          0          0       0.00\n"
            "0 packets in 0.000 s\n");
}

TEST(LockCost, AsJson) {
  const std::string text = LockCostJson(Example(), 8);
  EXPECT_EQ(text.find('\n'), text.size() - 1) << "one line";
  const auto json = nlohmann::json::parse(text);
  EXPECT_EQ(json["messages"], 16);
  EXPECT_EQ(json["sent"], (nlohmann::json{{"create_lock", 6}, {"convert_lock", 2}}));
  EXPECT_EQ(json["received"], (nlohmann::json{{"convert_lock", 2}, {"proxy_ast", 6}}));
  EXPECT_EQ(json["disk_reads"], 3);
  EXPECT_EQ(json["operations"], 8);
  EXPECT_FALSE(nlohmann::json::parse(LockCostJson(LockCost{}, 0)).contains("disk_reads"));
}

TEST(LockCost, SaysWhatCannotBeUsed) {
  EXPECT_TRUE(MeasureLockCost({.interface = "lo", .disk = "no-such-disk", .command = {"true"}}, kNoStop)
                  .status()
                  .Is(StatusCode::kInvalidArgument));
}

/// Runs on this machine's loopback interface, with a connection that looks like o2net's; needs the right to
/// capture.
class LockCostOnLoopback : public testing::Test {
 protected:
  void SetUp() override {
    options_.interface = "lo";
    options_.command = {"true"};
    const auto cost = MeasureLockCost(options_, kNoStop);
    if (cost.status().IsErrno(EPERM)) GTEST_SKIP() << "no right to capture";
    ASSERT_TRUE(cost.ok()) << cost.status().ToString();
    listening_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof address;
    auto* const any = reinterpret_cast<sockaddr*>(&address);
    ASSERT_EQ(bind(listening_, any, length), 0);
    ASSERT_EQ(listen(listening_, 1), 0);
    ASSERT_EQ(getsockname(listening_, any, &length), 0);
    options_.port = ntohs(address.sin_port);
  }
  void TearDown() override {
    if (listening_ >= 0) close(listening_);
  }

  LockCostOptions options_;
  int listening_ = -1;
};

TEST_F(LockCostOnLoopback, CountsWhatACommandSends) {
  // A create_lock (503) with a payload of 3 bytes, its status, and a proxy_ast (505).
  constexpr const char* kSend =
      R"(exec 3<>/dev/tcp/127.0.0.1/$0
      pad='\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0'
      printf '\372\125\0\3\1\367'"$pad"'abc\372\126\0\0\1\367'"$pad"'\372\125\0\0\1\371'"$pad" >&3
      exit 7)";
  options_.command = {"/bin/bash", "-c", kSend, std::to_string(options_.port)};
  const auto cost = MeasureLockCost(options_, kNoStop);
  ASSERT_TRUE(cost.ok()) << cost.status().ToString();
  O2netCounts both = cost->sent;  // on this interface each packet is seen leaving and arriving
  for (const auto& [type, count] : cost->received) both[type] += count;
  EXPECT_EQ(both, (O2netCounts{{503, 1}, {505, 1}}));
  EXPECT_EQ(cost->exit_status, 7);
  EXPECT_EQ(cost->incomplete, 0U);
}

TEST_F(LockCostOnLoopback, TellsASignalAndACommandThatIsNotThere) {
  options_.command = {"/bin/sh", "-c", "kill -9 $$"};
  const auto cost = MeasureLockCost(options_, kNoStop);
  ASSERT_TRUE(cost.ok());
  EXPECT_EQ(cost->exit_status, 128 + 9);
  EXPECT_EQ(Sum(cost->sent) + Sum(cost->received), 0U);
  options_.command = {"/no/such/command"};
  EXPECT_TRUE(MeasureLockCost(options_, kNoStop).status().IsErrno(ENOENT));
}

TEST_F(LockCostOnLoopback, AStopEndsTheCommand) {
  const std::atomic<bool> stop = true;
  options_.command = {"sleep", "1000"};
  const auto cost = MeasureLockCost(options_, stop);
  ASSERT_TRUE(cost.ok());
  EXPECT_EQ(cost->exit_status, 128 + 15);
}

}  // namespace
}  // namespace ocfsgw::bench
