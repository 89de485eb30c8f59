#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "base/status.h"

namespace ocfsgw::ctl {

struct ControlServerOptions {
  std::string socket_path;
  size_t connections_max = 8;                      ///< One more is told so and closed.
  size_t request_bytes_max = 64 * 1024;            ///< A longer line is refused and its connection closed.
  std::chrono::milliseconds idle_timeout{10'000};  ///< To send a whole request, and to take the whole answer.
};

/// The gateway's ear for ocfsgwctl: a unix socket, one JSON object per line each way,
/// {"cmd":NAME,...} -> {"ok":true,"result":...} or {"ok":false,"error":"..."}.
///
/// Talks to root and to the gateway's own user only (socket mode 0600, and SO_PEERCRED).
/// One thread of its own, which runs the handlers one after another: a slow handler delays other control
/// connections and Stop(), never the gateway; it must have a time limit of its own. The thread inherits the
/// caller's signal mask.
class ControlServer {
 public:
  /// The answer's "result", or the Status whose text becomes its "error". An exception becomes an error, too.
  using Handler = std::function<Result<nlohmann::json>(const nlohmann::json& request)>;

  /// Listens on return. The socket file of a dead gateway is replaced. kBusy: another gateway answers there;
  /// kInvalidArgument: something else is there; kSystem.
  static Result<std::unique_ptr<ControlServer>> Start(ControlServerOptions options,
                                                      std::map<std::string, Handler> handlers);
  ~ControlServer();

  /// Removes the socket file, drops connections, joins. No handler runs any more when it has returned.
  /// Idempotent; not from a handler.
  void Stop();

 private:
  struct Impl;
  explicit ControlServer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace ocfsgw::ctl
