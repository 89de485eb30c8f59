// Random operations on one file (io_exerciser) through the gateway, and through the gateway and behind it in
// turn.
#include <fcntl.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "tests/mount/files.h"
#include "tests/mount/gateway_mount.h"

namespace ocfsgw::mounttest {
namespace {

constexpr Milliseconds kPatience{100'000};

class PosixIo : public MountTest {
 protected:
  /// Each run begins with a new file, whose cache has no history.
  void Exercise(const std::vector<std::string>& paths, int runs, int ops,
                const std::vector<std::string>& more = {}) {
    const uint64_t seed = TestSeed();
    for (int run = 0; run < runs; ++run) {
      std::vector<std::string> command = {OCFSGW_IO_EXERCISER,
                                          "--path",
                                          paths[0],
                                          "--ops",
                                          std::to_string(ops),
                                          "--seed",
                                          std::to_string(seed + static_cast<uint64_t>(run))};
      if (paths.size() > 1) command.insert(command.end(), {"--second", paths[1]});
      command.insert(command.end(), more.begin(), more.end());
      const Outcome outcome = RunProgram(command, kPatience);
      ASSERT_EQ(outcome.exit_code, 0) << outcome.out << outcome.err;
    }
  }
  std::string Source() const { return gateway_.Source("file"); }
  std::string Mount() const { return gateway_.Mount("file"); }
};

TEST_F(PosixIo, OnePath) {
  ASSERT_TRUE(gateway_.Start());
  Exercise({Mount()}, 3, 3000);
  EXPECT_TRUE(ReadFile(Source()) == ReadFile(Mount()));
}

// The smallest hold-off: leases come and go all the time.
TEST_F(PosixIo, GatewayAndBareSourceInTurn) {
  ASSERT_TRUE(gateway_.Start("hold_off_ms=10"));
  Exercise({Mount(), Source()}, 4, 2500);
  EXPECT_GT(gateway_.Metric("ocfsgw_recalls_total"), 0);
}

TEST_F(PosixIo, GatewayAndBareSourceInTurnWithDefaultLeases) {
  ASSERT_TRUE(gateway_.Start());
  Exercise({Mount(), Source()}, 2, 2500);
  // The source is replaced behind the gateway: that is noticed afterwards, so not here.
  Exercise({Source(), Mount()}, 2, 2500, {"--without", "replace"});
}

// Two processes with descriptors and mappings of their own. Nothing asks for the size around the operations:
// what one process does is seen by the other's mappings at once.
TEST_F(PosixIo, TwoProcessesThroughTheGateway) {
  ASSERT_TRUE(gateway_.Start());
  Exercise({Mount(), Mount()}, 3, 3000, {"--unasked"});
}

TEST_F(PosixIo, WithoutLeases) {
  const Outcome mounted = gateway_.Mounting("lease=none,cache_dir=" + gateway_.cache_dir());
  ASSERT_EQ(mounted.exit_code, 0) << mounted.err;
  Exercise({Mount(), Source()}, 2, 2500);
}

}  // namespace
}  // namespace ocfsgw::mounttest
