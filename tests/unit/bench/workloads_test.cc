// Each workload on a plain directory; what it does when the directory shows something wrong.
#include <gmock/gmock.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>

#include "bench/run.h"
#include "bench/run_report.h"
#include "bench/workloads/content.h"
#include "bench/workloads/workload.h"
#include "tests/unit/ctl/temp_directory.h"

namespace ocfsgw::bench {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

const std::atomic<bool> kGo{false};
constexpr uint64_t kFiles = 120;  // in two directories
/// The workloads whose operations do not depend on the seed; what is in their files does.
const std::set<std::string_view> kSameForAllSeeds = {"log-tail",  "stat",        "sequential-read",
                                                     "mmap-read", "direct-read", "sequential-write"};

/// Path below `root` -> size, or target, of all that is there.
std::map<std::string, std::string> Tree(const fs::path& root) {
  std::map<std::string, std::string> tree;
  for (const auto& entry : fs::recursive_directory_iterator(root)) {
    std::string& what = tree[entry.path().lexically_relative(root)];
    if (entry.is_symlink()) {
      what = fs::read_symlink(entry.path());
    } else if (entry.is_regular_file()) {
      std::ifstream file(entry.path(), std::ios::binary);
      what.assign(std::istreambuf_iterator<char>(file), {});
    }
  }
  return tree;
}

struct Prepared {
  Prepared(std::string_view name, uint64_t seed)
      : workload(FindWorkload(name)->make(
            {.seed = seed, .threads = 1, .files = kFiles, .large_bytes = kLargeStep})),
        ops(directory.path(), kGo) {
    const Status status = workload->Prepare(ops);
    EXPECT_TRUE(status.ok()) << status.ToString();
  }
  Status Round(uint64_t round) { return workload->Round(ops, 0, round); }

  ctl::TempDirectory directory;
  std::unique_ptr<Workload> workload;
  Operations ops;
};

class EachWorkload : public ::testing::TestWithParam<std::string_view> {};

TEST_P(EachWorkload, SameSeedSameTreeAndSameOperations) {
  Prepared a(GetParam(), 5), b(GetParam(), 5), other(GetParam(), 6);
  EXPECT_EQ(Tree(a.directory.path()), Tree(b.directory.path()));
  for (uint64_t round = 0; round < 2; ++round) {
    for (Prepared* const p : {&a, &b, &other}) {
      const Status status = p->Round(round);
      ASSERT_TRUE(status.ok()) << status.ToString();
    }
  }
  EXPECT_EQ(a.ops.totals().digest, b.ops.totals().digest);
  EXPECT_EQ(a.ops.totals().All().count(), b.ops.totals().All().count());
  EXPECT_EQ(Tree(a.directory.path()), Tree(b.directory.path()));
  if (!kSameForAllSeeds.contains(GetParam())) {
    EXPECT_NE(a.ops.totals().digest, other.ops.totals().digest);
  }
  EXPECT_NE(Tree(a.directory.path()), Tree(other.directory.path()));
}

TEST_P(EachWorkload, RunsWithThreadsOnTwoDirectoriesAndRemovesItsTrees) {
  const ctl::TempDirectory mount, baseline;
  const RunOptions options{.mount = mount.path(),
                           .baseline = baseline.path(),
                           .seed = 1,
                           .threads = 3,
                           .files = kFiles,
                           .large_bytes = kLargeStep,
                           .rounds = 2};
  RunResults results;
  const Status status = RunWorkload(options, *FindWorkload(GetParam()), kGo, results);
  ASSERT_TRUE(status.ok()) << status.ToString();
  ASSERT_EQ(results.workloads.size(), 1U);
  const WorkloadResult& result = results.workloads[0];
  EXPECT_EQ(result.mount.round_seconds.size(), 2U);
  EXPECT_EQ(result.baseline->round_seconds.size(), 2U);
  EXPECT_GT(result.mount.totals.All().count(), 0U);
  EXPECT_FALSE(result.tiers);
  EXPECT_TRUE(RoundRatio(result));
  EXPECT_TRUE(fs::is_empty(mount.path()));
  EXPECT_TRUE(fs::is_empty(baseline.path()));
}

TEST_P(EachWorkload, StopsWhenAskedTo) {
  const ctl::TempDirectory directory;
  const std::atomic<bool> stop{true};
  RunResults results;
  const Status status = RunWorkload({.mount = directory.path()}, *FindWorkload(GetParam()), stop, results);
  EXPECT_TRUE(status.Is(StatusCode::kShutdown)) << status.ToString();
  EXPECT_TRUE(results.interrupted);
  EXPECT_TRUE(fs::is_empty(directory.path()));
}

/// All files get another byte in their middle.
TEST_P(EachWorkload, WrongBytesAreFound) {
  Prepared p(GetParam(), 3);
  ASSERT_TRUE(p.Round(0).ok());
  for (const auto& entry : fs::recursive_directory_iterator(p.directory.path())) {
    if (!entry.is_regular_file()) continue;
    std::fstream file(entry.path(), std::ios::binary | std::ios::in | std::ios::out);
    const auto middle = static_cast<std::streamoff>(entry.file_size() / 2);
    file.seekg(middle);
    const char byte = static_cast<char>(file.get() ^ 1);
    file.seekp(middle);
    file.put(byte);
  }
  if (GetParam() == "log-tail" || GetParam() == "deploy-switch") return;  // read only what they write: below
  if (GetParam() == "stat") return;                                       // reads nothing
  const bool only_writes = GetParam() == "sequential-write" || GetParam() == "random-write-fsync";
  const Status status = only_writes ? p.workload->Verify(p.ops) : p.Round(1);
  EXPECT_TRUE(status.Is(StatusCode::kCorrupt)) << status.ToString();
  EXPECT_THAT(status.ToString(), HasSubstr(": wrong byte at "));
}

INSTANTIATE_TEST_SUITE_P(All, EachWorkload, ::testing::ValuesIn([] {
                           std::vector<std::string_view> names;
                           for (const WorkloadKind& kind : Workloads()) names.push_back(kind.name);
                           return names;
                         }()),
                         [](const auto& param) {
                           std::string name(param.param);
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

TEST(Workloads, PagesAskForWhatIsDocumented) {
  Prepared wordpress("wordpress", 0);
  const auto before = wordpress.ops.totals();
  ASSERT_TRUE(wordpress.Round(0).ok());
  EXPECT_EQ(wordpress.ops.totals().of(OpKind::kStat).count() - before.of(OpKind::kStat).count(), 950U);
  EXPECT_EQ(wordpress.ops.totals().of(OpKind::kOpen).count() - before.of(OpKind::kOpen).count(), 300U);
  Prepared drupal("drupal", 0);
  ASSERT_TRUE(drupal.Round(0).ok());
  EXPECT_EQ(drupal.ops.totals().of(OpKind::kStat).count(), 2500U);
  EXPECT_EQ(drupal.ops.totals().of(OpKind::kOpen).count(), 200U);
  Prepared scan("full-scan", 0);
  ASSERT_TRUE(scan.Round(0).ok());
  EXPECT_EQ(scan.ops.totals().of(OpKind::kOpen).count(), 1970U);
  EXPECT_EQ(scan.ops.totals().of(OpKind::kReadDir).count(), 10U);
}

TEST(Workloads, WhatIsWrittenIsVerified) {
  for (const char* const name : {"sequential-write", "random-write-fsync"}) {
    Prepared p(name, 0);
    EXPECT_TRUE(p.workload->Verify(p.ops).ok());
    const ctl::TempDirectory before;
    fs::copy(p.directory.path(), before.path(), fs::copy_options::recursive);
    ASSERT_TRUE(p.Round(0).ok());
    EXPECT_TRUE(p.workload->Verify(p.ops).ok());
    Operations stale(before.path(), kGo);  // as a mount that has lost what was written
    EXPECT_TRUE(p.workload->Verify(stale).Is(StatusCode::kCorrupt));
  }
}

TEST(Workloads, LogTailFindsALineThatIsNotThere) {
  Prepared p("log-tail", 0);
  ASSERT_TRUE(p.Round(0).ok());
  fs::resize_file(p.directory / "log/access.log", 120);
  EXPECT_TRUE(p.Round(1).Is(StatusCode::kCorrupt));
}

TEST(Workloads, LogTailFindsAnotherLine) {
  Prepared p("log-tail", 0);
  ASSERT_TRUE(p.Round(0).ok());
  std::ofstream(p.directory / "log/access.log", std::ios::app) << "not one of ours";
  EXPECT_TRUE(p.Round(1).Is(StatusCode::kCorrupt));
}

/// As a mount that does not show the change of a link.
TEST(Workloads, DeploySwitchFindsAnOldRelease) {
  const ctl::TempDirectory directory;
  const auto workload = FindWorkload("deploy-switch")->make({.seed = 0, .threads = 2});
  Operations writer(directory.path(), kGo), reader(directory.path(), kGo);
  ASSERT_TRUE(workload->Prepare(writer).ok());
  ASSERT_TRUE(workload->Round(writer, 0, 0).ok());
  EXPECT_TRUE(workload->Round(reader, 1, 0).ok());
  fs::remove(directory / "current");
  fs::create_symlink("releases/0", directory / "current");
  const Status status = workload->Round(reader, 1, 0);
  EXPECT_TRUE(status.Is(StatusCode::kCorrupt)) << status.ToString();
  EXPECT_THAT(status.ToString(), HasSubstr("neither release 1 nor 1"));
}

TEST(Workloads, ANameThatShouldNotExist) {
  Prepared p("wordpress", 0);
  std::ofstream(p.directory / "usr/share/php/f0.php") << "x";
  const Status status = p.Round(0);
  EXPECT_TRUE(status.Is(StatusCode::kCorrupt));
  EXPECT_THAT(status.ToString(), HasSubstr("f0.php: exists, and should not"));
}

TEST(Workloads, AnotherSize) {
  Prepared p("full-scan", 0);
  std::ofstream(p.directory / "data/d0/f000", std::ios::app) << "x";
  EXPECT_THAT(p.Round(0).ToString(), HasSubstr("data/d0/f000: "));
  fs::remove(p.directory / "data/d0/f000");
  EXPECT_THAT(p.Round(0).ToString(), HasSubstr("data/d0: 196 names, not 197"));
}

TEST(Workloads, ASystemCallThatFailsKeepsItsErrno) {
  Prepared p("drupal", 0);
  fs::remove_all(p.directory / "www");
  EXPECT_TRUE(p.Round(0).IsErrno(ENOENT));
}

TEST(Content, EachByteDependsOnKeyAndPositionAlone) {
  std::vector<std::byte> whole(1000), part(77);
  FillContent(9, 5, whole);
  FillContent(9, 5 + 123, part);
  EXPECT_TRUE(std::equal(part.begin(), part.end(), whole.begin() + 123));
  EXPECT_EQ(FirstWrongByte(9, 5, whole), std::nullopt);
  EXPECT_TRUE(FirstWrongByte(10, 5, whole));
  whole[400] ^= std::byte{1};
  EXPECT_EQ(FirstWrongByte(9, 5, whole), 405U);
}

TEST(Content, ZipfDrawsThePopularOnesMoreOften) {
  const Zipf zipf(10, 0.8);
  Random random(1);
  std::vector<int> drawn(10);
  for (int i = 0; i < 10'000; ++i) ++drawn[zipf.Draw(random)];
  EXPECT_GT(drawn[0], drawn[1]);
  EXPECT_GT(drawn[1], drawn[4]);
  EXPECT_GT(drawn[4], drawn[9]);
  EXPECT_GT(drawn[9], 0);
}

TEST(Tiers, TheKernelHasWhatTheGatewayWasNotAskedFor) {
  OpTotals totals;
  totals.paths = 10;
  totals.names = 40;
  totals.bytes_read = 1000;
  GatewayCounters before{.names_lease = 100, .bytes_store = 5}, after = before;
  after.names_lease += 6;
  after.names_backend += 2;
  after.bytes_store += 300;
  after.bytes_backend += 100;
  const auto tiers = TiersOf(before, after, totals, 2);
  ASSERT_TRUE(tiers);
  EXPECT_EQ(tiers->lookups, 60U);
  EXPECT_EQ(tiers->lookups_kernel, 52U);
  EXPECT_EQ(tiers->lookups_lease, 6U);
  EXPECT_EQ(tiers->bytes_kernel, 600U);
  EXPECT_EQ(tiers->bytes_store, 300U);
  after.bytes_backend += 5000;  // read ahead
  EXPECT_EQ(TiersOf(before, after, totals, 2)->bytes_kernel, 0U);
  EXPECT_FALSE(TiersOf(after, before, totals, 2)) << "started again";
}

TEST(Tiers, AMetricThatIsMissing) {
  nlohmann::json stats = {{R"(ocfsgw_names_total{from="lease"})", 3}};
  const auto counters = CountersFrom(stats);
  EXPECT_TRUE(counters.status().Is(StatusCode::kInvalidArgument));
  EXPECT_THAT(counters.status().ToString(), HasSubstr(R"(ocfsgw_names_total{from="backend"})"));
  EXPECT_FALSE(CountersFrom(nlohmann::json::array()).ok());
}

}  // namespace
}  // namespace ocfsgw::bench
