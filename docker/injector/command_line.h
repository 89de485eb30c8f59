#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "base/log.h"
#include "base/status.h"
#include "docker/injector/config.h"

namespace ocfsgw::injector {

enum class NativeSidecars { kAuto, kYes, kNo };

struct ServeOptions {
  std::string listen = "0.0.0.0:8443";  ///< ADDR:PORT, IPv6 in brackets.
  std::string tls_cert;                 ///< PEM, the certificate and what signed it.
  std::string tls_key;                  ///< PEM.
  std::string metrics;                  ///< ADDR:PORT of plain HTTP, or empty.
  unsigned threads = 2;
  unsigned connections_max = 256;
  uint64_t body_bytes_max = 4ULL << 20;
  std::chrono::seconds timeout{
      10};  ///< For a TLS handshake, a request's header, its body, an answer; also idle.
  std::chrono::seconds drain{20};  ///< After SIGTERM: for requests under way.
};

struct BootstrapOptions {
  std::string name_space;
  std::string service;
  std::string secret;
  std::string webhook;  ///< Name of the MutatingWebhookConfiguration.
  std::string out_dir;  ///< Not empty: write the files there and do not ask the API.
  unsigned days = 365;
  unsigned renew_days = 30;
};

struct ReviewOptions {
  std::string file;  ///< "-": standard input.
  bool patched = false;
  std::string name_space = "default";
};

enum class Command { kServe, kBootstrap, kReview };

struct CommandLine {
  Command command = Command::kServe;
  InjectorConfig config;  ///< `native_sidecars` is to be set from `native` by the caller.
  NativeSidecars native = NativeSidecars::kAuto;
  log::Level log_level = log::Level::kInfo;
  /// Where the kubelet mounts the token and the CA for calls to the API.
  std::string service_account = "/var/run/secrets/kubernetes.io/serviceaccount";
  ServeOptions serve;
  BootstrapOptions bootstrap;
  ReviewOptions review;
  /// Not empty (--help, --version): print it to stdout and exit with 0; the rest then means nothing.
  std::string text;
};

/// Parses `ocfsgw-injector serve|bootstrap|review ...`. Errors: kInvalidArgument with one line for the user.
Result<CommandLine> ParseCommandLine(int argc, const char* const* argv);

}  // namespace ocfsgw::injector
