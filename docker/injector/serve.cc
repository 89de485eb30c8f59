#include "docker/injector/serve.h"

#include <fmt/format.h>

#include <csignal>

#include "base/log.h"
#include "docker/injector/cluster_version.h"
#include "docker/injector/https_server.h"
#include "docker/injector/tls_files.h"
#include "docker/injector/webhook.h"
#include "fusefs/metrics_exporter.h"

namespace ocfsgw::injector {
namespace {

ExitCode Fail(ExitCode code, const Status& status) {
  fmt::print(stderr, "ocfsgw-injector: {}\n", status.ToString());
  return code;
}

}  // namespace

ExitCode Serve(const CommandLine& line) {
  std::signal(SIGPIPE, SIG_IGN);
  if (const Status status = log::Configure({.level = line.log_level}); !status.ok())
    return Fail(kExitUsage, status);
  TlsFiles tls(line.serve.tls_cert, line.serve.tls_key);
  if (const auto loaded = tls.Refresh(); !loaded.ok()) return Fail(kExitUsage, loaded.status());

  InjectorConfig config = line.config;
  config.native_sidecars = line.native == NativeSidecars::kYes;
  if (line.native == NativeSidecars::kAuto) {
    const auto version = ReadClusterVersion(line.service_account);
    if (!version.ok()) {
      return Fail(version.status().Is(StatusCode::kInvalidArgument) ? kExitUsage : kExitSource,
                  {StatusCode::kUnavailable, fmt::format("--native-sidecars=auto: {}; give yes or no instead",
                                                         version.status().ToString())});
    }
    config.native_sidecars = version->HasNativeSidecars();
    log::Info("Kubernetes {}.{}: {} sidecars", version->major, version->minor,
              config.native_sidecars ? "native" : "classic");
  }

  MetricsRegistry metrics;
  Webhook webhook(config, metrics);
  const auto server = HttpsServer::Listen(line.serve, webhook, tls, metrics);
  if (!server.ok()) return Fail(kExitUsage, server.status());
  std::unique_ptr<fusefs::MetricsExporter> exporter;
  if (!line.serve.metrics.empty()) {
    auto started = fusefs::MetricsExporter::Start(line.serve.metrics, metrics);
    if (!started.ok()) return Fail(kExitUsage, started.status());
    exporter = *std::move(started);
  }
  log::Info("ocfsgw-injector {} at {}, configuration {}", OCFSGW_VERSION, line.serve.listen,
            ConfigHash(config));
  (*server)->Run();
  exporter.reset();
  return kExitDone;
}

}  // namespace ocfsgw::injector
