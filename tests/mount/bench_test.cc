// ocfsgw-bench on a real mount, and on file systems that are full or read-only.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <future>
#include <regex>
#include <set>
#include <sstream>

#include "tests/mount/files.h"
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
                                           "session-dir", "log-tail", "deploy-switch", "full-scan", "stat",
                                           "open-read-close", "sequential-read", "mmap-read", "direct-read",
                                           "sequential-write", "random-write-fsync"));

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

/// compare, with its directories below `work_`.
class CompareTest : public BenchTest {
 protected:
  void SetUp() override {
    BenchTest::SetUp();
    fs::create_directory(work_);
  }
  /// Other programs than ours are looked for in `path`.
  Outcome Compare(const std::string& path, std::vector<std::string> arguments) {
    std::vector<std::string> all = {
        "env", "PATH=" + path, OCFSGW_BENCH_PROGRAM, "compare", "--work", work_, "--files", "20", "--large",
        "4"};
    all.insert(all.end(), arguments.begin(), arguments.end());
    return RunProgram(all, kAMinute);
  }
  /// Mounts and gateways that show or keep something below `work_`.
  bool IsLeft() const {
    return ReadFile("/proc/self/mounts").value_or("").find(work_) != std::string::npos ||
           !FindProcesses("ocfsgw", work_).empty() || !FindProcesses(kGuardianName, work_).empty();
  }
  /// Lets `signal` come while the gateway is mounted; the exit status.
  int Interrupted(int signal) {
    auto outcome = std::async(std::launch::async, [this] {
      return Compare("/nowhere", {"--fs", "bare,full", "--workload", "stat", "--rounds", "1000"});
    });
    EXPECT_TRUE(Eventually(
        [this] { return ReadFile("/proc/self/mounts").value_or("").find(work_) != std::string::npos; }));
    const auto found = FindProcesses("ocfsgw-bench", work_);
    EXPECT_EQ(found.size(), 1U);
    if (!found.empty()) kill(found.front(), signal);
    return outcome.get().exit_code;
  }

  const std::string work_ = gateway_.Beside("work");
};

TEST_F(CompareTest, EveryCellIsThereAndAMissingPeerIsSkippedByName) {
  const std::string json_file = gateway_.Beside("c.json"), svg = gateway_.Beside("c.svg"),
                    markdown = gateway_.Beside("c.md");
  const Outcome outcome =
      Compare("/nowhere", {"--fs", "bare,full,bindfs", "--workload",
                           "stat,sequential-read,direct-read,random-write-fsync", "--rounds", "2", "--json",
                           "--json-file", json_file, "--svg", svg, "--markdown", markdown});
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_EQ(ReadFile(json_file), outcome.out);
  const json all = json::parse(outcome.out);
  std::set<std::string> cells;
  for (const json& cell : all["cells"]) {
    cells.insert(cell["workload"].get<std::string>() + " " + cell["state"].get<std::string>() + " " +
                 cell["contender"].get<std::string>());
    EXPECT_EQ(cell["seconds_of_rounds"].size(), 2U) << cell.dump();
    EXPECT_GT(cell["seconds"]["min"].get<double>(), 0) << cell.dump();
    EXPECT_GT(cell["ratio_to_bare"]["min"].get<double>(), 0) << cell.dump();
  }
  std::set<std::string> expected = {"random-write-fsync hot bare", "random-write-fsync hot full"};
  for (const std::string state : {" cold ", " warm ", " hot "}) {
    expected.insert("direct-read" + state + "bare");
    for (const std::string workload : {"stat", "sequential-read"}) {
      for (const std::string contender : {"bare", "full"}) expected.insert(workload + state + contender);
    }
  }
  EXPECT_EQ(cells, expected);
  ASSERT_EQ(all["skipped"].size(), 1U) << all["skipped"].dump();
  EXPECT_EQ(all["skipped"][0],
            (json{{"contender", "bindfs"}, {"workload", ""}, {"reason", "bindfs is not installed"}}));
  EXPECT_THAT(ReadFile(svg).value_or(""), EndsWith("</svg>\n"));
  EXPECT_THAT(ReadFile(markdown).value_or(""), testing::HasSubstr("](c.svg)"));
  EXPECT_TRUE(fs::is_empty(work_));
  EXPECT_FALSE(IsLeft());
}

/// Called bindfs; shows a copy in which each file is longer by a byte.
TEST_F(CompareTest, AMountThatShowsSomethingElseDoesNotCount) {
  const std::string programs = gateway_.Beside("programs");
  fs::create_directory(programs);
  ASSERT_TRUE(WriteFile(
      programs + "/bindfs",
      "#!/bin/sh\n"
      "[ $# = 3 ] || exit 1\n"
      "mkdir \"$3.copy\" && mount -t tmpfs none \"$3.copy\" && cp -r \"$2/.\" \"$3.copy\" || exit 1\n"
      "find \"$3.copy\" -type f -exec sh -c 'echo >>\"$0\"' {} ';'\n"
      "mount --bind \"$3.copy\" \"$3\" && umount -l \"$3.copy\"\n"
      "while mountpoint -q \"$3\"; do sleep 0.02; done\n"));
  ASSERT_EQ(chmod((programs + "/bindfs").c_str(), 0700), 0);
  const Outcome outcome = Compare(programs + ":/usr/sbin:/usr/bin:/sbin:/bin",
                                  {"--fs", "bare,bindfs", "--workload", "stat", "--rounds", "2", "--json"});
  EXPECT_EQ(outcome.exit_code, 5) << outcome.err;
  const json all = json::parse(outcome.out);
  for (const json& cell : all["cells"]) EXPECT_EQ(cell["contender"], "bare");
  ASSERT_EQ(all["skipped"].size(), 1U);
  EXPECT_EQ(all["skipped"][0]["workload"], "stat");
  EXPECT_THAT(all["skipped"][0]["reason"].get<std::string>(), testing::HasSubstr(" bytes long, not "));
  EXPECT_FALSE(IsLeft());
}

TEST_F(CompareTest, CtrlCLeavesNothing) {
  EXPECT_EQ(Interrupted(SIGINT), kExitRuntime);
  EXPECT_FALSE(IsLeft());
  EXPECT_TRUE(fs::is_empty(work_));
}

TEST_F(CompareTest, KilledItLeavesNoMount) {
  EXPECT_EQ(Interrupted(SIGKILL), 128 + SIGKILL);
  EXPECT_TRUE(Eventually([this] { return !IsLeft(); }));
}

/// A recorder in the background, and the trace that it leaves.
class RecordTest : public BenchTest {
 protected:
  using Row = std::pair<std::string, uint64_t>;  // INO#BLOCK, bytes
  static constexpr size_t kBlock = 131072;
  static constexpr size_t kRest = 37856;  // the last block of "large"

  void SetUp() override {
    BenchTest::SetUp();
    ASSERT_TRUE(WriteFile(gateway_.Source("large"), Pattern(2 * kBlock + kRest, 1)));
    ASSERT_TRUE(WriteFile(gateway_.Source("small"), Pattern(10, 2)));
    ASSERT_TRUE(WriteFile(gateway_.Source("empty"), ""));
    ASSERT_TRUE(gateway_.Start());
  }
  /// Returns when the gateway records.
  void Record() {
    recorder_ = std::async(std::launch::async, [this] {
      return Bench({"record", "--mount", gateway_.Mount(), "--output", trace_});
    });
    ASSERT_TRUE(Eventually([this] { return !ReadFile(trace_).value_or("").empty(); }));
  }
  void Signal(int number) const {
    const auto found = FindProcesses("ocfsgw-bench", trace_);
    ASSERT_EQ(found.size(), 1U);
    ASSERT_EQ(kill(found.front(), number), 0);
  }
  std::string Id(const std::string& name, int block) const {
    struct stat st {};
    EXPECT_EQ(stat(gateway_.Source(name).c_str(), &st), 0);
    return std::to_string(st.st_ino) + "#" + std::to_string(block);
  }
  /// The requests in the trace, without their times and the inodes' generations.
  std::vector<Row> Trace() const {
    static const std::regex row(R"(\d+\.\d{6},(\d+)\.\d+(#\d+),(\d+),0)");
    std::istringstream lines(ReadFile(trace_).value_or(""));
    std::string line;
    std::getline(lines, line);
    EXPECT_EQ(line, "time,id,size,dropped_before");
    std::vector<Row> rows;
    while (std::getline(lines, line)) {
      std::smatch part;
      if (std::regex_match(line, part, row)) {
        rows.emplace_back(part[1].str() + part[2].str(), std::stoull(part[3]));
      } else {
        ADD_FAILURE() << line;
      }
    }
    return rows;
  }
  /// Reads without the kernel's pages, so that each call is one request.
  void ReadBlock(const std::string& name, int block) {
    const Descriptor file(open(gateway_.Mount(name).c_str(), O_RDONLY | O_DIRECT));
    ASSERT_GE(file.get(), 0);
    EXPECT_NE(ReadAt(file.get(), kBlock, block * static_cast<off_t>(kBlock)), "");
  }

  const std::string trace_ = gateway_.Beside("trace.csv");
  std::future<Outcome> recorder_;
};

TEST_F(RecordTest, HoldsWhatWasAskedForInOrder) {
  ReadBlock("large", 1);  // before the recording
  Record();
  std::vector<Row> expected;
  const auto read = [&](const std::string& name, int block, uint64_t bytes) {
    ReadBlock(name, block);
    expected.emplace_back(Id(name, block), bytes);
  };
  read("large", 2, kRest);
  read("large", 0, kBlock);
  read("small", 0, 10);
  read("large", 1, kBlock);
  read("large", 0, kBlock);
  read("small", 0, 10);
  Signal(SIGINT);
  const Outcome outcome = recorder_.get();
  EXPECT_EQ(outcome.exit_code, 0);
  EXPECT_EQ(outcome.err, "");
  EXPECT_EQ(outcome.out, "6 requests, 4 objects, 431092 bytes; 0 requests dropped\n");
  ReadBlock("large", 1);  // after it
  EXPECT_EQ(Trace(), expected);

  const Outcome replay = Bench({"replay", "--json", "--policy", "lru", "--size", "2", trace_});
  ASSERT_EQ(replay.exit_code, 0) << replay.err;
  const json trace = json::parse(replay.out)["traces"][0];
  EXPECT_EQ(trace["requests"], 6) << replay.out;
  EXPECT_EQ(trace["objects"], 4) << replay.out;
}

// The kernel cuts reads through its page cache as it likes, and asks once.
TEST_F(RecordTest, WhatTheKernelAnswersIsNotThere) {
  Record();
  for (int i = 0; i < 3; ++i) {
    for (const char* name : {"large", "small", "empty"}) {
      EXPECT_EQ(ReadFile(gateway_.Mount(name)), ReadFile(gateway_.Source(name)));
    }
  }
  Signal(SIGTERM);
  EXPECT_EQ(recorder_.get().exit_code, 0);
  const std::vector<Row> trace = Trace();
  const std::set<Row> blocks(trace.begin(), trace.end());
  EXPECT_EQ(blocks, (std::set<Row>{{Id("large", 0), kBlock},
                                   {Id("large", 1), kBlock},
                                   {Id("large", 2), kRest},
                                   {Id("small", 0), 10}}));
  EXPECT_EQ(std::count(trace.begin(), trace.end(), Row(Id("small", 0), 10)), 1);
}

TEST_F(RecordTest, OneAtATimeAndADeadOneEnds) {
  Record();
  const std::string other = gateway_.Beside("other.csv");
  const auto second = [&] {
    return Bench({"record", "--mount", gateway_.Mount(), "--output", other, "--seconds", "0.1"});
  };
  const Outcome refused = second();
  EXPECT_EQ(refused.exit_code, kExitSource);
  EXPECT_EQ(refused.err, "ocfsgw-bench: " + gateway_.Mount() +
                             ": its gateway does not record: somebody is recording this mount already\n");
  EXPECT_FALSE(fs::exists(other));
  Signal(SIGKILL);
  EXPECT_EQ(recorder_.get().exit_code, 128 + SIGKILL);
  EXPECT_TRUE(Eventually([&] { return second().err.find("already") == std::string::npos; }));
  EXPECT_TRUE(fs::exists(other));
}

TEST_F(RecordTest, AStoppedRecorderHoldsNobodyUp) {
  Record();
  Signal(SIGSTOP);
  for (int i = 0; i < 100; ++i) ReadBlock("small", 0);
  Signal(SIGINT);
  Signal(SIGCONT);
  EXPECT_EQ(recorder_.get().exit_code, 0);
  EXPECT_EQ(Trace().size(), 100U);
}

TEST_F(RecordTest, EndsWithTheMountAndHasWhatCameBefore) {
  Record();
  ReadBlock("small", 0);
  ASSERT_TRUE(gateway_.Unmount());
  const Outcome outcome = recorder_.get();
  EXPECT_EQ(outcome.exit_code, 0);
  EXPECT_EQ(outcome.err, "ocfsgw-bench: " + gateway_.Mount() + ": the gateway has ended the recording\n");
  EXPECT_EQ(Trace(), (std::vector<Row>{{Id("small", 0), 10}}));
}

TEST_F(RecordTest, EndsWithAGatewayThatDies) {
  Record();
  ReadBlock("small", 0);
  EXPECT_TRUE(Eventually([this] { return Trace().size() == 1; }));
  gateway_.Kill();
  EXPECT_EQ(recorder_.get().exit_code, 0);
  EXPECT_EQ(Trace(), (std::vector<Row>{{Id("small", 0), 10}}));
}

}  // namespace
}  // namespace ocfsgw::mounttest
