#include "fusefs/metrics_exporter.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <sys/socket.h>
#include <unistd.h>

namespace ocfsgw::fusefs {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

/// A listening socket on a free port of the loopback.
class Listener {
 public:
  Listener() : fd_(socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    EXPECT_EQ(bind(fd_, reinterpret_cast<sockaddr*>(&address), size), 0);
    EXPECT_EQ(getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &size), 0);
    EXPECT_EQ(listen(fd_, 1), 0);
    port_ = ntohs(address.sin_port);
  }
  ~Listener() { close(fd_); }
  uint16_t port() const { return port_; }
  std::string address() const { return "127.0.0.1:" + std::to_string(port_); }

 private:
  int fd_;
  uint16_t port_ = 0;
};

std::string Fetch(uint16_t port, const std::string& path) {
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  EXPECT_EQ(connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  const std::string request = "GET " + path + " HTTP/1.0\r\n\r\n";
  EXPECT_EQ(write(fd, request.data(), request.size()), static_cast<ssize_t>(request.size()));
  std::string answer;
  char piece[4096];
  for (ssize_t got = 0; (got = read(fd, piece, sizeof(piece))) > 0;) {
    answer.append(piece, static_cast<size_t>(got));
  }
  close(fd);
  return answer;
}

TEST(MetricsExporter, ServesTheRegistry) {
  MetricsRegistry registry;
  registry.AddCounter("ocfsgw_reads_total", "Reads.", {{"from", "store"}}).Add(7);
  registry.AddCounter("ocfsgw_other_total", "Others.").Add(1);
  Counter& backend = registry.AddCounter("ocfsgw_reads_total", "Reads.", {{"from", "a\"b\\c\nd"}});
  registry.AddGauge(&registry, "ocfsgw_held", "Held.", [] { return 2.5; });

  uint16_t port = 0;
  {
    const Listener free_port;
    port = free_port.port();
  }
  auto exporter = MetricsExporter::Start("127.0.0.1:" + std::to_string(port), registry);
  ASSERT_TRUE(exporter.ok()) << exporter.status().ToString();
  backend.Add(1'000'000);
  const std::string text = Fetch(port, "/metrics");
  EXPECT_THAT(text, StartsWith("HTTP/1.1 200"));
  EXPECT_THAT(text, HasSubstr("# HELP ocfsgw_reads_total Reads.\n"
                              "# TYPE ocfsgw_reads_total counter\n"
                              "ocfsgw_reads_total{from=\"store\"} 7\n"
                              "ocfsgw_reads_total{from=\"a\\\"b\\\\c\\nd\"} 1000000\n"));
  EXPECT_THAT(text, HasSubstr("# HELP ocfsgw_other_total Others.\n"
                              "# TYPE ocfsgw_other_total counter\n"
                              "ocfsgw_other_total 1\n"));
  EXPECT_THAT(text, HasSubstr("# HELP ocfsgw_held Held.\n# TYPE ocfsgw_held gauge\nocfsgw_held 2.5\n"));
  EXPECT_THAT(Fetch(port, "/"), HasSubstr(" 404 Not Found\r\n"));
  backend.Add();
  EXPECT_THAT(Fetch(port, "/metrics"), HasSubstr("} 1000001\n"));
}

TEST(MetricsExporter, SaysThatItCannotListen) {
  const MetricsRegistry registry;
  const Listener taken;
  const Status status = MetricsExporter::Start(taken.address(), registry).status();
  EXPECT_TRUE(status.Is(StatusCode::kInvalidArgument));
  EXPECT_EQ(status.ToString(),
            "metrics=" + taken.address() +
                ": cannot listen there: the address is not one of this machine, the port is taken");
  EXPECT_THAT(MetricsExporter::Start("192.0.2.1:9100", registry).status().ToString(),
              StartsWith("metrics=192.0.2.1:9100: cannot listen there"));
}

}  // namespace
}  // namespace ocfsgw::fusefs
