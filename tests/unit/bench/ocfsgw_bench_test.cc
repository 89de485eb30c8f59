// Runs the program.
#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <gmock/gmock.h>
#include <signal.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "base/exit_code.h"
#include "tests/unit/ctl/temp_directory.h"

namespace ocfsgw::bench {
namespace {

using nlohmann::json;
using ::testing::AllOf;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::StartsWith;

struct Outcome {
  int exit_code;
  std::string output;  ///< stdout and stderr
};

Outcome Bench(const std::string& arguments) {
  FILE* pipe = popen((OCFSGW_BENCH_PROGRAM " " + arguments + " 2>&1").c_str(), "r");
  std::string output;
  char piece[4096];
  for (size_t got = 0; (got = fread(piece, 1, sizeof(piece), pipe)) > 0;) output.append(piece, got);
  return {WEXITSTATUS(pclose(pipe)), output};
}

std::string ContentOf(const std::string& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

class OcfsgwBenchTest : public ::testing::Test {
 protected:
  std::string File(const std::string& name, const std::string& content) {
    std::ofstream(directory_ / name, std::ios::binary) << content;
    return directory_ / name;
  }
  /// 1000 requests for 50 objects, some more often.
  static std::string Ids() {
    std::string out;
    for (unsigned i = 0; i < 1000; ++i) out += std::to_string(i * i % 101 % 50) + "\n";
    return out;
  }
  std::string Packed(const std::string& name, int (*filter)(archive*), const std::string& content) {
    archive* const to = archive_write_new();
    archive_write_set_format_raw(to);
    EXPECT_EQ(filter(to), ARCHIVE_OK);
    EXPECT_EQ(archive_write_open_filename(to, (directory_ / name).c_str()), ARCHIVE_OK);
    archive_entry* const entry = archive_entry_new();
    archive_entry_set_filetype(entry, AE_IFREG);
    EXPECT_EQ(archive_write_header(to, entry), ARCHIVE_OK);
    EXPECT_EQ(archive_write_data(to, content.data(), content.size()),
              static_cast<la_ssize_t>(content.size()));
    archive_entry_free(entry);
    EXPECT_EQ(archive_write_free(to), ARCHIVE_OK);
    return directory_ / name;
  }

  ctl::TempDirectory directory_;
};

TEST_F(OcfsgwBenchTest, Usage) {
  const std::string trace = File("t", Ids());
  for (const std::string& wrong :
       {std::string(""), std::string("replay"), "frobnicate " + trace, "replay --policy best " + trace,
        "replay --policy lru,,fifo " + trace, "replay --size 0 " + trace, "replay --size 5%,x " + trace,
        "replay --format tape " + trace, "replay --json --csv " + trace, "replay --seed x " + trace}) {
    const Outcome outcome = Bench(wrong);
    EXPECT_EQ(outcome.exit_code, kExitUsage) << wrong;
    EXPECT_THAT(outcome.output, AllOf(StartsWith("ocfsgw-bench: "), EndsWith("\n")));
    EXPECT_EQ(std::count(outcome.output.begin(), outcome.output.end(), '\n'), 1) << outcome.output;
  }
  EXPECT_THAT(Bench("--help").output, HasSubstr("import-strace"));
  EXPECT_THAT(Bench("replay --help").output, HasSubstr("Exit status: 0 done, 1 usage, 2 a trace"));
  EXPECT_EQ(Bench("--version").exit_code, kExitDone);
}

TEST_F(OcfsgwBenchTest, Table) {
  const Outcome outcome = Bench("replay --policy all --size 10%,20 " + File("t", Ids()));
  EXPECT_EQ(outcome.exit_code, kExitDone) << outcome.output;
  EXPECT_THAT(outcome.output, AllOf(StartsWith("trace "), HasSubstr("alirs"), HasSubstr("optimum"),
                                    HasSubstr("mean share of the optimum")));
}

TEST_F(OcfsgwBenchTest, Json) {
  const std::string a = File("a", Ids()), b = File("b", "1,x,10\n2,y,20\n3,x,10\n");
  const Outcome outcome = Bench("replay --json --policy lru,alirs --size 50% " + a + " " + b);
  ASSERT_EQ(outcome.exit_code, kExitDone) << outcome.output;
  const json all = json::parse(outcome.output);
  EXPECT_EQ(all["interrupted"], false);
  ASSERT_EQ(all["traces"].size(), 2U);
  EXPECT_EQ(all["traces"][0]["requests"], 1000);
  EXPECT_EQ(all["traces"][1]["format"], "csv");
  EXPECT_EQ(all["traces"][1]["bytes"], 40);
  const json& cells = all["traces"][1]["cells"];
  ASSERT_EQ(cells.size(), 3U);
  EXPECT_EQ(cells[0]["policy"], "lru");
  EXPECT_EQ(cells[0]["capacity"], 1);
  EXPECT_EQ(cells[2]["policy"], "optimum");
  EXPECT_TRUE(cells[2]["requests_per_second"].is_null());
  EXPECT_TRUE(all["mean_share_of_optimum"]["alirs"].is_number());
}

TEST_F(OcfsgwBenchTest, SameSeedSameOutput) {
  const std::string trace = File("t", Ids());
  for (const char* const form : {"--json", "--csv", ""}) {
    const std::string arguments =
        std::string("replay --no-timing --seed 3 --policy all ") + form + " " + trace;
    EXPECT_EQ(Bench(arguments).output, Bench(arguments).output);
  }
}

TEST_F(OcfsgwBenchTest, PackedTraces) {
  const std::string plain = Bench("replay --csv --no-timing " + File("t", Ids())).output;
  for (const auto filter :
       {archive_write_add_filter_gzip, archive_write_add_filter_xz, archive_write_add_filter_zstd}) {
    EXPECT_EQ(Bench("replay --csv --no-timing " + Packed("t", filter, Ids())).output, plain);
  }
}

TEST_F(OcfsgwBenchTest, DamagedPackedTrace) {
  const std::string path = Packed("t.gz", archive_write_add_filter_gzip, Ids());
  ASSERT_EQ(truncate(path.c_str(), static_cast<off_t>(ContentOf(path).size() / 2)), 0);
  const Outcome outcome = Bench("replay " + path);
  EXPECT_EQ(outcome.exit_code, kExitSource);
  EXPECT_THAT(outcome.output, StartsWith("ocfsgw-bench: " + path + ": "));
}

TEST_F(OcfsgwBenchTest, BadTraces) {
  const std::string bad = File("bad", "1\n2\nthree\n");
  Outcome outcome = Bench("replay " + bad);
  EXPECT_EQ(outcome.exit_code, kExitSource);
  EXPECT_EQ(outcome.output, "ocfsgw-bench: " + bad + ": line 3: not an object id: 'three'\n");
  const std::string empty = File("empty", "");
  outcome = Bench("replay " + empty);
  EXPECT_EQ(outcome.exit_code, kExitSource);
  EXPECT_EQ(outcome.output, "ocfsgw-bench: " + empty + ": no requests\n");
  for (const std::string& path : {directory_ / "none", directory_.path().string()}) {
    outcome = Bench("replay " + path);
    EXPECT_EQ(outcome.exit_code, kExitSource) << path;
    EXPECT_THAT(outcome.output, StartsWith("ocfsgw-bench: " + path + ": "));
  }
}

TEST_F(OcfsgwBenchTest, Svg) {
  const std::string trace = File("t", Ids()), svg = directory_ / "c.svg";
  EXPECT_EQ(Bench("replay --svg " + svg + " " + trace).exit_code, kExitDone);
  EXPECT_THAT(ContentOf(svg), AllOf(StartsWith("<svg "), HasSubstr("<polyline "), EndsWith("</svg>\n")));
  const Outcome outcome = Bench("replay --svg " + (directory_ / "no/c.svg") + " " + trace);
  EXPECT_EQ(outcome.exit_code, kExitRuntime);
  EXPECT_THAT(outcome.output, HasSubstr("no/c.svg"));
}

TEST_F(OcfsgwBenchTest, FullOutputIsAnError) {
  EXPECT_EQ(Bench("replay " + File("t", Ids()) + " >/dev/full").exit_code, kExitRuntime);
}

// The second trace is a FIFO. That it is opened for reading shows that the first one is done, and that the
// program now waits.
TEST_F(OcfsgwBenchTest, InterruptPrintsWhatIsFinished) {
  const std::string first = File("first", Ids()), fifo = directory_ / "fifo", out = directory_ / "out";
  ASSERT_EQ(mkfifo(fifo.c_str(), 0600), 0);
  signal(SIGPIPE, SIG_IGN);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 1, out.c_str(), O_WRONLY | O_CREAT, 0600);
  std::string arguments[] = {OCFSGW_BENCH_PROGRAM, "replay", "--json", "--size", "10", first, fifo};
  std::vector<char*> argv;
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  pid_t child = 0;
  ASSERT_EQ(posix_spawn(&child, argv[0], &actions, nullptr, argv.data(), environ), 0);
  posix_spawn_file_actions_destroy(&actions);
  const int to = open(fifo.c_str(), O_WRONLY);
  ASSERT_GE(to, 0);
  ASSERT_EQ(kill(child, SIGINT), 0);
  [[maybe_unused]] const ssize_t written = write(to, "1\n2\n", 4);
  close(to);
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), kExitRuntime);
  const json all = json::parse(ContentOf(out));
  EXPECT_EQ(all["interrupted"], true);
  ASSERT_EQ(all["traces"].size(), 1U);
  EXPECT_EQ(all["traces"][0]["cells"].size(), 2U);
}

TEST_F(OcfsgwBenchTest, LocksSaysWhatItNeeds) {
  EXPECT_THAT(Bench("locks --help").output, HasSubstr("Exit status: that of COMMAND"));
  Outcome run = Bench("locks -- true");
  EXPECT_EQ(run.exit_code, kExitUsage);
  EXPECT_THAT(run.output, HasSubstr("--interface is required"));
  run = Bench("locks --interface lo --port 70000 -- true");
  EXPECT_EQ(run.exit_code, kExitUsage);
  run = Bench("locks --interface lo --seconds 0 -- true");
  EXPECT_EQ(run.exit_code, kExitUsage);
  run = Bench("locks --interface lo --disk no-such-disk -- true");
  EXPECT_EQ(run.exit_code, kExitSource);
  EXPECT_THAT(run.output, HasSubstr("no block device no-such-disk"));
  if (Bench("locks --interface lo --seconds 0.01").exit_code != kExitDone) {
    GTEST_SKIP() << "no right to capture";
  }
  run = Bench("locks --interface no-such-interface -- true");
  EXPECT_EQ(run.exit_code, kExitSource);
  EXPECT_THAT(run.output, HasSubstr("interface no-such-interface: No such device"));
  // What follows -- reaches the command as it is, whatever it looks like.
  run = Bench("locks --interface lo --json -- echo '[a,b]' --json run -- -h");
  EXPECT_EQ(run.exit_code, kExitDone);
  EXPECT_THAT(run.output, StartsWith("[a,b] --json run -- -h\n{\"messages\":0,"));
  EXPECT_EQ(Bench("locks --interface lo -- sh -c 'exit 9'").exit_code, 9);
}

}  // namespace
}  // namespace ocfsgw::bench
