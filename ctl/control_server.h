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
  size_t connections_max = 8;            ///< One more is told so and closed.
  size_t request_bytes_max = 64 * 1024;  ///< A longer line is refused and its connection closed.
  /// To send a whole request, and to take the whole answer, or what a stream had to say at once.
  std::chrono::milliseconds idle_timeout{10'000};
  std::chrono::milliseconds stream_pause{100};      ///< Between two looks for what a stream has to say.
  std::chrono::milliseconds stream_end_max{1'000};  ///< How long Stop() waits for clients to take the rest.
};

/// The gateway's ear for ocfsgwctl: a unix socket, one JSON object per line each way,
/// {"cmd":NAME,...} -> {"ok":true,"result":...} or {"ok":false,"error":"..."}. The command of a stream has
/// the result {}, and more lines until the client shuts down its side for writing or the server stops: then
/// the rest, and the end of the connection.
///
/// Talks to root and to the gateway's own user only (socket mode 0600, and SO_PEERCRED).
/// One thread of its own, which runs the handlers one after another: a slow handler delays other control
/// connections and Stop(), never the gateway; it must have a time limit of its own. The thread inherits the
/// caller's signal mask.
class ControlServer {
 public:
  /// The answer's "result", or the Status whose text becomes its "error". An exception becomes an error, too.
  using Handler = std::function<Result<nlohmann::json>(const nlohmann::json& request)>;

  /// What goes on after the answer to a command. Destroyed when the client has gone; on the server's thread,
  /// or with the server.
  class Stream {
   public:
    virtual ~Stream() = default;
    /// What there is to say since the last call: whole lines, or nothing. On the server's thread; an
    /// exception ends the stream.
    virtual std::string Next() = 0;
  };
  /// As Handler.
  using StreamHandler = std::function<Result<std::unique_ptr<Stream>>(const nlohmann::json& request)>;

  /// Listens on return. The socket file of a dead gateway is replaced. kBusy: another gateway answers there;
  /// kInvalidArgument: something else is there; kSystem.
  static Result<std::unique_ptr<ControlServer>> Start(ControlServerOptions options,
                                                      std::map<std::string, Handler> handlers,
                                                      std::map<std::string, StreamHandler> streams = {});
  ~ControlServer();

  /// Removes the socket file, ends streams, joins; the server's end drops connections. No handler runs any
  /// more when it has returned. Idempotent; not from a handler.
  void Stop();

 private:
  struct Impl;
  explicit ControlServer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace ocfsgw::ctl
