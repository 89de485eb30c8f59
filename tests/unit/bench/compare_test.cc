// What compare makes of its measurements, and how it treats programs that do not mount. Mounts:
// tests/mount/bench_test.cc.
#include <gmock/gmock.h>
#include <signal.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>

#include "bench/compare.h"
#include "bench/compare_chart.h"
#include "bench/compare_report.h"
#include "bench/figures.h"
#include "bench/kernel_caches.h"
#include "tests/unit/ctl/temp_directory.h"

namespace ocfsgw::bench {
namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;
using ::testing::AllOf;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

constexpr milliseconds kAWhile(20'000);
const std::atomic<bool> kGo{false};
const CompareKey kBareStat{"stat", CacheState::kHot, "bare"}, kFullStat{"stat", CacheState::kHot, "full"};

/// `full` takes 2, 3 and 40 times as long, and is not there in the last round.
CompareResults Some() {
  CompareResults results;
  results.workloads = {"stat"};
  results.contenders = {"bare", "full", "bindfs"};
  results.cells[kBareStat] = {{0, 0.001}, {1, 0.010}, {2, 0.001}, {3, 0.005}};
  results.cells[kFullStat] = {{0, 0.002}, {1, 0.030}, {2, 0.040}};
  results.commands = {{"bare", ""}, {"full", "ocfsgw SOURCE MOUNTPOINT"}};
  results.versions = {{"bare", ""}, {"full", "ocfsgw 9"}};
  results.skipped = {{"bindfs", "", "bindfs is not installed"}};
  return results;
}

TEST(Compare, SpreadOfValues) {
  EXPECT_FALSE(SpreadOf({}));
  const auto spread = SpreadOf({4, 1, 9, 2});
  EXPECT_EQ(spread->median, 3);
  EXPECT_EQ(spread->least, 1);
  EXPECT_EQ(spread->greatest, 9);
}

TEST(Compare, RatiosAreOfTheSameRound) {
  const CompareResults results = Some();
  const auto ratio = RatioOf(results, kFullStat, kBareStat);
  ASSERT_TRUE(ratio);
  EXPECT_DOUBLE_EQ(ratio->median, 3);  // that of the medians would be 10
  EXPECT_DOUBLE_EQ(ratio->least, 2);
  EXPECT_DOUBLE_EQ(ratio->greatest, 40);
  EXPECT_DOUBLE_EQ(SecondsOf(results, kBareStat)->median, 0.003);
  EXPECT_FALSE(RatioOf(results, kFullStat, {"stat", CacheState::kCold, "bare"}));
}

TEST(Compare, NoRatioWithoutACommonRound) {
  CompareResults results;
  results.cells[kBareStat] = {{0, 1}};
  results.cells[kFullStat] = {{1, 1}};
  EXPECT_FALSE(RatioOf(results, kFullStat, kBareStat));
}

TEST(Compare, OnlyTheBareDirectoryShowsTheDisk) {
  EXPECT_TRUE(TakesPart(*FindContender("bare"), *FindWorkload("direct-read")));
  EXPECT_FALSE(TakesPart(*FindContender("full"), *FindWorkload("direct-read")));
  EXPECT_TRUE(TakesPart(*FindContender("full"), *FindWorkload("stat")));
}

TEST(Compare, FiguresAreOfThingsThatThereAre) {
  for (const Figure& figure : Figures()) {
    for (const CompareKey* const key : {&figure.above, &figure.below}) {
      const Contender* const contender = FindContender(key->contender);
      const WorkloadKind* const kind = FindWorkload(key->workload);
      ASSERT_TRUE(contender && kind) << figure.what;
      EXPECT_TRUE(TakesPart(*contender, *kind)) << figure.what;
      EXPECT_TRUE(!kind->writes || key->state == CacheState::kHot) << figure.what;
    }
  }
}

TEST(Compare, Reports) {
  CompareResults results = Some();
  CompareSetting setting;
  setting.command = "ocfsgw-bench compare --rounds 4";
  setting.rounds = 4;
  EXPECT_THAT(
      CompareTable(results),
      AllOf(HasSubstr("stat                hot    full            30.000       2.000      40.000      3.00"),
            HasSubstr("hot stat, full / bare: 3.00 (2.00 to 40.0), asked 1.2\n"),
            HasSubstr("skipped: bindfs: bindfs is not installed\n"), Not(HasSubstr("interrupted"))));
  EXPECT_EQ(CompareCsv(results),
            "workload,state,contender,rounds,median_s,min_s,max_s,ratio_median,ratio_min,ratio_max\n"
            "stat,hot,bare,4,0.003000000,0.001000000,0.010000000,1.0000,1.0000,1.0000\n"
            "stat,hot,full,3,0.030000000,0.002000000,0.040000000,3.0000,2.0000,40.0000\n");
  EXPECT_THAT(CompareMarkdown(setting, results, "p.svg"),
              AllOf(HasSubstr("`ocfsgw-bench compare --rounds 4`"),
                    HasSubstr("| stat | hot | 3.00 (1.00 to 10.0) ms | 3.00 (2.00 to 40.0) | - |\n"),
                    HasSubstr("| hot stat, full / bare | 1.2 | 3.00 (2.00 to 40.0) |\n"),
                    HasSubstr("- full: `ocfsgw SOURCE MOUNTPOINT` (ocfsgw 9)\n"),
                    HasSubstr("- bindfs: bindfs is not installed\n"), HasSubstr("](p.svg)")));
  EXPECT_THAT(CompareMarkdown(setting, results, ""), Not(HasSubstr("Other programs")));
  setting.machine.load = 3;
  EXPECT_THAT(CompareMarkdown(setting, results, ""), HasSubstr("Other programs ran at the same time"));
  const auto json = nlohmann::json::parse(CompareJson(setting, results));
  EXPECT_EQ(json["cells"].size(), 2U);
  EXPECT_EQ(json["cells"][1]["seconds_of_rounds"], (std::vector<double>{0.002, 0.030, 0.040}));
  EXPECT_DOUBLE_EQ(json["cells"][1]["ratio_to_bare"]["max"], 40);
  EXPECT_EQ(json["skipped"][0]["contender"], "bindfs");
  EXPECT_TRUE(json["figures"][1]["measured"].is_null());
  results.interrupted = true;
  EXPECT_THAT(CompareTable(results), EndsWith("interrupted: this is not all that was asked for\n"));
}

TEST(Compare, ChartHasABarForEachRatio) {
  const std::string svg = CompareChart(Some());
  EXPECT_THAT(svg, AllOf(StartsWith("<svg "), HasSubstr(">stat, hot</text>"), HasSubstr(">3.00</text>"),
                         EndsWith("</svg>\n")));
  EXPECT_THAT(svg, AllOf(HasSubstr(">full</text>"), Not(HasSubstr("bindfs"))));
  EXPECT_THAT(CompareChart({}), EndsWith("</svg>\n"));
}

class ContenderTest : public ::testing::Test {
 protected:
  Status Mount(const Contender& contender) {
    return Mounted::Mount(contender, {"/nowhere", directory_.path(), 1}, kGo).status();
  }
  ctl::TempDirectory directory_;
};

TEST_F(ContenderTest, TheFirstIsTheDirectoryItself) {
  const auto mounted = Mounted::Mount(Contenders().front(), {"/nowhere", directory_.path(), 1}, kGo);
  ASSERT_TRUE(mounted.ok());
  EXPECT_EQ((*mounted)->path(), "/nowhere");
  EXPECT_EQ(CommandText(Contenders().front(), 1), "");
  EXPECT_EQ(CommandText(*FindContender("bindfs"), 1), "bindfs -f SOURCE MOUNTPOINT");
  EXPECT_THAT(CommandText(*FindContender("fast"), 7), EndsWith("cache_dir=CACHE,cache_size=7M,fast=/"));
}

TEST_F(ContenderTest, ThatIsNotInstalled) {
  const Status status = Mount({"x", "ocfsgw-no-such-program", {}});
  EXPECT_TRUE(status.Is(StatusCode::kUnavailable));
  EXPECT_EQ(status.ToString(), "ocfsgw-no-such-program is not installed");
}

TEST_F(ContenderTest, ThatRefusesSaysWhy) {
  EXPECT_EQ(Mount({"x", "sh", {"-c", "echo first; echo no such option >&2; exit 3"}}).ToString(),
            "no such option");
}

TEST_F(ContenderTest, ThatEndsSilently) {
  EXPECT_EQ(Mount({"x", "sh", {"-c", "exit 3"}}).ToString(), "sh ended with 3");
}

TEST_F(ContenderTest, ThatDoesNotMountIsStoppedWhenAskedTo) {
  const std::atomic<bool> stop{true};
  const auto begin = std::chrono::steady_clock::now();
  const auto mounted = Mounted::Mount({"x", "sleep", {"1000"}}, {"/nowhere", directory_.path(), 1}, stop);
  EXPECT_TRUE(mounted.status().Is(StatusCode::kShutdown));
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(1000));
}

TEST_F(ContenderTest, Version) {
  EXPECT_EQ(VersionOf({"x", "ocfsgw-no-such-program", {}}, directory_.path()), "");
  EXPECT_THAT(VersionOf({"x", "bash", {}}, directory_.path()), StartsWith("GNU bash"));
  EXPECT_TRUE(fs::is_empty(directory_.path()));
}

TEST_F(ContenderTest, ChildrenEndWithTheirStatus) {
  auto child = ChildProcess::Start({"/bin/sh", "-c", "echo said; exit 7"}, directory_ / "log");
  ASSERT_TRUE(child.ok());
  EXPECT_EQ(child->Wait(kAWhile), 7);
  EXPECT_EQ(child->Ended(), 7);
  auto sleeper = ChildProcess::Start({"/bin/sleep", "1000"}, directory_ / "log");
  ASSERT_TRUE(sleeper.ok());
  EXPECT_EQ(sleeper->Wait(milliseconds(1)), std::nullopt);
  sleeper->Stop();
  EXPECT_EQ(sleeper->Ended(), 128 + SIGTERM);
  EXPECT_FALSE(ChildProcess::Start({"/bin/true"}, directory_ / "none/log").ok());
}

TEST_F(ContenderTest, ReadsAllFilesBelowADirectory) {
  fs::create_directories(directory_ / "a/b");
  std::ofstream(directory_ / "a/b/f") << "x";
  fs::create_symlink("nowhere", directory_ / "a/l");
  EXPECT_TRUE(ReadIntoKernelCaches(directory_.path()).ok());
  EXPECT_TRUE(ReadIntoKernelCaches(directory_ / "none").IsErrno(ENOENT));
}

}  // namespace
}  // namespace ocfsgw::bench
