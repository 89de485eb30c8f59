// Runs the program: `run` and `import-strace`.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <thread>

#include "base/exit_code.h"
#include "tests/unit/ctl/temp_directory.h"

namespace ocfsgw::bench {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using ::testing::AllOf;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

struct Outcome {
  int exit_code;
  std::string output;  ///< stdout
  std::string errors;
};

std::string ContentOf(const std::string& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

class OcfsgwBenchRunTest : public ::testing::Test {
 protected:
  void SetUp() override {
    fs::create_directory(mount_);
    fs::create_directory(baseline_);
  }

  pid_t Spawn(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), OCFSGW_BENCH_PROGRAM);
    std::vector<char*> argv;
    for (std::string& argument : arguments) argv.push_back(argument.data());
    argv.push_back(nullptr);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    const std::string out = directory_ / "out", err = directory_ / "err";
    posix_spawn_file_actions_addopen(&actions, 1, out.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    posix_spawn_file_actions_addopen(&actions, 2, err.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    pid_t child = 0;
    EXPECT_EQ(posix_spawn(&child, argv[0], &actions, nullptr, argv.data(), environ), 0);
    posix_spawn_file_actions_destroy(&actions);
    return child;
  }

  Outcome Wait(pid_t child) {
    int status = 0;
    EXPECT_EQ(waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFEXITED(status));
    return {WEXITSTATUS(status), ContentOf(directory_ / "out"), ContentOf(directory_ / "err")};
  }

  Outcome Bench(std::vector<std::string> arguments) { return Wait(Spawn(std::move(arguments))); }

  /// Waits until there is `path` in the tree that the program makes in mount_, and returns where.
  fs::path AwaitInTree(const std::string& path) {
    for (;; std::this_thread::yield()) {
      std::error_code ignored;
      for (const auto& entry : fs::directory_iterator(mount_, ignored)) {
        if (fs::exists(entry.path() / path, ignored)) return entry.path();
      }
    }
  }

  ctl::TempDirectory directory_;
  const std::string mount_ = directory_ / "mount", baseline_ = directory_ / "baseline";
};

TEST_F(OcfsgwBenchRunTest, Usage) {
  const std::vector<std::vector<std::string>> wrong = {
      {"run"},
      {"run", "--mount"},
      {"run", "--mount", mount_, "--rounds", "0"},
      {"run", "--mount", mount_, "--seconds", "0"},
      {"run", "--mount", mount_, "--seconds", "1", "--rounds", "1"},
      {"run", "--mount", mount_, "--threads", "0"},
      {"run", "--mount", mount_, "--threads", "257"},
      {"run", "--mount", mount_, "--json", "--csv"},
      {"run", "--mount", mount_, "--workload", ""},
      {"run", "--mount", mount_, "--workload", "wordpress,,drupal"},
      {"compare", "--rounds", "0"},
      {"compare", "--files", "0"},
      {"compare", "--large", "6"},
      {"compare", "--large", "0"},
      {"compare", "--json", "--csv"},
      {"compare", "--fs", "full"},
      {"compare", "--fs", "bare,ext3"},
      {"compare", "--fs", ""},
      {"compare", "--workload", "tetris"},
      {"import-strace"},
      {"import-strace", "--objects", "x", "f"},
      {"import-strace", "--format", "lirs", "f"},
      {"import-strace", "--block", "0", "f"},
  };
  for (const auto& arguments : wrong) {
    const Outcome outcome = Bench(arguments);
    EXPECT_EQ(outcome.exit_code, kExitUsage) << outcome.errors;
    EXPECT_THAT(outcome.errors, AllOf(StartsWith("ocfsgw-bench: "), EndsWith("\n")));
    EXPECT_EQ(std::count(outcome.errors.begin(), outcome.errors.end(), '\n'), 1) << outcome.errors;
  }
  EXPECT_THAT(Bench({"run", "--help"}).output,
              AllOf(HasSubstr("Exit status: 0 done, 1 usage"), HasSubstr("deploy-switch")));
  EXPECT_THAT(Bench({"import-strace", "--help"}).output, HasSubstr("Exit status: 0 done"));
}

TEST_F(OcfsgwBenchRunTest, UnknownWorkloadListsTheKnownOnes) {
  const Outcome outcome = Bench({"run", "--mount", mount_, "--workload", "tetris"});
  EXPECT_EQ(outcome.exit_code, kExitUsage);
  EXPECT_EQ(
      outcome.errors,
      "ocfsgw-bench: no workload is called 'tetris'; wordpress, drupal, composer-autoload, media-zipf, "
      "session-dir, log-tail, deploy-switch, full-scan, stat, open-read-close, sequential-read, mmap-read, "
      "direct-read, sequential-write, random-write-fsync and all are\n");
}

TEST_F(OcfsgwBenchRunTest, ContendersThatThereAreNot) {
  EXPECT_EQ(Bench({"compare", "--fs", "bare,ext3"}).errors,
            "ocfsgw-bench: no contender is called 'ext3'; bare,full,fast,bindfs,mergerfs,rclone are\n");
  EXPECT_THAT(Bench({"compare", "--help"}).output, HasSubstr("bindfs -f SOURCE MOUNTPOINT"));
}

TEST_F(OcfsgwBenchRunTest, DirectoriesThatCannotBeUsed) {
  std::ofstream(directory_ / "file") << "x";
  EXPECT_EQ(Bench({"run", "--mount", directory_ / "none"}).errors,
            "ocfsgw-bench: " + (directory_ / "none") + ": No such file or directory\n");
  const Outcome file = Bench({"run", "--mount", directory_ / "file"});
  EXPECT_EQ(file.exit_code, kExitSource);
  EXPECT_EQ(file.errors, "ocfsgw-bench: " + (directory_ / "file") + ": Not a directory\n");
  const Outcome baseline = Bench({"run", "--mount", mount_, "--baseline", directory_ / "file"});
  EXPECT_EQ(baseline.exit_code, kExitSource);
  const Outcome unwritable = Bench({"run", "--mount", "/proc/self"});
  EXPECT_EQ(unwritable.exit_code, kExitSource);
  EXPECT_THAT(unwritable.errors, StartsWith("ocfsgw-bench: /proc/self: "));
}

TEST_F(OcfsgwBenchRunTest, JsonWithBaseline) {
  const Outcome outcome = Bench({"run", "--mount", mount_, "--baseline", baseline_, "--workload",
                                 "log-tail,session-dir", "--rounds", "3", "--seed", "4", "--json"});
  ASSERT_EQ(outcome.exit_code, kExitDone) << outcome.errors;
  const json all = json::parse(outcome.output);
  EXPECT_EQ(all["interrupted"], false);
  EXPECT_EQ(all["seed"], 4);
  ASSERT_EQ(all["workloads"].size(), 2U);
  const json& log = all["workloads"][0];
  EXPECT_EQ(log["workload"], "log-tail");
  EXPECT_EQ(log["mount"]["rounds"], 3);
  EXPECT_EQ(log["mount"]["operations"]["write"]["count"], 150);
  EXPECT_EQ(log["mount"]["bytes_read"], 150 * 120);
  EXPECT_EQ(log["mount"]["digest"], log["baseline"]["digest"]);
  const json& stat = log["mount"]["operations"]["stat"];
  for (const auto& [lower, upper] :
       {std::pair("p50", "p90"), {"p90", "p99"}, {"p99", "p99.9"}, {"p99.9", "max"}}) {
    EXPECT_LE(stat[lower].get<uint64_t>(), stat[upper].get<uint64_t>());
  }
  EXPECT_TRUE(log["ratio_of_medians"]["round"].is_number());
  EXPECT_FALSE(log.contains("tiers"));
  EXPECT_TRUE(fs::is_empty(mount_));
  EXPECT_TRUE(fs::is_empty(baseline_));
}

TEST_F(OcfsgwBenchRunTest, TableAndCsv) {
  const std::vector<std::string> arguments = {"run",      "--mount",   mount_, "--workload",
                                              "log-tail", "--seconds", "0.001"};
  const Outcome table = Bench(arguments);
  EXPECT_EQ(table.exit_code, kExitDone) << table.errors;
  EXPECT_THAT(table.output, AllOf(StartsWith("log-tail, seed 0, threads 1\n"), HasSubstr("p99.9 us"),
                                  HasSubstr(" rounds, median "), Not(HasSubstr("baseline"))));
  auto csv_arguments = arguments;
  csv_arguments.emplace_back("--csv");
  const Outcome csv = Bench(csv_arguments);
  EXPECT_EQ(csv.exit_code, kExitDone);
  EXPECT_THAT(csv.output, AllOf(StartsWith("workload,where,operation,count,"),
                                HasSubstr("\nlog-tail,mount,all,"), HasSubstr("\nlog-tail,mount,write,")));
}

TEST_F(OcfsgwBenchRunTest, KeepsTheTree) {
  const Outcome outcome =
      Bench({"run", "--mount", mount_, "--workload", "log-tail", "--rounds", "2", "--keep", "--json"});
  ASSERT_EQ(outcome.exit_code, kExitDone) << outcome.errors;
  const json kept = json::parse(outcome.output)["kept"];
  ASSERT_EQ(kept.size(), 1U);
  EXPECT_EQ(fs::file_size(kept[0].get<std::string>() + "/log/access.log"), 2U * 50 * 120);
}

TEST_F(OcfsgwBenchRunTest, InterruptPrintsWhatThereIsAndCleansUp) {
  for (const int signal_number : {SIGINT, SIGTERM}) {
    const pid_t child =
        Spawn({"run", "--mount", mount_, "--workload", "log-tail", "--rounds", "1000000000", "--json"});
    AwaitInTree("log/access.log");
    ASSERT_EQ(kill(child, signal_number), 0);
    const Outcome outcome = Wait(child);
    EXPECT_EQ(outcome.exit_code, kExitRuntime);
    EXPECT_EQ(outcome.errors, "");
    const json all = json::parse(outcome.output);
    EXPECT_EQ(all["interrupted"], true);
    EXPECT_TRUE(fs::is_empty(mount_));
  }
}

/// A file gets another byte after it was written; the first round reads it.
TEST_F(OcfsgwBenchRunTest, WrongBytesAreAnErrorOfTheirOwn) {
  const pid_t child = Spawn({"run", "--mount", mount_, "--workload", "full-scan", "--rounds", "1000000000"});
  const fs::path tree = AwaitInTree("data/d1");
  std::fstream file(tree / "data/d0/f007", std::ios::binary | std::ios::in | std::ios::out);
  const char byte = static_cast<char>(file.get() ^ 1);
  file.seekp(0);
  file.put(byte);
  file.close();
  const Outcome outcome = Wait(child);
  EXPECT_EQ(outcome.exit_code, kExitWrongData);
  EXPECT_THAT(outcome.errors, EndsWith("/data/d0/f007: wrong byte at 0\n"));
  EXPECT_THAT(outcome.output, StartsWith("full-scan, seed 0, threads 1\n"));
  EXPECT_TRUE(fs::is_empty(mount_));
}

TEST_F(OcfsgwBenchRunTest, FullOutputIsAnError) {
  const std::string command =
      OCFSGW_BENCH_PROGRAM " run --workload log-tail --rounds 1 --mount " + mount_ + " 2>&1 >/dev/full";
  EXPECT_EQ(WEXITSTATUS(system(command.c_str())), kExitRuntime);
}

TEST_F(OcfsgwBenchRunTest, ImportsStrace) {
  const std::string strace = directory_ / "strace", trace = directory_ / "trace.csv";
  std::ofstream(strace)
      << "read(3</a>, \"x\", 9) = 1\nwhat\nread(3</b>, \"x\", 9) = 9\nread(3</a>, \"\", 9) = 1\n";
  const Outcome outcome = Bench({"import-strace", strace, "--output", trace});
  EXPECT_EQ(outcome.exit_code, kExitDone) << outcome.errors;
  EXPECT_EQ(outcome.errors, "ocfsgw-bench: " + strace + ": 4 lines, 0 calls for names, 3 reads\n" +
                                "ocfsgw-bench: " + strace + ": 1 malformed lines left out\n" +
                                "ocfsgw-bench: " + strace + ": line 2: no system call: 'what'\n");
  EXPECT_EQ(ContentOf(trace), "1,/a#0,131072\n2,/b#0,131072\n3,/a#0,131072\n");
  const Outcome replay = Bench({"replay", "--json", "--policy", "lru", "--size", "2", trace});
  EXPECT_EQ(json::parse(replay.output)["traces"][0]["cells"][0]["hits"], 1);
}

TEST_F(OcfsgwBenchRunTest, ImportErrors) {
  const std::string strace = directory_ / "strace";
  std::ofstream(strace) << "what\n";
  const Outcome nothing = Bench({"import-strace", strace});
  EXPECT_EQ(nothing.exit_code, kExitSource);
  EXPECT_THAT(nothing.errors, EndsWith("ocfsgw-bench: no requests for blocks\n"));
  const Outcome none = Bench({"import-strace", directory_ / "none"});
  EXPECT_EQ(none.exit_code, kExitSource);
  EXPECT_EQ(none.errors, "ocfsgw-bench: " + (directory_ / "none") + ": No such file or directory\n");
  std::ofstream(strace) << "read(3</a>, \"x\", 9) = 1\n";
  const Outcome full = Bench({"import-strace", strace, "--output", "/dev/full"});
  EXPECT_EQ(full.exit_code, kExitRuntime);
  EXPECT_THAT(full.errors, StartsWith("ocfsgw-bench: /dev/full"));
}

}  // namespace
}  // namespace ocfsgw::bench
