// injector-load ADDR PORT FILE [CONNECTIONS [SECONDS]]: POSTs FILE, an AdmissionReview, to
// https://ADDR:PORT/mutate over CONNECTIONS (32) kept alive at a time, each as fast as it is answered, for
// SECONDS (5). Loopback only. Prints reviews per second and times; exit status 1 if any was not answered by
// 200.
#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/ssl.hpp>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using Clock = std::chrono::steady_clock;
using boost::system::error_code;

struct Load {
  asio::ip::tcp::endpoint endpoint;
  http::request<http::string_body> request{http::verb::post, "/mutate?timeout=10s", 11};
  Clock::time_point end;
  std::vector<double> milliseconds;
  size_t failed = 0;
};

/// One connection; all run in one thread.
class Client : public std::enable_shared_from_this<Client> {
 public:
  Client(asio::io_context& context, asio::ssl::context& tls, Load& load)
      : stream_(context, tls), load_(load) {}

  void Start() {
    beast::get_lowest_layer(stream_).async_connect(
        load_.endpoint, [self = shared_from_this()](error_code error) {
          if (error) return self->Fail(error);
          self->stream_.async_handshake(asio::ssl::stream_base::client, [self](error_code refused) {
            if (refused) return self->Fail(refused);
            self->Ask();
          });
        });
  }

 private:
  void Ask() {
    if (Clock::now() >= load_.end) return;
    begin_ = Clock::now();
    http::async_write(stream_, load_.request, [self = shared_from_this()](error_code error, size_t) {
      if (error) return self->Fail(error);
      self->response_ = {};
      http::async_read(self->stream_, self->buffer_, self->response_, [self](error_code failed, size_t) {
        if (failed) return self->Fail(failed);
        self->OnAnswer();
      });
    });
  }
  void OnAnswer() {
    if (response_.result() != http::status::ok) ++load_.failed;
    load_.milliseconds.push_back(std::chrono::duration<double, std::milli>(Clock::now() - begin_).count());
    Ask();
  }
  void Fail(error_code error) {
    fmt::print(stderr, "injector-load: {}\n", error.message());
    ++load_.failed;
  }

  beast::ssl_stream<beast::tcp_stream> stream_;
  Load& load_;
  beast::flat_buffer buffer_;
  http::response<http::string_body> response_;
  Clock::time_point begin_;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc < 4) {
    fmt::print(stderr, "usage: injector-load ADDR PORT FILE [CONNECTIONS [SECONDS]]\n");
    return 1;
  }
  const int connections = argc > 4 ? std::atoi(argv[4]) : 32;
  const int seconds = argc > 5 ? std::atoi(argv[5]) : 5;
  Load load;
  load.endpoint = {asio::ip::make_address(argv[1]), static_cast<uint16_t>(std::atoi(argv[2]))};
  if (!load.endpoint.address().is_loopback() || connections < 1 || seconds < 1) {
    fmt::print(stderr, "injector-load: the address has to be a loopback one, the numbers positive\n");
    return 1;
  }
  std::ifstream in(argv[3]);
  load.request.body() = std::string{std::istreambuf_iterator<char>(in), {}};
  load.request.set(http::field::host, "localhost");
  load.request.set(http::field::content_type, "application/json");
  load.request.prepare_payload();
  asio::io_context context(1);
  asio::ssl::context tls(asio::ssl::context::tls_client);
  const auto begin = Clock::now();
  load.end = begin + std::chrono::seconds(seconds);
  for (int i = 0; i < connections; ++i) {
    std::make_shared<Client>(context, tls, load)->Start();
  }
  context.run();
  const double elapsed = std::chrono::duration<double>(Clock::now() - begin).count();
  std::sort(load.milliseconds.begin(), load.milliseconds.end());
  const size_t count = load.milliseconds.size();
  if (count == 0) return 1;
  fmt::print(
      "{} reviews of {} bytes in {:.1f} s over {} connections: {:.0f}/s; median {:.1f} ms, 99 % {:.1f} ms, "
      "most {:.1f} ms; "
      "{} failed\n",
      count, load.request.body().size(), elapsed, connections, static_cast<double>(count) / elapsed,
      load.milliseconds[count / 2], load.milliseconds[count * 99 / 100], load.milliseconds.back(),
      load.failed);
  return load.failed == 0 ? 0 : 1;
}
