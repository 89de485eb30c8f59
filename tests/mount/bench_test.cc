// ocfsgw-bench on a real mount, and on file systems that are full or read-only.
#include <gmock/gmock.h>
#include <sys/mount.h>

#include <filesystem>

#include "tests/mount/gateway_mount.h"

namespace ocfsgw::mounttest {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using ::testing::EndsWith;

constexpr Milliseconds kAMinute(60'000);
constexpr int kExitSource = 2;
constexpr int kExitRuntime = 4;

Outcome Bench(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), OCFSGW_BENCH_PROGRAM);
  return RunProgram(arguments, kAMinute);
}

class BenchTest : public MountTest {
 protected:
  /// A tmpfs at `path`, gone at the end.
  struct Tmpfs {
    Tmpfs(const std::string& directory, unsigned long flags, const char* options) : path(directory) {
      fs::create_directory(path);
      EXPECT_EQ(mount("tmpfs", path.c_str(), "tmpfs", flags, options), 0);
    }
    ~Tmpfs() { umount2(path.c_str(), MNT_DETACH); }
    const std::string path;
  };
};

class BenchWorkloadTest : public BenchTest, public ::testing::WithParamInterface<const char*> {};

TEST_P(BenchWorkloadTest, OnAGatewayAndItsTiers) {
  ASSERT_TRUE(gateway_.Start());
  fs::create_directory(gateway_.Beside("plain"));
  const Outcome outcome = Bench({"run", "--mount", gateway_.Mount(), "--baseline", gateway_.Beside("plain"),
                                 "--workload", GetParam(), "--rounds", "1", "--threads", "2", "--json"});
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  const json all = json::parse(outcome.out);
  ASSERT_EQ(all["workloads"].size(), 1U);
  const json& one = all["workloads"][0];
  EXPECT_EQ(one["workload"], GetParam());
  ASSERT_TRUE(one.contains("tiers")) << one.dump();
  const json& lookups = one["tiers"]["lookups"];
  EXPECT_GT(lookups["application"].get<uint64_t>(), 0U);
  EXPECT_GT(lookups["lease"].get<uint64_t>() + lookups["backend"].get<uint64_t>(), 0U);
  EXPECT_GE(lookups["kernel_hit_ratio"].get<double>(), 0);
  EXPECT_LE(lookups["kernel_hit_ratio"].get<double>(), 1);
  EXPECT_EQ(one["mount"]["rounds"], 1);
  EXPECT_EQ(one["baseline"]["rounds"], 1);
  EXPECT_TRUE(fs::is_empty(gateway_.Source()));
  EXPECT_TRUE(fs::is_empty(gateway_.Beside("plain")));
}

INSTANTIATE_TEST_SUITE_P(Workloads, BenchWorkloadTest,
                         ::testing::Values("wordpress", "drupal", "composer-autoload", "media-zipf",
                                           "session-dir", "log-tail", "deploy-switch", "full-scan"));

TEST_F(BenchTest, AFullDisk) {
  const Tmpfs small(gateway_.Beside("small"), 0, "size=1m");
  const Outcome outcome = Bench({"run", "--mount", small.path, "--workload", "full-scan", "--rounds", "1"});
  EXPECT_EQ(outcome.exit_code, kExitRuntime);
  EXPECT_THAT(outcome.err, EndsWith(": No space left on device\n"));
  EXPECT_TRUE(fs::is_empty(small.path));
}

TEST_F(BenchTest, AReadOnlyFileSystem) {
  const Tmpfs fixed(gateway_.Beside("fixed"), MS_RDONLY, "size=1m");
  const Outcome outcome = Bench({"run", "--mount", fixed.path, "--rounds", "1"});
  EXPECT_EQ(outcome.exit_code, kExitSource);
  EXPECT_EQ(outcome.err, "ocfsgw-bench: " + fixed.path + ": Read-only file system\n");
}

}  // namespace
}  // namespace ocfsgw::mounttest
