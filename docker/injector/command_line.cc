#include "docker/injector/command_line.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>

#include "docker/injector/mount_plan.h"
#include "fusefs/option_values.h"

namespace ocfsgw::injector {
namespace {

constexpr const char* kFooter =
    "Exit status: 0 done, 1 usage or configuration, 2 the input or the Kubernetes API cannot be used, 4 "
    "failed "
    "while running;\n"
    "review: 2 also when the pod is refused.";

/// What the user typed, before it is checked.
struct Raw {
  std::string native = "auto";
  std::string options;
  std::string cache_size = "4G";
  std::string body_max = "4M";
  std::string log_level = "info";
  unsigned timeout_s = 10;
  unsigned drain_s = 20;
};

void AddPatchOptions(CLI::App& app, InjectorConfig& config, Raw& raw) {
  app.add_option("--image", config.image, "image of the sidecars; default ocfsgw:" OCFSGW_VERSION)
      ->option_text("IMAGE");
  app.add_option("--image-pull-policy", config.image_pull_policy, "default: the API server's")
      ->option_text("POLICY")
      ->check(CLI::IsMember({"Always", "IfNotPresent", "Never"}));
  app.add_option(
         "--native-sidecars", raw.native,
         "whether sidecars are init containers that go on (Kubernetes 1.29 and later); auto: ask the API "
         "at the start (review: yes)")
      ->option_text("auto|yes|no")
      ->check(CLI::IsMember({"auto", "yes", "no"}));
  app.add_option("--options", raw.options,
                 "mount options of all sidecars, as behind ocfsgw's -o; what a pod asks for goes before them")
      ->option_text("OPTIONS");
  app.add_option("--ocfs2-claim", config.ocfs2_claims,
                 "a claim that is OCFS2: pods that mount it need only ocfsgw.io/inject; may be repeated")
      ->option_text("[NAMESPACE/]NAME")
      ->allow_extra_args(false);
  app.add_option(
         "--ocfs2-path", config.ocfs2_paths,
         "a directory of the nodes that is OCFS2, the same for hostPath volumes in it; may be repeated")
      ->option_text("DIR")
      ->allow_extra_args(false);
  app.add_option("--cache-size", raw.cache_size,
                 "cache_size= where neither the pod's options nor its limits say it; default 4G")
      ->option_text("SIZE");
  app.add_option("--mount-root", config.mount_root,
                 "directory of the nodes for the mounts; default /run/ocfsgw/pods")
      ->option_text("DIR");
  app.add_option("--cache-root", config.cache_root,
                 "directory of the nodes for the caches; default /var/lib/ocfsgw/cache")
      ->option_text("DIR");
  app.add_option("--dlmfs", config.dlmfs_path, "where the nodes have mounted dlmfs; default /dlm")
      ->option_text("DIR");
}

void AddServe(CLI::App& app, ServeOptions& serve, Raw& raw) {
  app.add_option("--listen", serve.listen, "HTTPS: /mutate, /healthz, /readyz; default 0.0.0.0:8443")
      ->option_text("ADDR:PORT");
  app.add_option("--tls-cert", serve.tls_cert, "certificate chain, PEM; read again when the file changes")
      ->option_text("FILE")
      ->required();
  app.add_option("--tls-key", serve.tls_key, "its private key, PEM")->option_text("FILE")->required();
  app.add_option("--metrics", serve.metrics, "serve Prometheus metrics at http://ADDR:PORT/metrics")
      ->option_text("ADDR:PORT");
  app.add_option("--threads", serve.threads, "1 to 64; default 2")
      ->option_text("N")
      ->check(CLI::Range(1, 64));
  app.add_option("--max-connections", serve.connections_max,
                 "more wait in the listening queue; 1 to 10000, default 256")
      ->option_text("N")
      ->check(CLI::Range(1, 10'000));
  app.add_option("--max-body", raw.body_max, "larger requests are refused; 64K to 64M, default 4M")
      ->option_text("SIZE");
  app.add_option("--timeout", raw.timeout_s,
                 "for a handshake, a request, an answer; idle connections; 1 to 300, default 10")
      ->option_text("SECONDS")
      ->check(CLI::Range(1, 300));
  app.add_option("--drain", raw.drain_s,
                 "after SIGTERM, how long requests under way may take; 0 to 300, default 20")
      ->option_text("SECONDS")
      ->check(CLI::Range(0, 300));
}

void AddBootstrap(CLI::App& app, BootstrapOptions& bootstrap) {
  app.add_option("--namespace", bootstrap.name_space, "namespace of the injector")
      ->option_text("NS")
      ->required();
  app.add_option("--service", bootstrap.service, "its Service, for the certificate's names")
      ->option_text("NAME")
      ->required();
  app.add_option("--secret", bootstrap.secret,
                 "Secret (kubernetes.io/tls) to write: tls.crt, tls.key, ca.crt")
      ->option_text("NAME");
  app.add_option("--webhook", bootstrap.webhook, "MutatingWebhookConfiguration whose caBundle is to be set")
      ->option_text("NAME");
  app.add_option("--out", bootstrap.out_dir, "only write tls.crt, tls.key and ca.crt to DIR; no API is asked")
      ->option_text("DIR");
  app.add_option("--days", bootstrap.days, "life of the certificates, 1 to 3650; default 365")
      ->option_text("N")
      ->check(CLI::Range(1, 3650));
  app.add_option("--renew-before", bootstrap.renew_days,
                 "make new ones when fewer days are left; default 30, less than --days")
      ->option_text("DAYS")
      ->check(CLI::Range(0, 3649));
}

void AddReview(CLI::App& app, ReviewOptions& review) {
  app.add_option("FILE", review.file,
                 "a pod, what has a pod template, or an AdmissionReview, as JSON; - is standard input")
      ->required();
  app.add_flag("--patched", review.patched, "print the patched pod rather than the response");
  app.add_option("--namespace", review.name_space, "namespace of a pod that names none; default: default")
      ->option_text("NS");
}

Status CheckDirectory(std::string_view name, std::string& path) {
  while (path.size() > 1 && path.ends_with('/')) {
    path.pop_back();
  }
  if (!path.starts_with('/') || path.size() == 1 || (path + "/").find("/../") != std::string::npos) {
    return Refuse(fmt::format("{} {}: not an absolute path below / without '..'", name, path));
  }
  return Status::Ok();
}

Status CheckPatchOptions(CommandLine& line, const Raw& raw) {
  InjectorConfig& config = line.config;
  line.native = raw.native == "auto"  ? NativeSidecars::kAuto
                : raw.native == "yes" ? NativeSidecars::kYes
                                      : NativeSidecars::kNo;
  if (config.image.empty()) return Refuse("--image: is empty");
  OCFSGW_RETURN_IF_ERROR(CheckDirectory("--mount-root", config.mount_root));
  OCFSGW_RETURN_IF_ERROR(CheckDirectory("--cache-root", config.cache_root));
  OCFSGW_RETURN_IF_ERROR(CheckDirectory("--dlmfs", config.dlmfs_path));
  for (std::string& path : config.ocfs2_paths) {
    OCFSGW_RETURN_IF_ERROR(CheckDirectory("--ocfs2-path", path));
  }
  OCFSGW_ASSIGN_OR_RETURN(config.cache_bytes, fusefs::ParseSize("--cache-size", raw.cache_size, 16ULL << 20));
  OCFSGW_ASSIGN_OR_RETURN(config.options, ParseOptionList("--options", raw.options));
  OCFSGW_RETURN_IF_ERROR(CheckOptions("--options", config.options));
  return Status::Ok();
}

Status CheckServe(ServeOptions& serve, const Raw& raw) {
  OCFSGW_ASSIGN_OR_RETURN(serve.listen, fusefs::ParseListenAddress("--listen", serve.listen));
  if (!serve.metrics.empty()) {
    OCFSGW_ASSIGN_OR_RETURN(serve.metrics, fusefs::ParseListenAddress("--metrics", serve.metrics));
  }
  OCFSGW_ASSIGN_OR_RETURN(serve.body_bytes_max,
                          fusefs::ParseSize("--max-body", raw.body_max, 64ULL << 10, 64ULL << 20));
  serve.timeout = std::chrono::seconds(raw.timeout_s);
  serve.drain = std::chrono::seconds(raw.drain_s);
  return Status::Ok();
}

/// Names go into paths of the API and into certificates.
Status CheckName(std::string_view option, std::string_view name) {
  constexpr size_t kNameBytesMax = 253;
  const bool good =
      name.size() <= kNameBytesMax && name.find("..") == std::string_view::npos &&
      name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-.") == std::string_view::npos;
  return good ? Status::Ok() : Refuse(fmt::format("{} {}: not a name of Kubernetes", option, name));
}

Status CheckBootstrap(const BootstrapOptions& bootstrap) {
  OCFSGW_RETURN_IF_ERROR(CheckName("--namespace", bootstrap.name_space));
  OCFSGW_RETURN_IF_ERROR(CheckName("--service", bootstrap.service));
  OCFSGW_RETURN_IF_ERROR(CheckName("--secret", bootstrap.secret));
  OCFSGW_RETURN_IF_ERROR(CheckName("--webhook", bootstrap.webhook));
  if (bootstrap.renew_days >= bootstrap.days) {
    return Refuse("--renew-before: has to be less than --days, or each run would make new certificates");
  }
  const bool files = !bootstrap.out_dir.empty();
  if (files && !(bootstrap.secret.empty() && bootstrap.webhook.empty())) {
    return Refuse("--out asks no API: leave --secret and --webhook out, or --out");
  }
  if (!files && (bootstrap.secret.empty() || bootstrap.webhook.empty())) {
    return Refuse("--secret and --webhook are needed, or --out to write files only");
  }
  return Status::Ok();
}

}  // namespace

Result<CommandLine> ParseCommandLine(int argc, const char* const* argv) {
  CommandLine line;
  Raw raw;
  CLI::App app("Admission webhook that gives pods a cached OCFS2 volume by a sidecar.", "ocfsgw-injector");
  app.set_version_flag("-V,--version", "ocfsgw-injector " OCFSGW_VERSION);
  app.set_help_all_flag("--help-all", "this, and the options of all commands");
  app.footer(kFooter);
  app.require_subcommand(1);
  app.fallthrough();
  app.add_option("--log-level", raw.log_level, "debug, info, warning or error; default info")
      ->option_text("LEVEL");
  app.add_option(
         "--service-account", line.service_account,
         "directory with token and ca.crt for calls to the API; default where the kubelet mounts them")
      ->option_text("DIR");
  CLI::App* serve = app.add_subcommand("serve", "answer the API server");
  CLI::App* bootstrap = app.add_subcommand(
      "bootstrap", "make a CA and a certificate, put them into the Secret and the webhook configuration");
  CLI::App* review = app.add_subcommand("review", "print what would be answered for a pod");
  AddServe(*serve, line.serve, raw);
  AddPatchOptions(*serve, line.config, raw);
  AddBootstrap(*bootstrap, line.bootstrap);
  AddReview(*review, line.review);
  AddPatchOptions(*review, line.config, raw);
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForVersion&) {
    line.text = "ocfsgw-injector " OCFSGW_VERSION "\n";
    return line;
  } catch (const CLI::CallForAllHelp&) {
    line.text = app.help("", CLI::AppFormatMode::All);
    return line;
  } catch (const CLI::CallForHelp&) {
    line.text = app.help();
    return line;
  } catch (const CLI::ParseError& error) {
    return Refuse(fmt::format("{} (ocfsgw-injector --help-all shows how)", error.what()));
  }
  const auto level = log::ParseLevel(raw.log_level);
  if (!level.ok()) {
    return Refuse(fmt::format("--log-level {}: not one of debug, info, warning, error", raw.log_level));
  }
  line.log_level = *level;
  if (bootstrap->parsed()) {
    line.command = Command::kBootstrap;
    OCFSGW_RETURN_IF_ERROR(CheckBootstrap(line.bootstrap));
    return line;
  }
  OCFSGW_RETURN_IF_ERROR(CheckPatchOptions(line, raw));
  if (review->parsed()) {
    line.command = Command::kReview;
  } else {
    OCFSGW_RETURN_IF_ERROR(CheckServe(line.serve, raw));
  }
  return line;
}

}  // namespace ocfsgw::injector
