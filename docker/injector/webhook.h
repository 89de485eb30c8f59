#pragma once

#include <atomic>
#include <optional>
#include <string>
#include <string_view>

#include "base/metrics.h"
#include "docker/injector/config.h"
#include "docker/injector/review.h"

namespace ocfsgw::injector {

struct HttpReply {
  unsigned status = 200;
  std::string content_type = "text/plain; charset=utf-8";
  std::string body;
  std::string allow;  ///< For status 405: the methods there are.
};

/// What of a request's header decides how it is answered.
struct HttpHeader {
  std::string_view method;
  std::string_view target;  ///< With its query, which the API server adds a timeout to.
  std::string_view content_type;
};

/// Answers requests, whatever brings them: POST /mutate, GET /healthz and /readyz. Thread-safe; never blocks,
/// never throws.
class Webhook {
 public:
  Webhook(InjectorConfig config, MetricsRegistry& metrics);

  /// The reply to a request whose body is not wanted; nothing: its body is a review, for Mutate.
  std::optional<HttpReply> FromHeader(const HttpHeader& header) const;
  HttpReply Mutate(std::string_view body);
  /// /readyz says no from now on.
  void StartDraining() { draining_ = true; }

 private:
  const InjectorConfig config_;
  std::atomic<bool> draining_{false};
  Counter& untouched_;
  Counter& injected_;
  Counter& refused_;
  Counter& malformed_;
};

}  // namespace ocfsgw::injector
