// ocfsgw-bench record: what it writes, and the program against a stand-in for a gateway's control socket.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/socket.h>
#include <unistd.h>

#include <fstream>
#include <sstream>
#include <thread>

#include "base/exit_code.h"
#include "bench/recording.h"
#include "bench/trace_parser.h"
#include "ctl/control_server.h"
#include "ctl/mount_registry.h"
#include "ctl/unix_socket.h"
#include "tests/unit/ctl/temp_directory.h"

namespace ocfsgw::bench {
namespace {

using ctl::ControlServer;
using nlohmann::json;
using ::testing::AllOf;
using ::testing::EndsWith;
using ::testing::HasSubstr;

TEST(Recording, IsATraceThatReplayReads) {
  std::string out;
  Recording recording(out);
  ASSERT_TRUE(recording.Take({{"requests", {{1'500'000'000U, 12U, 3U, 0U, 131072U}}}, {"dropped", 4U}}).ok());
  ASSERT_TRUE(
      recording
          .Take({{"requests", {{2'000'000'999U, 12U, 3U, 1U, 5U}, {2'000'001'000U, 12U, 3U, 0U, 131072U}}},
                 {"dropped", 1U}})
          .ok());
  EXPECT_EQ(out,
            "time,id,size,dropped_before\n"
            "1.500000,12.3#0,131072,0\n"
            "2.000000,12.3#1,5,4\n"
            "2.000001,12.3#0,131072,0\n");
  EXPECT_EQ(recording.requests(), 3U);
  EXPECT_EQ(recording.objects(), 2U);
  EXPECT_EQ(recording.bytes(), 262149U);
  EXPECT_EQ(recording.dropped(), 5U);

  ASSERT_EQ(GuessTraceFormat(out), TraceFormat::kCsv);
  TraceParser parser(TraceFormat::kCsv);
  ASSERT_TRUE(parser.Feed(out).ok());
  const Trace trace = parser.Finish().value();
  EXPECT_EQ(trace.requests, (std::vector<uint32_t>{0, 1, 0}));
  EXPECT_EQ(trace.object_bytes, (std::vector<uint64_t>{131072, 5}));
}

TEST(Recording, RefusesWhatIsNone) {
  std::string out;
  Recording recording(out);
  for (const char* line :
       {"1", "{}", R"({"requests":[]})", R"({"dropped":0})", R"({"requests":1,"dropped":0})",
        R"({"requests":[],"dropped":-1})", R"({"requests":[[1,2,3,4]],"dropped":0})",
        R"({"requests":[[1,2,3,4,-5]],"dropped":0})", R"({"requests":[[1,2,3,4,"5"]],"dropped":0})"}) {
    EXPECT_TRUE(recording.Take(json::parse(line)).Is(StatusCode::kCorrupt)) << line;
  }
  EXPECT_EQ(recording.requests(), 0U);
}

/// Says its lines, one at a look, and nothing after them.
class Lines : public ControlServer::Stream {
 public:
  explicit Lines(std::vector<std::string> lines) : lines_(std::move(lines)) {}
  std::string Next() override { return next_ < lines_.size() ? lines_[next_++] + "\n" : ""; }

 private:
  const std::vector<std::string> lines_;
  size_t next_ = 0;
};

class RecordCommandTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::filesystem::create_directories(directory_ / "mount/below");
    registration_.emplace(
        ctl::MountEntry{directory_ / "mount", directory_ / "control.sock", directory_ / "source", getpid()},
        directory_ / "run");
  }
  /// A gateway that records these lines.
  void Records(std::vector<std::string> lines) {
    Serve({{"record", [lines](const json&) -> Result<std::unique_ptr<ControlServer::Stream>> {
              return std::unique_ptr<ControlServer::Stream>(new Lines(lines));
            }}});
  }
  void Serve(std::map<std::string, ControlServer::StreamHandler> streams) {
    ctl::ControlServerOptions options;
    options.socket_path = directory_ / "control.sock";
    server_ = ControlServer::Start(options, {}, std::move(streams)).value();
  }
  /// Of the program; its stdout and stderr are in said_.
  int Record(const std::string& mount, const std::string& more = "--seconds 0.2") {
    FILE* pipe =
        popen(("OCFSGW_RUN_DIR=" + (directory_ / "run") + " " OCFSGW_BENCH_PROGRAM " record --mount " +
               mount + " --output " + trace_ + " " + more + " 2>&1")
                  .c_str(),
              "r");
    said_.clear();
    char piece[4096];
    for (size_t got = 0; (got = fread(piece, 1, sizeof(piece), pipe)) > 0;) said_.append(piece, got);
    return WEXITSTATUS(pclose(pipe));
  }
  std::string Written() const {
    std::ostringstream text;
    text << std::ifstream(trace_).rdbuf();
    return text.str();
  }

  ctl::TempDirectory directory_;
  const std::string mount_ = directory_ / "mount";
  std::string trace_ = directory_ / "trace.csv";
  std::optional<ctl::MountRegistration> registration_;
  std::unique_ptr<ControlServer> server_;
  std::string said_;
};

TEST_F(RecordCommandTest, WritesWhatTheGatewaySays) {
  Records({R"({"requests":[[1000,7,1,0,4096]],"dropped":0})", R"({"requests":[],"dropped":2})"});
  std::ofstream(trace_) << "what was there before, and is longer than the new trace: it is replaced, as by "
                           "import-strace, not written over in part";
  EXPECT_EQ(Record(mount_ + "/below", "--seconds 1"), kExitDone) << said_;
  EXPECT_EQ(said_, "1 requests, 1 objects, 4096 bytes; 2 requests dropped\n");
  EXPECT_EQ(Written(), "time,id,size,dropped_before\n0.000001,7.1#0,4096,0\n");
}

TEST_F(RecordCommandTest, WithoutRequests) {
  Records({});
  EXPECT_EQ(Record(mount_), kExitSource);
  EXPECT_THAT(said_, EndsWith("ocfsgw-bench: " + mount_ + ": no request reached the page store\n"));
}

TEST_F(RecordCommandTest, WhatIsNoMount) {
  EXPECT_EQ(Record(directory_ / "absent"), kExitSource);
  EXPECT_EQ(said_, "ocfsgw-bench: " + (directory_ / "absent") + ": No such file or directory\n");
  EXPECT_EQ(Record(directory_.path()), kExitSource);
  EXPECT_EQ(said_, "ocfsgw-bench: " + directory_.path().string() + ": not in a mount of ocfsgw\n");
  std::ofstream(directory_ / "mount/file") << "x";
  EXPECT_EQ(Record(mount_ + "/file"), kExitSource);
  EXPECT_EQ(said_, "ocfsgw-bench: " + mount_ + "/file: Not a directory\n");
  EXPECT_FALSE(std::filesystem::exists(trace_));
}

TEST_F(RecordCommandTest, GatewaysThatDoNotAnswer) {
  const auto bound = ctl::BindUnixSocket(directory_ / "control.sock");
  ASSERT_TRUE(bound.ok());
  ASSERT_EQ(listen(bound->get(), 8), 0);
  std::thread peer([&] {  // takes one connection after the other, and hangs up, until shutdown(2)
    fcntl(bound->get(), F_SETFL, 0);
    for (int fd = 0; (fd = accept(bound->get(), nullptr, nullptr)) >= 0;) close(fd);
  });
  EXPECT_EQ(Record(mount_), kExitSource);
  EXPECT_THAT(said_,
              AllOf(HasSubstr(mount_ + ": no answer from the gateway at "), EndsWith(": it hung up\n")));
  shutdown(bound->get(), SHUT_RDWR);
  peer.join();
}

TEST_F(RecordCommandTest, GatewaysThatDoNotRecord) {
  Serve({});
  EXPECT_EQ(Record(mount_), kExitSource);
  EXPECT_EQ(said_,
            "ocfsgw-bench: " + mount_ +
                ": its gateway does not record: unknown command 'record'; it is older than this program\n");
  server_.reset();
  Serve({{"record", [](const json&) -> Result<std::unique_ptr<ControlServer::Stream>> {
            return Status(StatusCode::kBusy, "somebody is recording this mount already");
          }}});
  EXPECT_EQ(Record(mount_), kExitSource);
  EXPECT_EQ(said_, "ocfsgw-bench: " + mount_ +
                       ": its gateway does not record: somebody is recording this mount already\n");
  EXPECT_FALSE(std::filesystem::exists(trace_));
}

TEST_F(RecordCommandTest, GatewaysThatSaySomethingElse) {
  Records({R"({"requests":[[1000,7,1,0,4096]],"dropped":0})", "{}"});
  EXPECT_EQ(Record(mount_, "--seconds 20"), kExitRuntime);
  EXPECT_THAT(said_, EndsWith("what the gateway says is not a recording that this program knows\n"));
  EXPECT_EQ(Written(), "time,id,size,dropped_before\n0.000001,7.1#0,4096,0\n");
  server_.reset();
  Records({"]"});
  EXPECT_EQ(Record(mount_, "--seconds 20"), kExitRuntime);
  EXPECT_THAT(said_, EndsWith(" says is not JSON\n"));
}

TEST_F(RecordCommandTest, TracesThatCannotBeWritten) {
  Records({R"({"requests":[[1000,7,1,0,4096]],"dropped":0})"});
  trace_ = directory_ / "absent/trace.csv";
  EXPECT_EQ(Record(mount_), kExitRuntime);
  EXPECT_EQ(said_, "ocfsgw-bench: " + trace_ + ": No such file or directory\n");
  trace_ = "/dev/full";
  EXPECT_EQ(Record(mount_), kExitRuntime);
  EXPECT_EQ(said_, "ocfsgw-bench: /dev/full: No space left on device\n");
}

TEST_F(RecordCommandTest, Usage) {
  for (const char* more : {"--seconds 0", "--seconds soon", "--output ''", "more"}) {
    EXPECT_EQ(Record(mount_, more), kExitUsage) << more;
  }
}

}  // namespace
}  // namespace ocfsgw::bench
