#include "ctl/control_server.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <pthread.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <boost/asio/buffer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <filesystem>
#include <set>
#include <thread>

#include "base/clock.h"
#include "base/log.h"
#include "ctl/unix_socket.h"

namespace ocfsgw::ctl {
namespace {

using boost::system::error_code;
using Protocol = boost::asio::local::stream_protocol;

class Connection;

/// What the connections have in common. Touched by the server's thread only.
struct Shared {
  const ControlServerOptions options;
  const std::map<std::string, ControlServer::Handler> handlers;
  const std::map<std::string, ControlServer::StreamHandler> stream_handlers;
  size_t connections = 0;
  std::set<Connection*> streaming{};
};

constexpr auto kAcceptPause =
    std::chrono::milliseconds(100);  // after a failed accept, which is out of descriptors
constexpr auto kEndPause = std::chrono::milliseconds(5);  // between two looks whether streams have ended

std::string ErrorLine(const std::string& why) {
  const nlohmann::json answer = {{"ok", false}, {"error", why}};
  return answer.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

std::string ResultLine(nlohmann::json result) {
  const nlohmann::json answer = {{"ok", true}, {"result", std::move(result)}};
  return answer.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

/// The answer to a request; `stream` is what goes on after it.
std::string Answer(const Shared& shared, std::string_view line,
                   std::unique_ptr<ControlServer::Stream>& stream) {
  const auto request = nlohmann::json::parse(line, nullptr, /*allow_exceptions=*/false);
  if (!request.is_object() || !request.contains("cmd") || !request["cmd"].is_string()) {
    return ErrorLine("not a request: one JSON object with a \"cmd\" per line is expected");
  }
  const auto name = request["cmd"].get<std::string>();
  const auto handler = shared.handlers.find(name);
  const auto stream_handler = shared.stream_handlers.find(name);
  try {
    if (handler != shared.handlers.end()) {
      Result<nlohmann::json> result = handler->second(request);
      return result.ok() ? ResultLine(*std::move(result)) : ErrorLine(result.status().ToString());
    }
    if (stream_handler != shared.stream_handlers.end()) {
      auto started = stream_handler->second(request);
      if (!started.ok()) {
        return ErrorLine(started.status().ToString());
      }
      stream = *std::move(started);
      return ResultLine(nlohmann::json::object());
    }
    return ErrorLine(fmt::format("unknown command '{}'", name));
  } catch (const std::exception& error) {
    return ErrorLine(fmt::format("command '{}' failed: {}", name, error.what()));
  }
}

/// One client. Lives as long as an operation on it is pending; touched by the server's thread only.
class Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(Protocol::socket socket, Shared& shared)
      : socket_(std::move(socket)),
        timer_(socket_.get_executor()),
        pause_(socket_.get_executor()),
        shared_(shared) {
    ++shared_.connections;
  }
  ~Connection() {
    --shared_.connections;
    shared_.streaming.erase(this);
  }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  void Read() {
    StartTimer();
    boost::asio::async_read_until(
        socket_, boost::asio::dynamic_buffer(input_, shared_.options.request_bytes_max), '\n',
        [self = shared_from_this()](const error_code& error, size_t size) { self->OnLine(error, size); });
  }

  /// Sends `line`, then reads the next request or, if it is the `last`, hangs up.
  void Write(std::string line, bool last) {
    StartTimer();
    output_ = std::move(line);
    boost::asio::async_write(socket_, boost::asio::buffer(output_),
                             [self = shared_from_this(), last](const error_code& error, size_t) {
                               self->timer_.cancel();
                               if (error || last) {
                                 self->Close();
                               } else if (self->stream_) {
                                 self->Pause();
                               } else {
                                 self->Read();
                               }
                             });
  }

  /// Lets the stream say what is left, then hangs up.
  void EndStream() {
    stream_ended_ = true;
    pause_.cancel();
  }

 private:
  void OnLine(const error_code& error, size_t size) {
    timer_.cancel();
    if (error == boost::asio::error::not_found) {
      Write(ErrorLine(fmt::format("the request is longer than {} bytes", shared_.options.request_bytes_max)),
            true);
    } else if (!error) {
      std::string answer = Answer(shared_, std::string_view(input_).substr(0, size), stream_);
      input_.erase(0, size);
      if (stream_) {
        shared_.streaming.insert(this);
        AwaitEnd();
      }
      Write(std::move(answer), false);
    }
  }

  /// Notices when the client of the stream has shut down its side, or has gone. What it sends is ignored.
  void AwaitEnd() {
    input_.resize(1);
    socket_.async_read_some(boost::asio::buffer(input_),
                            [self = shared_from_this()](const error_code& error, size_t) {
                              if (error) {
                                self->EndStream();
                              } else {
                                self->AwaitEnd();
                              }
                            });
  }

  void Pause() {
    pause_.expires_after(stream_ended_ ? std::chrono::milliseconds(0) : shared_.options.stream_pause);
    pause_.async_wait([self = shared_from_this()](const error_code&) { self->Continue(); });
  }

  void Continue() {
    const bool last = stream_ended_;
    std::string text;
    try {
      text = stream_->Next();
    } catch (const std::exception& error) {  // out of memory: the client sees the end
      log::Warning("a stream of the control socket ended: {}", error.what());
      return Close();
    }
    if (!text.empty()) {
      Write(std::move(text), last);
    } else if (last) {
      Close();
    } else {
      Pause();
    }
  }

  void StartTimer() {
    timer_.expires_after(shared_.options.idle_timeout);
    timer_.async_wait([weak = weak_from_this()](const error_code& error) {
      const auto self = weak.lock();
      if (!error && self) {
        self->Close();
      }
    });
  }

  /// Ends what is pending, and with it the connection.
  void Close() {
    error_code ignored;
    socket_.close(ignored);
  }

  Protocol::socket socket_;
  boost::asio::steady_timer timer_;
  boost::asio::steady_timer pause_;
  Shared& shared_;
  std::string input_;
  std::string output_;
  std::unique_ptr<ControlServer::Stream> stream_;
  bool stream_ended_ = false;
};

/// Whether the peer may steer this gateway.
bool MayControl(int fd) {
  ucred peer{};
  socklen_t size = sizeof(peer);
  return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 &&
         (peer.uid == 0 || peer.uid == geteuid());
}

/// Removes the socket file that a dead gateway left at `path`, if there is one.
Status RemoveStaleSocket(const std::string& path) {
  struct stat st {};
  if (lstat(path.c_str(), &st) != 0) {
    return errno == ENOENT ? Status::Ok() : Status::LastErrno(path);
  }
  if (!S_ISSOCK(st.st_mode)) {
    return {StatusCode::kInvalidArgument, fmt::format("{} is there and is not a socket", path)};
  }
  const auto connected = ConnectUnixSocket(path);
  if (!connected.status().IsErrno(ECONNREFUSED)) {
    return {StatusCode::kBusy, fmt::format("another gateway is listening on {}", path)};
  }
  return unlink(path.c_str()) == 0 || errno == ENOENT ? Status::Ok() : Status::LastErrno(path);
}

}  // namespace

struct ControlServer::Impl {
  explicit Impl(Shared shared_in) : shared(std::move(shared_in)) {}

  Status Listen();
  void Accept();
  void OnAccept(const error_code& error, Protocol::socket socket);
  void EndStreams(TimePoint deadline);

  Shared shared;               // outlives the context, which owns the connections
  struct stat socket_file {};  // what Listen created, so that Stop removes nothing else
  boost::asio::io_context context;
  Protocol::acceptor acceptor{context};
  boost::asio::steady_timer accept_pause{context};
  boost::asio::steady_timer end_pause{context};
  std::thread thread;
};

Status ControlServer::Impl::Listen() {
  const std::string& path = shared.options.socket_path;
  // Two gateways that find the same stale socket must not remove each other's new one: the directory's lock
  // is held until the new one listens.
  const std::string directory = std::filesystem::path(path).parent_path();
  const UniqueFd lock(open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (lock.get() < 0) {
    return Status::LastErrno("control socket directory " + directory);
  }
  if (flock(lock.get(), LOCK_EX | LOCK_NB) != 0) {
    return {StatusCode::kBusy, fmt::format("another gateway is starting on {}", path)};
  }
  OCFSGW_RETURN_IF_ERROR(RemoveStaleSocket(path));
  OCFSGW_ASSIGN_OR_RETURN(UniqueFd fd, BindUnixSocket(path));
  if (listen(fd.get(), static_cast<int>(shared.options.connections_max)) != 0 ||
      lstat(path.c_str(), &socket_file) != 0) {
    return Status::LastErrno("socket " + path);
  }
  error_code error;
  acceptor.assign(Protocol(), fd.get(), error);
  if (error) {
    return Status::FromErrno(error.value(), "socket " + path);
  }
  fd.release();
  return Status::Ok();
}

void ControlServer::Impl::Accept() {
  acceptor.async_accept(
      [this](const error_code& error, Protocol::socket socket) { OnAccept(error, std::move(socket)); });
}

void ControlServer::Impl::OnAccept(const error_code& error, Protocol::socket socket) {
  if (error) {
    accept_pause.expires_after(kAcceptPause);
    accept_pause.async_wait([this](const error_code&) { Accept(); });
    return;
  }
  std::string refusal;
  if (!MayControl(socket.native_handle())) {
    refusal = "permission denied: only root and the gateway's user may ask";
  } else if (shared.connections >= shared.options.connections_max) {
    refusal = fmt::format("too many control connections, {} at most", shared.options.connections_max);
  }
  if (refusal.empty()) {
    std::make_shared<Connection>(std::move(socket), shared)->Read();
  } else {
    error_code ignored;
    socket.non_blocking(true, ignored);
    socket.write_some(boost::asio::buffer(ErrorLine(refusal)), ignored);
  }
  Accept();
}

/// Stops the server when the clients of streams have what was left for them, or at the deadline.
void ControlServer::Impl::EndStreams(TimePoint deadline) {
  for (Connection* const connection : shared.streaming) {
    connection->EndStream();
  }
  if (shared.streaming.empty() || std::chrono::steady_clock::now() >= deadline) {
    context.stop();
    return;
  }
  end_pause.expires_after(kEndPause);
  end_pause.async_wait([this, deadline](const error_code&) { EndStreams(deadline); });
}

ControlServer::ControlServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

ControlServer::~ControlServer() { Stop(); }

Result<std::unique_ptr<ControlServer>> ControlServer::Start(ControlServerOptions options,
                                                            std::map<std::string, Handler> handlers,
                                                            std::map<std::string, StreamHandler> streams) {
  auto impl = std::make_unique<Impl>(Shared{std::move(options), std::move(handlers), std::move(streams)});
  OCFSGW_RETURN_IF_ERROR(impl->Listen());
  impl->Accept();
  impl->thread = std::thread([impl = impl.get()] {
    pthread_setname_np(pthread_self(), "ocfsgw-control");
    impl->context.run();
  });
  return std::unique_ptr<ControlServer>(new ControlServer(std::move(impl)));
}

void ControlServer::Stop() {
  if (!impl_->thread.joinable()) {
    return;
  }
  struct stat st {};
  const char* path = impl_->shared.options.socket_path.c_str();
  if (lstat(path, &st) == 0 && st.st_dev == impl_->socket_file.st_dev &&
      st.st_ino == impl_->socket_file.st_ino) {
    unlink(path);
  }
  const TimePoint deadline = std::chrono::steady_clock::now() + impl_->shared.options.stream_end_max;
  boost::asio::post(impl_->context, [impl = impl_.get(), deadline] { impl->EndStreams(deadline); });
  impl_->thread.join();
}

}  // namespace ocfsgw::ctl
