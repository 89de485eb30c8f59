#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/metrics.h"
#include "base/status.h"
#include "docker/injector/command_line.h"
#include "docker/injector/tls_files.h"
#include "docker/injector/webhook.h"

namespace ocfsgw::injector {

/// Listens and serves connections until it is told to stop. Connections beyond the most wait unaccepted; the
/// bodies of all requests together take 64 MiB at most. The certificate's files are looked at every 2 s.
class HttpsServer {
 public:
  /// Binds and listens; nothing is accepted before Run. All arguments outlive the server; `tls` has a
  /// context. kInvalidArgument: the address cannot be had.
  static Result<std::unique_ptr<HttpsServer>> Listen(const ServeOptions& options, Webhook& webhook,
                                                     TlsFiles& tls, MetricsRegistry& metrics);
  virtual ~HttpsServer() = default;

  /// Serves on `options.threads` threads, this one among them, until SIGTERM or SIGINT has come and the
  /// requests under way are answered, or `options.drain` is over.
  virtual void Run() = 0;
};

}  // namespace ocfsgw::injector
