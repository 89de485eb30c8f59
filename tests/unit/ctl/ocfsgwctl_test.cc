// Runs the program against a control server.
#include <gmock/gmock.h>
#include <stdio.h>
#include <unistd.h>

#include "base/exit_code.h"
#include "ctl/control_server.h"
#include "ctl/mount_registry.h"
#include "tests/unit/ctl/temp_directory.h"

namespace ocfsgw::ctl {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;
using ::testing::StartsWith;

class OcfsgwctlTest : public ::testing::Test {
 protected:
  struct Outcome {
    int exit_code;
    std::string output;  ///< stdout and stderr
  };
  Outcome Run(const std::string& arguments) {
    const std::string command = "OCFSGW_RUN_DIR=" + run_ + " " OCFSGWCTL " " + arguments + " 2>&1";
    FILE* pipe = popen(command.c_str(), "r");
    std::string output;
    char piece[4096];
    for (size_t got = 0; (got = fread(piece, 1, sizeof(piece), pipe)) > 0;) {
      output.append(piece, got);
    }
    return {WEXITSTATUS(pclose(pipe)), output};
  }
  std::unique_ptr<ControlServer> Gateway(const std::string& socket) {
    auto server = ControlServer::Start({socket}, {{"status",
                                                   [](const json&) -> Result<json> {
                                                     return json{{"source", "/srv"}};
                                                   }},
                                                  {"stats", [](const json&) -> Result<json> {
                                                     return json{{"a_total", 5}, {"b", 0.5}};
                                                   }}});
    EXPECT_TRUE(server.ok()) << server.status().ToString();
    return *std::move(server);
  }

  TempDirectory directory_;
  const std::string run_ = directory_ / "run";
  const std::string socket_ = directory_ / "socket";
};

TEST_F(OcfsgwctlTest, ShowsWhatTheGatewaySays) {
  const auto server = Gateway(socket_);
  const MountRegistration registration({"/m/a", socket_, "/srv", getpid()}, run_);
  Outcome outcome = Run("status");
  EXPECT_EQ(outcome.exit_code, kExitDone);
  EXPECT_THAT(outcome.output, StartsWith("source                /srv\n"));
  outcome = Run("--mount /m/a/ status --json");
  EXPECT_EQ(outcome.exit_code, kExitDone);
  EXPECT_EQ(outcome.output, "{\n  \"source\": \"/srv\"\n}\n");
  outcome = Run("stats");
  EXPECT_EQ(outcome.exit_code, kExitDone);
  EXPECT_EQ(outcome.output, "a_total 5\nb 0.5\n");
  EXPECT_EQ(Run("--json stats").output, "{\n  \"a_total\": 5,\n  \"b\": 0.5\n}\n");
  outcome = Run("barrier");  // this gateway does not know it
  EXPECT_EQ(outcome.exit_code, kExitRuntime);
  EXPECT_EQ(outcome.output, "ocfsgwctl: unknown command 'barrier'\n");
  outcome = Run("stats >/dev/full");
  EXPECT_EQ(outcome.exit_code, kExitRuntime);
}

TEST_F(OcfsgwctlTest, SaysWhichMountsThereAre) {
  Outcome outcome = Run("status");
  EXPECT_EQ(outcome.exit_code, kExitSource);
  EXPECT_EQ(outcome.output, "ocfsgwctl: no ocfsgw mount on this machine\n");
  const auto server = Gateway(socket_);
  const MountRegistration first({"/m/a", socket_, "/srv", getpid()}, run_);
  const MountRegistration second({"/m/b", socket_, "/srv", getpid()}, run_);
  outcome = Run("status");
  EXPECT_EQ(outcome.exit_code, kExitUsage);
  EXPECT_EQ(outcome.output, "ocfsgwctl: several mounts, choose one with --mount: /m/a, /m/b\n");
  outcome = Run("--mount /m/c status");
  EXPECT_EQ(outcome.exit_code, kExitSource);
  EXPECT_EQ(outcome.output, "ocfsgwctl: no ocfsgw mount at /m/c, only at /m/a, /m/b\n");
}

TEST_F(OcfsgwctlTest, RefusesBadUsage) {
  for (const char* arguments :
       {"", "frobnicate", "status stats", "--mount", "--timeout 0 status", "status extra"}) {
    const Outcome outcome = Run(arguments);
    EXPECT_EQ(outcome.exit_code, kExitUsage) << arguments;
    EXPECT_THAT(outcome.output, StartsWith("ocfsgwctl: ")) << arguments;
    EXPECT_THAT(outcome.output, HasSubstr("(ocfsgwctl --help shows how)\n")) << arguments;
  }
  Outcome outcome = Run("--help");
  EXPECT_EQ(outcome.exit_code, kExitDone);
  EXPECT_THAT(outcome.output, HasSubstr("Exit status: 0 done"));
  outcome = Run("--version");
  EXPECT_EQ(outcome.exit_code, kExitDone);
  EXPECT_EQ(outcome.output, "ocfsgwctl " OCFSGW_VERSION "\n");
}

}  // namespace
}  // namespace ocfsgw::ctl
