#include "docker/injector/https_server.h"

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>
#include <charconv>
#include <csignal>
#include <map>
#include <thread>
#include <vector>

#include "base/log.h"
#include "base/mutex.h"
#include "docker/injector/https_session.h"

namespace ocfsgw::injector {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;
using std::chrono::seconds;

constexpr uint64_t kBodyBytesMax = 64 << 20;
constexpr seconds kIdle{120};  // Go's clients, as the API server is one, let go after 90 s
constexpr seconds kLookAtFiles{2};
constexpr std::chrono::milliseconds kAcceptAgain{100};

/// REQUIRES: `address` is one that ParseListenAddress has let pass.
asio::ip::tcp::endpoint Endpoint(const std::string& address) {
  const size_t colon = address.rfind(':');
  std::string host = address.substr(0, colon);
  if (host.starts_with('[')) host = host.substr(1, host.size() - 2);
  uint16_t port = 0;
  std::from_chars(address.data() + colon + 1, address.data() + address.size(), port);
  return {asio::ip::make_address(host), port};
}

class Server final : public HttpsServer {
 public:
  Server(const ServeOptions& options, Webhook& webhook, TlsFiles& tls, MetricsRegistry& metrics)
      : options_(options),
        webhook_(webhook),
        tls_(tls),
        metrics_(metrics),
        context_(static_cast<int>(options.threads)),
        strand_(asio::make_strand(context_)),
        acceptor_(strand_),
        signals_(strand_, SIGTERM, SIGINT),
        accept_timer_(strand_),
        file_timer_(strand_),
        drain_timer_(strand_),
        budget_(std::max(kBodyBytesMax, options.body_bytes_max)),
        accepted_(metrics.AddCounter("ocfsgw_injector_connections_total", "Connections accepted.")),
        shared_{.webhook = webhook,
                .tls = tls,
                .budget = budget_,
                .failed_handshakes = metrics.AddCounter("ocfsgw_injector_failed_handshakes_total",
                                                        "Connections that did not get to TLS."),
                .timeouts =
                    metrics.AddCounter("ocfsgw_injector_timeouts_total", "Connections of slow clients cut."),
                .timeout = options.timeout,
                .idle = std::max(kIdle, options.timeout),
                .body_bytes_max = options.body_bytes_max} {
    metrics_.AddGauge(this, "ocfsgw_injector_connections", "Connections now.",
                      [this] { return static_cast<double>(open_.load(std::memory_order_relaxed)); });
    metrics_.AddGauge(this, "ocfsgw_injector_certificate_end_seconds",
                      "When the certificate ends, since the epoch.",
                      [this] { return static_cast<double>(tls_.not_after()); });
  }
  ~Server() override { metrics_.RemoveGauges(this); }

  Status Open() {
    const auto endpoint = Endpoint(options_.listen);
    error_code error;
    acceptor_.open(endpoint.protocol(), error);
    if (!error) acceptor_.set_option(asio::socket_base::reuse_address(true), error);
    if (!error) acceptor_.bind(endpoint, error);
    if (!error) acceptor_.listen(asio::socket_base::max_listen_connections, error);
    if (!error) return Status::Ok();
    return {StatusCode::kInvalidArgument, fmt::format("--listen {}: {}", options_.listen, error.message())};
  }

  void Run() override {
    signals_.async_wait([this](error_code error, int) {
      if (!error) Drain();
    });
    Accept();
    LookAtFiles();
    std::vector<std::thread> threads;
    for (unsigned i = 1; i < options_.threads; ++i) {
      threads.emplace_back([this] { RunContext(); });
    }
    RunContext();
    for (std::thread& thread : threads) {
      thread.join();
    }
  }

 private:
  void RunContext() {
    for (;;) {
      try {
        context_.run();
        return;
      } catch (const std::exception& error) {  // out of memory in one session: the others go on
        log::Error("a connection failed: {}", error.what());
      }
    }
  }

  void Accept() {
    if (draining_ || accepting_) return;
    if (open_.load() >= options_.connections_max) return;  // OnClosed comes back here
    accepting_ = true;
    acceptor_.async_accept(asio::make_strand(context_),
                           [this](error_code error, asio::ip::tcp::socket socket) {
                             accepting_ = false;
                             if (draining_) return;
                             if (error) {
                               log::Warning("cannot accept a connection: {}", error.message());
                               accept_timer_.expires_after(kAcceptAgain);
                               accept_timer_.async_wait([this](error_code) { Accept(); });
                               return;
                             }
                             StartSession(std::move(socket));
                             Accept();
                           });
  }

  void StartSession(asio::ip::tcp::socket socket) {
    accepted_.Add();
    open_.fetch_add(1);
    error_code ignored;
    socket.set_option(asio::ip::tcp::no_delay(true), ignored);
    const uint64_t number = next_number_++;
    auto session = HttpsSession::Start(std::move(socket), shared_, [this, number] {
      asio::post(strand_, [this, number] { OnClosed(number); });
    });
    sessions_.emplace(number, session);
  }

  void OnClosed(uint64_t number) {
    sessions_.erase(number);
    open_.fetch_sub(1);
    if (draining_ && sessions_.empty()) return Finish();
    Accept();
  }

  void LookAtFiles() {
    const auto changed = tls_.Refresh();
    if (!changed.ok()) {
      log::Warning("the old certificate stays in use: {}", changed.status().ToString());
    } else if (*changed) {
      log::Info("certificate read again");
    }
    file_timer_.expires_after(kLookAtFiles);
    file_timer_.async_wait([this](error_code error) {
      if (!error && !draining_) LookAtFiles();
    });
  }

  void Drain() {
    log::Info("shutting down: {} connections", sessions_.size());
    draining_ = true;
    webhook_.StartDraining();
    error_code ignored;
    acceptor_.close(ignored);
    file_timer_.cancel();
    accept_timer_.cancel();
    if (sessions_.empty()) return Finish();
    drain_timer_.expires_after(options_.drain);
    drain_timer_.async_wait([this](error_code error) {
      if (error) return;
      log::Warning("{} connections cut: not answered within {} s", sessions_.size(), options_.drain.count());
      ForEachSession([](HttpsSession& session) { session.Abort(); });
    });
    ForEachSession([](HttpsSession& session) { session.Stop(); });
  }

  template <typename Function>
  void ForEachSession(Function function) {
    for (const auto& [number, session] : sessions_) {
      if (const auto alive = session.lock()) function(*alive);
    }
  }

  /// Nothing is left to wait for, so that context_.run() returns.
  void Finish() {
    drain_timer_.cancel();
    signals_.cancel();
  }

  const ServeOptions& options_;
  Webhook& webhook_;
  TlsFiles& tls_;
  MetricsRegistry& metrics_;
  asio::io_context context_;
  asio::strand<asio::io_context::executor_type> strand_;  ///< For all that follows but the atomics.
  asio::ip::tcp::acceptor acceptor_;
  asio::signal_set signals_;
  asio::steady_timer accept_timer_;
  asio::steady_timer file_timer_;
  asio::steady_timer drain_timer_;
  BodyBudget budget_;
  std::atomic<size_t> open_{0};
  Counter& accepted_;
  const SessionShared shared_;
  std::map<uint64_t, std::weak_ptr<HttpsSession>> sessions_;
  uint64_t next_number_ = 0;
  bool accepting_ = false;
  bool draining_ = false;
};

}  // namespace

Result<std::unique_ptr<HttpsServer>> HttpsServer::Listen(const ServeOptions& options, Webhook& webhook,
                                                         TlsFiles& tls, MetricsRegistry& metrics) {
  auto server = std::make_unique<Server>(options, webhook, tls, metrics);
  OCFSGW_RETURN_IF_ERROR(server->Open());
  return std::unique_ptr<HttpsServer>(std::move(server));
}

}  // namespace ocfsgw::injector
