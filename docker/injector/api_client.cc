#include "docker/injector/api_client.h"

#include <fmt/format.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/ssl.hpp>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <iterator>

#include "docker/injector/bounded_json.h"

namespace ocfsgw::injector {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
namespace ssl = asio::ssl;
using boost::system::error_code;
using Stream = beast::ssl_stream<beast::tcp_stream>;

constexpr std::chrono::seconds kStep{10};
constexpr uint64_t kAnswerBytesMax = 8 << 20;

/// Runs one asynchronous operation to its end, within kStep.
template <typename Operation>
error_code Await(asio::io_context& context, Stream& stream, Operation start) {
  error_code result;
  beast::get_lowest_layer(stream).expires_after(kStep);
  start([&result](error_code error, auto&&...) { result = error; });
  context.restart();
  context.run();
  return result;
}

bool IsAddress(const std::string& host) {
  error_code error;
  asio::ip::make_address(host, error);
  return !error;
}

std::string ReadToken(const std::string& file) {
  std::ifstream in(file);
  std::string token{std::istreambuf_iterator<char>(in), {}};
  while (!token.empty() && (token.back() == '\n' || token.back() == '\r' || token.back() == ' ')) {
    token.pop_back();
  }
  return token;
}

}  // namespace

Status ApiReply::Refused(const std::string& what) const {
  const std::string& said = Text(body, "message");
  return {StatusCode::kUnavailable,
          fmt::format("{}: the API server answered {}{}{}", what, status, said.empty() ? "" : ": ", said)};
}

Result<ApiClient> ApiClient::InCluster(const std::string& service_account) {
  const char* host = std::getenv("KUBERNETES_SERVICE_HOST");  // NOLINT(concurrency-mt-unsafe)
  const char* port = std::getenv("KUBERNETES_SERVICE_PORT");  // NOLINT(concurrency-mt-unsafe)
  if (host == nullptr || port == nullptr) {
    return Status(StatusCode::kInvalidArgument,
                  "not in a pod: KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT are not set");
  }
  ApiClient client;
  client.host_ = host;
  client.port_ = port;
  client.ca_file_ = service_account + "/ca.crt";
  client.token_file_ = service_account + "/token";
  if (ReadToken(client.token_file_).empty()) {
    return Status(StatusCode::kInvalidArgument,
                  fmt::format("{}: there is no token: the pod needs a service account "
                              "(automountServiceAccountToken)",
                              client.token_file_));
  }
  return client;
}

Result<ApiReply> ApiClient::Call(const std::string& method, const std::string& path, const Json& body,
                                 const std::string& content_type) const {
  const auto fail = [&](std::string_view why) {
    return Status(StatusCode::kUnavailable, fmt::format("the API server at {}:{}: {}", host_, port_, why));
  };
  error_code error;
  ssl::context tls(ssl::context::tls_client);
  tls.set_options(ssl::context::no_tlsv1 | ssl::context::no_tlsv1_1, error);
  tls.load_verify_file(ca_file_, error);
  if (error) return fail(fmt::format("{}: not certificates in PEM", ca_file_));
  tls.set_verify_mode(ssl::verify_peer, error);

  asio::io_context context(1);
  Stream stream(context, tls);
  stream.set_verify_callback(ssl::host_name_verification(host_), error);
  if (!IsAddress(host_)) SSL_set_tlsext_host_name(stream.native_handle(), host_.c_str());
  const auto endpoints = asio::ip::tcp::resolver(context).resolve(host_, port_, error);
  if (error) return fail(error.message());
  error = Await(context, stream, [&](auto done) {
    beast::get_lowest_layer(stream).async_connect(endpoints, std::move(done));
  });
  if (error) return fail(error.message());
  error = Await(context, stream,
                [&](auto done) { stream.async_handshake(ssl::stream_base::client, std::move(done)); });
  if (error) return fail(fmt::format("TLS: {}", error.message()));

  http::request<http::string_body> request(http::string_to_verb(method), path, 11);
  request.set(http::field::host, host_);
  request.set(http::field::user_agent, "ocfsgw-injector/" OCFSGW_VERSION);
  request.set(http::field::accept, "application/json");
  request.set(http::field::authorization, "Bearer " + ReadToken(token_file_));
  request.keep_alive(false);
  if (!body.is_null()) {
    request.set(http::field::content_type, content_type);
    request.body() = body.dump();
  }
  request.prepare_payload();
  error = Await(context, stream, [&](auto done) { http::async_write(stream, request, std::move(done)); });
  if (error) return fail(error.message());
  beast::flat_buffer buffer;
  http::response_parser<http::string_body> answer;
  answer.body_limit(kAnswerBytesMax);
  error =
      Await(context, stream, [&](auto done) { http::async_read(stream, buffer, answer, std::move(done)); });
  if (error) return fail(error.message());
  ApiReply reply;
  reply.status = answer.get().result_int();
  if (auto parsed = ParseBounded(answer.get().body()); parsed.ok()) reply.body = *std::move(parsed);
  return reply;
}

}  // namespace ocfsgw::injector
