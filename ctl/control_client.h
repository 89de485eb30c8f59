#pragma once

#include <chrono>
#include <nlohmann/json.hpp>
#include <string>

#include "base/clock.h"
#include "base/status.h"
#include "ctl/unix_socket.h"

namespace ocfsgw::ctl {

/// Sends one request to the gateway behind `socket_path` and returns its "result". Blocks for `timeout` at
/// most. kUnavailable: no gateway answers there; kInvalidArgument: it answered with an error, whose text is
/// the message.
Result<nlohmann::json> CallGateway(const std::string& socket_path, const nlohmann::json& request,
                                   std::chrono::milliseconds timeout);

/// What the gateway goes on to say after its answer to a command (ControlServer::Stream). Not thread-safe.
class GatewayStream {
 public:
  /// Errors as of CallGateway.
  static Result<GatewayStream> Open(const std::string& socket_path, const nlohmann::json& request,
                                    std::chrono::milliseconds timeout);
  /// The next line. Waits for it; kBusy when there was none at `until`. kUnavailable when no more will come:
  /// the gateway has ended, or has said everything after End(). kCorrupt: it is not JSON.
  Result<nlohmann::json> Next(TimePoint until);
  /// Asks the gateway for what is left, and to hang up. Never blocks.
  void End();

 private:
  explicit GatewayStream(std::string socket_path) : socket_path_(std::move(socket_path)) {}

  std::string socket_path_;
  UniqueFd fd_;
  std::string received_;  // after the last line returned
};

}  // namespace ocfsgw::ctl
