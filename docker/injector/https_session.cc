#include "docker/injector/https_session.h"

#include <array>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/ssl/stream_base.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/ssl.hpp>
#include <optional>

namespace ocfsgw::injector {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using boost::system::error_code;

constexpr uint32_t kHeaderBytesMax = 16 << 10;
constexpr size_t kBufferBytesMax = 64 << 10;
/// What a client that was refused may still send before the connection is cut; it would not see the answer if
/// that were done while it sends.
constexpr uint64_t kDiscardBytesMax = 64 << 20;

std::string_view View(beast::string_view text) { return {text.data(), text.size()}; }

class Session final : public HttpsSession, public std::enable_shared_from_this<Session> {
  using Step = void (Session::*)(error_code);

  template <typename Function>
  void Post(Function function) {
    asio::dispatch(stream_.get_executor(), [self = shared_from_this(), function] { function(*self); });
  }
  auto Next(Step step) {
    return [self = shared_from_this(), step](error_code error, auto&&...) { (*self.*step)(error); };
  }

 public:
  Session(asio::ip::tcp::socket socket, const SessionShared& shared, std::function<void()> closed)
      : shared_(shared),
        tls_(shared.tls.context()),
        stream_(std::move(socket), *tls_),
        closed_(std::move(closed)) {}
  ~Session() override {
    GiveBack();
    closed_();
  }

  void Run() {
    Post([](Session& self) {
      self.Expire(self.shared_.timeout);
      self.stream_.async_handshake(asio::ssl::stream_base::server, self.Next(&Session::OnHandshake));
    });
  }
  void Stop() override {
    Post([](Session& self) {
      self.stopping_ = true;
      if (self.idle_) self.Cut();
    });
  }
  void Abort() override {
    Post([](Session& self) { self.Cut(); });
  }

 private:
  void Expire(std::chrono::seconds after) { beast::get_lowest_layer(stream_).expires_after(after); }
  void Cut() { beast::get_lowest_layer(stream_).close(); }

  /// Whether `error` ends the connection; it is counted if it was the client's slowness.
  bool Ends(error_code error) {
    if (error == beast::error::timeout) shared_.timeouts.Add();
    return bool{error};
  }

  void OnHandshake(error_code error) {
    if (error) shared_.failed_handshakes.Add();
    if (Ends(error)) return;
    AwaitRequest(shared_.timeout);
  }

  /// Waits for the first byte, which may take long, before the header, which may not.
  void AwaitRequest(std::chrono::seconds patience) {
    if (buffer_.size() > 0) return ReadHeader();
    if (stopping_) return Close();
    idle_ = true;
    Expire(patience);
    stream_.async_read_some(buffer_.prepare(4096), [self = shared_from_this()](error_code error, size_t got) {
      self->OnFirstBytes(error, got);
    });
  }

  void OnFirstBytes(error_code error, size_t got) {
    idle_ = false;
    if (error) return;  // it hung up, or has been idle for long enough
    buffer_.commit(got);
    ReadHeader();
  }

  void ReadHeader() {
    parser_.emplace();
    parser_->header_limit(kHeaderBytesMax);
    parser_->body_limit(shared_.body_bytes_max);
    Expire(shared_.timeout);
    http::async_read_header(stream_, buffer_, *parser_, Next(&Session::OnHeader));
  }

  void OnHeader(error_code error) {
    if (error) return OnUnreadable(error);
    const auto& header = parser_->get();
    auto reply = shared_.webhook.FromHeader(
        {View(header.method_string()), View(header.target()), View(header[http::field::content_type])});
    if (reply) {
      const bool has_body = parser_->chunked() || parser_->content_length().value_or(0) > 0;
      return Send(*std::move(reply), !has_body);
    }
    const uint64_t wanted = parser_->content_length().value_or(shared_.body_bytes_max);
    if (wanted > shared_.body_bytes_max) return OnUnreadable(http::error::body_limit);
    if (!shared_.budget.Take(wanted)) return Send({.status = 503, .body = "too much at a time\n"}, false);
    taken_ = wanted;
    if (beast::iequals(header[http::field::expect], "100-continue")) return SendContinue();
    ReadBody();
  }

  /// curl and others wait for this before they send a large body.
  void SendContinue() {
    continue_.emplace(http::status::continue_, 11);
    Expire(shared_.timeout);
    http::async_write(stream_, *continue_, Next(&Session::OnContinued));
  }
  void OnContinued(error_code error) {
    if (Ends(error)) return;
    ReadBody();
  }

  void ReadBody() {
    Expire(shared_.timeout);
    http::async_read(stream_, buffer_, *parser_, Next(&Session::OnBody));
  }

  void OnBody(error_code error) {
    if (error) return OnUnreadable(error);
    HttpReply reply = shared_.webhook.Mutate(parser_->get().body());
    GiveBack();
    Send(std::move(reply), true);
  }

  /// A request that is none, or beyond the limits.
  void OnUnreadable(error_code error) {
    if (error == http::error::body_limit) {
      return Send({.status = 413,
                   .body = "the body is larger than " + std::to_string(shared_.body_bytes_max) + " bytes\n"},
                  false);
    }
    if (error == http::error::header_limit || error == http::error::buffer_overflow) {
      return Send({.status = 431, .body = "the header is too large\n"}, false);
    }
    const bool malformed = error.category() == make_error_code(http::error::bad_version).category();
    if (malformed && error != http::error::end_of_stream && error != http::error::partial_message) {
      return Send({.status = 400, .body = "not HTTP: " + error.message() + "\n"}, false);
    }
    Ends(error);
  }

  /// `whole`: the request has been read to its end, so that another may follow.
  void Send(HttpReply reply, bool whole) {
    const unsigned version = parser_->is_header_done() ? parser_->get().version() : 11;
    const bool newest = tls_ == shared_.tls.context();
    const bool keep = whole && newest && !stopping_ && parser_->is_header_done() && parser_->keep_alive();
    response_.emplace(static_cast<http::status>(reply.status), version);
    response_->set(http::field::content_type, reply.content_type);
    if (!reply.allow.empty()) response_->set(http::field::allow, reply.allow);
    response_->keep_alive(keep);
    response_->body() = std::move(reply.body);
    response_->prepare_payload();
    whole_ = whole;
    Expire(shared_.timeout);
    http::async_write(stream_, *response_, Next(&Session::OnSent));
  }

  void OnSent(error_code error) {
    GiveBack();
    if (Ends(error)) return;
    if (response_->keep_alive()) return AwaitRequest(shared_.idle);
    Close();
  }

  void Close() {
    Expire(shared_.timeout);
    if (!whole_) return Discard();
    stream_.async_shutdown(Next(&Session::OnShutDown));
  }
  void OnShutDown(error_code) { Cut(); }

  /// Reads what the client still sends, within the time that Close has set for all of it.
  void Discard() {
    stream_.async_read_some(asio::buffer(scratch_),
                            [self = shared_from_this()](error_code error, size_t got) {
                              self->discarded_ += got;
                              if (error || self->discarded_ > kDiscardBytesMax) return self->Cut();
                              self->Discard();
                            });
  }

  void GiveBack() {
    shared_.budget.GiveBack(taken_);
    taken_ = 0;
  }

  const SessionShared& shared_;
  const TlsFiles::Context tls_;  // before stream_, which refers to it
  beast::ssl_stream<beast::tcp_stream> stream_;
  const std::function<void()> closed_;
  beast::flat_buffer buffer_{kBufferBytesMax};
  std::optional<http::request_parser<http::string_body>> parser_;
  std::optional<http::response<http::empty_body>> continue_;
  std::optional<http::response<http::string_body>> response_;
  std::array<char, 4096> scratch_;
  uint64_t discarded_ = 0;
  uint64_t taken_ = 0;  ///< Of the budget.
  bool idle_ = false;
  bool stopping_ = false;
  bool whole_ = true;
};

}  // namespace

std::shared_ptr<HttpsSession> HttpsSession::Start(asio::ip::tcp::socket socket, const SessionShared& shared,
                                                  std::function<void()> closed) {
  auto session = std::make_shared<Session>(std::move(socket), shared, std::move(closed));
  session->Run();
  return session;
}

}  // namespace ocfsgw::injector
