#include "ctl/control_server.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <future>
#include <thread>

#include "ctl/control_client.h"
#include "ctl/unix_socket.h"
#include "tests/unit/ctl/temp_directory.h"

namespace ocfsgw::ctl {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;
using ::testing::StartsWith;
using namespace std::chrono_literals;

constexpr auto kPatience = 20s;

/// A client that sends and receives what the test wants.
class RawClient {
 public:
  explicit RawClient(const std::string& path) : fd_(ConnectUnixSocket(path).value()) {
    fcntl(fd_.get(), F_SETFL, 0);  // blocking
  }
  /// False if the server has hung up.
  bool Send(std::string_view text) {
    while (!text.empty()) {
      const ssize_t sent = send(fd_.get(), text.data(), text.size(), MSG_NOSIGNAL);
      if (sent <= 0) {
        return false;
      }
      text.remove_prefix(static_cast<size_t>(sent));
    }
    return true;
  }
  /// One line without its end, or what came before the server hung up.
  std::string Line() {
    std::string line;
    for (char c = 0; recv(fd_.get(), &c, 1, 0) == 1 && c != '\n';) {
      line += c;
    }
    return line;
  }
  std::string Ask(std::string_view request) {
    Send(std::string(request) + "\n");
    return Line();
  }
  bool HungUp() {
    char c;
    return recv(fd_.get(), &c, 1, 0) <= 0;
  }

 private:
  UniqueFd fd_;
};

class ControlServerTest : public ::testing::Test {
 protected:
  Result<std::unique_ptr<ControlServer>> Start(ControlServerOptions options = {}) {
    if (options.socket_path.empty()) {
      options.socket_path = path_;
    }
    return ControlServer::Start(
        options, {{"echo", [](const json& request) -> Result<json> { return request["text"]; }},
                  {"fail", [](const json&) -> Result<json> { return Status(StatusCode::kBusy, "not\nnow"); }},
                  {"throw", [](const json& request) -> Result<json> { return request.at("absent"); }},
                  {"huge", [](const json&) -> Result<json> { return json(std::string(32 << 20, 'x')); }}});
  }
  Result<json> Echo(const std::string& path) {
    return CallGateway(path, {{"cmd", "echo"}, {"text", "hi"}}, kPatience);
  }

  TempDirectory directory_;
  const std::string path_ = directory_ / "control.sock";
};

constexpr const char* kEcho = R"({"cmd":"echo","text":"hi"})";
constexpr const char* kHi = R"({"ok":true,"result":"hi"})";
constexpr const char* kNoRequest =
    R"({"error":"not a request: one JSON object with a \"cmd\" per line is expected","ok":false})";

TEST_F(ControlServerTest, AnswersAndReportsErrors) {
  const auto server = Start();
  ASSERT_TRUE(server.ok()) << server.status().ToString();
  EXPECT_EQ(*Echo(path_), "hi");
  const Status failed = CallGateway(path_, {{"cmd", "fail"}}, kPatience).status();
  EXPECT_TRUE(failed.Is(StatusCode::kInvalidArgument));
  EXPECT_EQ(failed.ToString(), "not\nnow");
  EXPECT_THAT(CallGateway(path_, {{"cmd", "throw"}}, kPatience).status().ToString(),
              StartsWith("command 'throw' failed: "));
  EXPECT_EQ(CallGateway(path_, {{"cmd", "what"}}, kPatience).status().ToString(), "unknown command 'what'");
}

TEST_F(ControlServerTest, SurvivesGarbage) {
  const auto server = Start();
  RawClient client(path_);
  for (const char* line :
       {"", "{", "null", "[]", "{}", R"({"cmd":5})", R"({"cmd":null})", "\x01\xff\xfe", "GET / HTTP/1.1\r"}) {
    EXPECT_EQ(client.Ask(line), kNoRequest) << line;
  }
  EXPECT_EQ(client.Ask(std::string(60'000, '[')), kNoRequest);
  EXPECT_EQ(client.Ask(std::string("\0\0", 2)), kNoRequest);
  EXPECT_EQ(client.Ask(kEcho), kHi);
}

TEST_F(ControlServerTest, LinesComeInAnyPieces) {
  const auto server = Start();
  RawClient client(path_);
  ASSERT_TRUE(client.Send(R"({"cmd":"ec)"));
  ASSERT_TRUE(client.Send(std::string(R"(ho","text":"hi"})") + "\n" + kEcho + "\n" + kEcho));
  EXPECT_EQ(client.Line(), kHi);
  EXPECT_EQ(client.Line(), kHi);
  ASSERT_TRUE(client.Send("\n"));
  EXPECT_EQ(client.Line(), kHi);
}

TEST_F(ControlServerTest, BoundsTheRequest) {
  const auto server = Start();
  std::string request = kEcho;
  request.resize(64 * 1024 - 1, ' ');  // with its newline as long as is allowed
  EXPECT_EQ(RawClient(path_).Ask(request), kHi);

  RawClient client(path_);
  client.Send(request + "  \n");
  EXPECT_EQ(client.Line(), R"({"error":"the request is longer than 65536 bytes","ok":false})");
  EXPECT_TRUE(client.HungUp());
  EXPECT_EQ(CallGateway(path_, {{"cmd", std::string(4 << 20, 'x')}}, kPatience).status().ToString(),
            "the request is longer than 65536 bytes");
  EXPECT_EQ(*Echo(path_), "hi");
}

TEST_F(ControlServerTest, BoundsTheConnections) {
  const auto server = Start();
  std::vector<std::unique_ptr<RawClient>> clients;
  for (int i = 0; i < 8; ++i) {
    clients.push_back(std::make_unique<RawClient>(path_));
    EXPECT_EQ(clients.back()->Ask(kEcho), kHi);
  }
  EXPECT_EQ(Echo(path_).status().ToString(), "too many control connections, 8 at most");
  RawClient ninth(path_);
  EXPECT_EQ(ninth.Line(), R"({"error":"too many control connections, 8 at most","ok":false})");
  EXPECT_TRUE(ninth.HungUp());
  EXPECT_EQ(clients.front()->Ask(kEcho), kHi);
  clients.pop_back();
  while (!Echo(path_).ok()) {  // until the server has noticed; the test's time limit bounds it
  }
}

TEST_F(ControlServerTest, HangsUpOnTheSlow) {
  ControlServerOptions options;
  options.idle_timeout = 50ms;
  const auto server = Start(options);
  RawClient silent(path_);
  EXPECT_TRUE(silent.HungUp());
  RawClient unfinished(path_);
  unfinished.Send("{");
  EXPECT_TRUE(unfinished.HungUp());
  RawClient deaf(path_);
  deaf.Send("{\"cmd\":\"huge\"}\n");
  std::this_thread::sleep_for(200ms);  // being slow is what is tested
  EXPECT_LT(deaf.Line().size(), 32U << 20);
}

TEST_F(ControlServerTest, ReplacesOnlyADeadSocket) {
  {
    const auto dead = BindUnixSocket(path_);
    ASSERT_TRUE(dead.ok());
  }
  ASSERT_TRUE(std::filesystem::exists(path_));
  auto server = Start();
  ASSERT_TRUE(server.ok()) << server.status().ToString();
  const Status second = Start().status();
  EXPECT_TRUE(second.Is(StatusCode::kBusy));
  EXPECT_EQ(second.ToString(), "another gateway is listening on " + path_);
  EXPECT_EQ(*Echo(path_), "hi");
  (*server)->Stop();
  (*server)->Stop();
  EXPECT_FALSE(std::filesystem::exists(path_));
  EXPECT_TRUE(Echo(path_).status().Is(StatusCode::kUnavailable));
  EXPECT_TRUE(Start().ok());
}

TEST_F(ControlServerTest, StopLeavesASuccessorsSocketAlone) {
  auto server = Start();
  std::filesystem::remove(path_);
  const auto successor = Start();
  ASSERT_TRUE(successor.ok());
  (*server)->Stop();
  EXPECT_EQ(*Echo(path_), "hi");
}

TEST_F(ControlServerTest, RefusesWhatIsNoSocket) {
  std::ofstream(path_) << "precious";
  const Status status = Start().status();
  EXPECT_TRUE(status.Is(StatusCode::kInvalidArgument));
  EXPECT_EQ(status.ToString(), path_ + " is there and is not a socket");
  EXPECT_TRUE(std::filesystem::exists(path_));
  ControlServerOptions options;
  options.socket_path = directory_ / "absent/control.sock";
  EXPECT_TRUE(Start(options).status().IsErrno(ENOENT));
}

TEST_F(ControlServerTest, TakesLongPaths) {
  const std::filesystem::path deep = directory_.path() / std::string(100, 'd') / std::string(100, 'e');
  std::filesystem::create_directories(deep);
  ControlServerOptions options;
  options.socket_path = deep / "control.sock";
  {
    const auto server = Start(options);
    ASSERT_TRUE(server.ok()) << server.status().ToString();
    EXPECT_TRUE(std::filesystem::is_socket(options.socket_path));
    EXPECT_EQ(*Echo(options.socket_path), "hi");
    EXPECT_TRUE(Start(options).status().Is(StatusCode::kBusy));
  }
  EXPECT_FALSE(std::filesystem::exists(options.socket_path));
  options.socket_path = directory_ / std::string(108, 'f');
  EXPECT_EQ(Start(options).status().ToString(),
            "socket " + options.socket_path + ": its file name is too long");
}

TEST_F(ControlServerTest, SocketIsPrivate) {
  const mode_t old_mask = umask(0);
  const auto server = Start();
  umask(old_mask);
  struct stat st {};
  ASSERT_EQ(stat(path_.c_str(), &st), 0);
  EXPECT_EQ(st.st_mode & 07777, 0600U);
}

TEST_F(ControlServerTest, RefusesOtherUsers) {
  if (geteuid() != 0) {
    GTEST_SKIP() << "needs root to become somebody else";
  }
  const auto server = Start();
  ASSERT_EQ(chmod(directory_.path().c_str(), 0755), 0);
  ASSERT_EQ(chmod(path_.c_str(), 0666), 0);  // so that only the check of the peer is left
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path_.copy(address.sun_path, path_.size());
  int answer[2];
  ASSERT_EQ(pipe(answer), 0);
  const pid_t child = fork();
  if (child == 0) {  // system calls only: the parent has threads
    char text[256];
    ssize_t got = -1;
    const int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    if (syscall(SYS_setuid, 65534) == 0 &&
        connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0) {
      got = read(fd, text, sizeof(text));
    }
    _exit(got > 0 && write(answer[1], text, static_cast<size_t>(got)) == got ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  char text[256];
  const ssize_t got = read(answer[0], text, sizeof(text));
  EXPECT_EQ(std::string(text, static_cast<size_t>(std::max<ssize_t>(got, 0))),
            "{\"error\":\"permission denied: only root and the gateway's user may ask\",\"ok\":false}\n");
  close(answer[0]);
  close(answer[1]);
  EXPECT_EQ(*Echo(path_), "hi");
}

TEST_F(ControlServerTest, StopWaitsForTheHandlerAndDropsConnections) {
  std::promise<void> entered;
  std::promise<void> leave;
  std::atomic<bool> left{false};
  auto server = ControlServer::Start({path_}, {{"wait", [&](const json&) -> Result<json> {
                                                  entered.set_value();
                                                  leave.get_future().wait();
                                                  left = true;
                                                  return json();
                                                }}});
  RawClient idle(path_);
  RawClient asking(path_);
  asking.Send("{\"cmd\":\"wait\"}\n");
  entered.get_future().wait();
  EXPECT_EQ(CallGateway(path_, {{"cmd", "wait"}}, 1ms).status().ToString(),
            "no answer from the gateway at " + path_ + ": timed out");
  std::thread stopper([&server] { (*server)->Stop(); });
  leave.set_value();
  stopper.join();
  EXPECT_TRUE(left);
  server = Status(StatusCode::kShutdown, "");
  EXPECT_TRUE(idle.HungUp());
}

/// Says what it is told to, one text at a look; says `last` when it is destroyed.
class TestStream : public ControlServer::Stream {
 public:
  TestStream(std::function<std::string()> next, std::function<void()> last)
      : next_(std::move(next)), last_(std::move(last)) {}
  ~TestStream() override { last_(); }
  std::string Next() override { return next_(); }

 private:
  const std::function<std::string()> next_;
  const std::function<void()> last_;
};

class ControlStreamTest : public ControlServerTest {
 protected:
  static ControlServerOptions Fast() {
    ControlServerOptions options;
    options.stream_pause = 1ms;
    return options;
  }
  /// The command "count" goes on with `text(N)` for N = 0, 1, ... at each look.
  void Serve(const std::function<std::string(int)>& text, ControlServerOptions options = Fast()) {
    options.socket_path = path_;
    server_ = ControlServer::Start(
                  options, {{"echo", [](const json& request) -> Result<json> { return request["text"]; }}},
                  {{"count",
                    [=, this](const json&) -> Result<std::unique_ptr<ControlServer::Stream>> {
                      auto next = [text, n = std::make_shared<int>(0)] { return text((*n)++); };
                      auto last = [this] { ended_.set_value(); };
                      return std::unique_ptr<ControlServer::Stream>(new TestStream(next, last));
                    }},
                   {"busy",
                    [](const json&) -> Result<std::unique_ptr<ControlServer::Stream>> {
                      return Status(StatusCode::kBusy, "not now");
                    }}})
                  .value();
  }
  Result<GatewayStream> Open(const std::string& command = "count") {
    return GatewayStream::Open(path_, {{"cmd", command}}, kPatience);
  }
  static TimePoint Soon() { return std::chrono::steady_clock::now() + kPatience; }

  std::promise<void> ended_;
  std::unique_ptr<ControlServer> server_;
};

TEST_F(ControlStreamTest, GoesOnUntilTheClientEndsIt) {
  std::atomic<int> said{0};
  Serve([&](int n) {
    said = n + 1;
    return n % 2 == 0 ? fmt::format("{}\n[{}]\n", n, n) : std::string();
  });
  auto stream = Open();
  ASSERT_TRUE(stream.ok()) << stream.status().ToString();
  EXPECT_EQ(*Echo(path_), "hi") << "others are answered meanwhile";
  for (int n = 0; n < 10; n += 2) {
    EXPECT_EQ(*stream->Next(Soon()), n);
    EXPECT_EQ(*stream->Next(Soon()), json::array({n}));
  }
  stream->End();
  int last = 8;
  Status status;
  while (true) {
    const auto line = stream->Next(Soon());
    status = line.status();
    if (!status.ok()) break;
    last = line->is_number() ? line->get<int>() : last;
  }
  EXPECT_TRUE(status.Is(StatusCode::kUnavailable)) << status.ToString();
  EXPECT_GE(last, said - 2) << "all that was said has come";
  EXPECT_EQ(ended_.get_future().wait_for(kPatience), std::future_status::ready);
}

TEST_F(ControlStreamTest, WaitsForWhatThereIs) {
  Serve([](int) { return std::string(); });
  auto stream = Open();
  EXPECT_TRUE(stream->Next(std::chrono::steady_clock::now() + 20ms).status().Is(StatusCode::kBusy));
  stream->End();
  EXPECT_TRUE(stream->Next(Soon()).status().Is(StatusCode::kUnavailable));
}

TEST_F(ControlStreamTest, EndsWithAClientThatDies) {
  Serve([](int n) { return fmt::format("{}\n", n); });
  {
    auto stream = Open();
    EXPECT_TRUE(stream->Next(Soon()).ok());
  }
  EXPECT_EQ(ended_.get_future().wait_for(kPatience), std::future_status::ready);
}

TEST_F(ControlStreamTest, EndsWithAClientThatTakesNothing) {
  ControlServerOptions options = Fast();
  options.idle_timeout = 50ms;
  Serve([](int) { return std::string(1 << 20, 'x') + "\n"; }, options);
  const auto stream = Open();
  ASSERT_TRUE(stream.ok());
  EXPECT_EQ(ended_.get_future().wait_for(kPatience), std::future_status::ready);
}

TEST_F(ControlStreamTest, SaysTheRestWhenTheServerStops) {
  ControlServerOptions options;
  options.stream_pause = 1h;
  Serve([](int n) { return fmt::format("{}\n", n); }, options);
  auto stream = Open();
  ASSERT_TRUE(stream.ok());
  server_->Stop();
  EXPECT_EQ(*stream->Next(Soon()), 0);
  EXPECT_TRUE(stream->Next(Soon()).status().Is(StatusCode::kUnavailable));
}

TEST_F(ControlStreamTest, AClientThatTakesNothingDoesNotHoldStopUp) {
  ControlServerOptions options = Fast();
  options.stream_end_max = 50ms;
  Serve([](int) { return std::string(1 << 20, 'x') + "\n"; }, options);
  const auto stream = Open();
  ASSERT_TRUE(stream.ok());
  const auto begin = std::chrono::steady_clock::now();
  server_->Stop();
  EXPECT_LT(std::chrono::steady_clock::now() - begin, kPatience / 4);
  server_.reset();
  EXPECT_EQ(ended_.get_future().wait_for(kPatience), std::future_status::ready);
}

TEST_F(ControlStreamTest, RefusalsAndFailures) {
  Serve([](int) -> std::string { throw std::runtime_error("broken"); });
  EXPECT_EQ(Open("busy").status().ToString(), "not now");
  EXPECT_EQ(Open("what").status().ToString(), "unknown command 'what'");
  auto stream = Open();
  ASSERT_TRUE(stream.ok());
  EXPECT_TRUE(stream->Next(Soon()).status().Is(StatusCode::kUnavailable));
  EXPECT_EQ(*Echo(path_), "hi");
}

TEST_F(ControlStreamTest, WhatIsNotJson) {
  Serve([](int) { return std::string("]\n"); });
  auto stream = Open();
  const Status status = stream->Next(Soon()).status();
  EXPECT_TRUE(status.Is(StatusCode::kCorrupt)) << status.ToString();
}

TEST(CallGateway, SaysWhoDoesNotAnswer) {
  const TempDirectory directory;
  const std::string path = directory / "s";
  EXPECT_EQ(CallGateway(path, json::object(), kPatience).status().ToString(),
            "no answer from the gateway at " + path + ": socket " + path + ": No such file or directory");
  const auto fd = BindUnixSocket(path);
  EXPECT_TRUE(CallGateway(path, json::object(), kPatience).status().Is(StatusCode::kUnavailable));
  ASSERT_EQ(listen(fd->get(), 4), 0);
  const auto reply_with = [&](std::string_view text) {
    std::thread peer([&] {
      pollfd entry{fd->get(), POLLIN, 0};
      poll(&entry, 1, -1);
      const UniqueFd client(accept4(fd->get(), nullptr, nullptr, SOCK_CLOEXEC));
      char request[64];
      EXPECT_GT(recv(client.get(), request, sizeof(request), 0), 0);
      send(client.get(), text.data(), text.size(), MSG_NOSIGNAL);
    });
    const Status status = CallGateway(path, json::object(), kPatience).status();
    peer.join();
    return status.ToString();
  };
  EXPECT_THAT(reply_with(""), HasSubstr(": it hung up"));
  EXPECT_THAT(reply_with("{\"ok\""), HasSubstr(": it hung up"));
  EXPECT_THAT(reply_with("[]\n"), HasSubstr(": it does not speak this protocol"));
  EXPECT_THAT(reply_with("{\"ok\":1}\n"), HasSubstr(": it does not speak this protocol"));
  EXPECT_EQ(reply_with("{\"ok\":false}\n"), "it gave no reason");
}

}  // namespace
}  // namespace ocfsgw::ctl
