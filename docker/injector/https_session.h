#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>

#include "base/metrics.h"
#include "docker/injector/body_budget.h"
#include "docker/injector/tls_files.h"
#include "docker/injector/webhook.h"

namespace ocfsgw::injector {

/// What all sessions of a server share; outlives them.
struct SessionShared {
  Webhook& webhook;
  TlsFiles& tls;
  BodyBudget& budget;
  Counter& failed_handshakes;
  Counter& timeouts;
  std::chrono::seconds timeout;  ///< For each step: handshake, header, body, answer.
  std::chrono::seconds idle;     ///< Between requests.
  uint64_t body_bytes_max;
};

/// One connection from handshake to end: requests one after the other, kept alive while the certificate is
/// the newest. Lives as long as an operation of its own is under way; Stop may be called from any thread.
class HttpsSession {
 public:
  virtual ~HttpsSession() = default;
  /// `closed` is called once, when the connection is gone, from a thread of the socket's executor.
  static std::shared_ptr<HttpsSession> Start(boost::asio::ip::tcp::socket socket, const SessionShared& shared,
                                             std::function<void()> closed);
  /// No further request: an idle connection ends now, another after its answer.
  virtual void Stop() = 0;
  /// Ends it at once.
  virtual void Abort() = 0;
};

}  // namespace ocfsgw::injector
