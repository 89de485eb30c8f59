#include "ctl/control_client.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

namespace ocfsgw::ctl {
namespace {

constexpr size_t kAnswerBytesMax = 16 << 20;

Status NoAnswer(const std::string& socket_path, std::string_view why) {
  return {StatusCode::kUnavailable, fmt::format("no answer from the gateway at {}: {}", socket_path, why)};
}

/// Waits until `events` are possible on `fd`; false if `deadline` passes first.
bool WaitFor(int fd, short events, TimePoint deadline) {
  for (;;) {
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    pollfd entry{fd, events, 0};
    const int ready = poll(&entry, 1, static_cast<int>(std::max<int64_t>(left.count(), 0)));
    if (ready > 0 || (ready == 0 && left.count() <= 0)) {
      return ready > 0;
    }
  }
}

/// Sends `line`. A gateway that refuses hangs up early: what it said is still to be read, so that is not an
/// error.
bool Send(int fd, std::string_view line, TimePoint deadline) {
  while (!line.empty()) {
    const ssize_t sent = send(fd, line.data(), line.size(), MSG_NOSIGNAL);
    if (sent > 0) {
      line.remove_prefix(static_cast<size_t>(sent));
    } else if (errno != EAGAIN && errno != EINTR) {
      return true;
    } else if (!WaitFor(fd, POLLOUT, deadline)) {
      return false;
    }
  }
  return true;
}

/// kBusy: not within the deadline. kUnavailable: the gateway hung up, or says too much without a line's end.
Result<std::string> ReceiveLine(int fd, const std::string& socket_path, TimePoint deadline,
                                std::string& received) {
  char piece[65536];
  for (size_t searched = 0;;) {
    if (const size_t end = received.find('\n', searched); end != std::string::npos) {
      std::string line = received.substr(0, end);
      received.erase(0, end + 1);
      return line;
    }
    searched = received.size();
    if (searched >= kAnswerBytesMax) {
      return NoAnswer(socket_path, "the answer is too long");
    }
    if (!WaitFor(fd, POLLIN, deadline)) {
      return Status(StatusCode::kBusy, "timed out");
    }
    const ssize_t got = recv(fd, piece, sizeof(piece), 0);
    if (got > 0) {
      received.append(piece, static_cast<size_t>(got));
    } else if (got == 0 || (errno != EAGAIN && errno != EINTR)) {
      return NoAnswer(socket_path, "it hung up");
    }
  }
}

/// Asks over a new connection, which is put into `fd`; what came after the answer's line is in `received`.
Result<nlohmann::json> Ask(const std::string& socket_path, const nlohmann::json& request,
                           std::chrono::milliseconds timeout, UniqueFd& fd, std::string& received) {
  const TimePoint deadline = std::chrono::steady_clock::now() + timeout;
  auto connected = ConnectUnixSocket(socket_path);
  if (!connected.ok()) {
    return NoAnswer(socket_path, connected.status().ToString());
  }
  fd = *std::move(connected);
  const std::string line = request.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
  if (!Send(fd.get(), line, deadline)) {
    return NoAnswer(socket_path, "timed out");
  }
  const auto text = ReceiveLine(fd.get(), socket_path, deadline, received);
  if (!text.ok()) {
    return text.status().Is(StatusCode::kBusy) ? NoAnswer(socket_path, "timed out") : text.status();
  }
  auto answer = nlohmann::json::parse(*text, nullptr, /*allow_exceptions=*/false);
  if (!answer.is_object() || !answer.contains("ok") || !answer["ok"].is_boolean()) {
    return NoAnswer(socket_path, "it does not speak this protocol");
  }
  if (!answer["ok"].get<bool>()) {
    const auto error = answer.find("error");
    return Status(StatusCode::kInvalidArgument, error != answer.end() && error->is_string()
                                                    ? error->get<std::string>()
                                                    : "it gave no reason");
  }
  return std::move(answer["result"]);
}

}  // namespace

Result<nlohmann::json> CallGateway(const std::string& socket_path, const nlohmann::json& request,
                                   std::chrono::milliseconds timeout) {
  UniqueFd fd;
  std::string received;
  return Ask(socket_path, request, timeout, fd, received);
}

Result<GatewayStream> GatewayStream::Open(const std::string& socket_path, const nlohmann::json& request,
                                          std::chrono::milliseconds timeout) {
  GatewayStream stream(socket_path);
  OCFSGW_RETURN_IF_ERROR(Ask(socket_path, request, timeout, stream.fd_, stream.received_).status());
  return stream;
}

Result<nlohmann::json> GatewayStream::Next(TimePoint until) {
  OCFSGW_ASSIGN_OR_RETURN(const std::string text, ReceiveLine(fd_.get(), socket_path_, until, received_));
  auto line = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (line.is_discarded()) {
    return Status(StatusCode::kCorrupt, "what the gateway at " + socket_path_ + " says is not JSON");
  }
  return line;
}

void GatewayStream::End() { shutdown(fd_.get(), SHUT_WR); }

}  // namespace ocfsgw::ctl
