#include "docker/injector/bootstrap.h"

#include <fmt/format.h>

#include <chrono>

#include "docker/injector/api_client.h"
#include "docker/injector/base64.h"
#include "docker/injector/certificate_files.h"
#include "docker/injector/certificates.h"

namespace ocfsgw::injector {
namespace {

constexpr int kTries = 8;
constexpr unsigned kOk = 200;
constexpr unsigned kCreated = 201;
constexpr unsigned kNotFound = 404;
constexpr unsigned kConflict = 409;
constexpr unsigned kUnprocessable = 422;  // a "test" in a JSONPatch that fails

ExitCode Fail(ExitCode code, std::string_view why) {
  fmt::print(stderr, "ocfsgw-injector: {}\n", why);
  return code;
}

void Say(std::string_view what) { fmt::print(stderr, "ocfsgw-injector: {}\n", what); }

/// The names under which the API server and people may call the Service.
std::vector<std::string> NamesOf(const BootstrapOptions& options) {
  const std::string in_namespace = fmt::format("{}.{}", options.service, options.name_space);
  return {options.service, in_namespace, in_namespace + ".svc", in_namespace + ".svc.cluster.local"};
}

SystemTime RenewalTime(const BootstrapOptions& options) {
  return std::chrono::system_clock::now() + std::chrono::hours(24) * options.renew_days;
}

/// A new set that clients of the old one will trust, too.
Result<CertificateSet> Renewed(const BootstrapOptions& options, const CertificateSet& old) {
  OCFSGW_ASSIGN_OR_RETURN(CertificateSet set,
                          MakeCertificates(NamesOf(options), std::chrono::system_clock::now(), options.days));
  set.ca += FirstCertificate(old.ca);
  return set;
}

/// The steps against the API. Each returns kBusy if somebody else has changed the object meanwhile.
class ClusterBootstrap {
 public:
  ClusterBootstrap(const BootstrapOptions& options, ApiClient client)
      : options_(options),
        client_(std::move(client)),
        secrets_(fmt::format("/api/v1/namespaces/{}/secrets", options.name_space)),
        webhook_path_(fmt::format("/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/{}",
                                  options.webhook)) {}

  Status Run() {
    for (int i = 0; i < kTries; ++i) {
      const Status status = TryOnce();
      if (!status.Is(StatusCode::kBusy)) return status;
    }
    return {StatusCode::kBusy,
            "others have changed the Secret or the webhook configuration at every attempt"};
  }

 private:
  Status TryOnce() {
    OCFSGW_ASSIGN_OR_RETURN(const ApiReply secret, client_.Call("GET", SecretPath()));
    if (secret.status != kOk && secret.status != kNotFound) {
      return secret.Refused(fmt::format("cannot read Secret {}", options_.secret));
    }
    const CertificateSet old = SetOf(secret.body);
    const Status good = CheckCertificates(old, NamesOf(options_), RenewalTime(options_));
    if (good.ok()) return TrustCa(old.ca);
    OCFSGW_ASSIGN_OR_RETURN(const CertificateSet renewed, Renewed(options_, old));
    if (secret.status == kNotFound) {
      OCFSGW_RETURN_IF_ERROR(CreateSecret(renewed));
    } else {
      Say(fmt::format("new certificates, since {}", good.ToString()));
      // First the trust, then what is to be trusted: replicas read the Secret when the kubelet brings it.
      OCFSGW_RETURN_IF_ERROR(TrustCa(renewed.ca));
      OCFSGW_RETURN_IF_ERROR(ReplaceSecret(secret.body, renewed));
    }
    return TrustCa(renewed.ca);
  }

  std::string SecretPath() const { return secrets_ + "/" + options_.secret; }

  static CertificateSet SetOf(const Json& secret) {
    const Json& data = Member(secret, "data");
    return {Base64Decoded(Text(data, "tls.crt")), Base64Decoded(Text(data, "tls.key")),
            Base64Decoded(Text(data, "ca.crt"))};
  }
  static Json DataOf(const CertificateSet& set) {
    return {{"tls.crt", Base64(set.cert)}, {"tls.key", Base64(set.key)}, {"ca.crt", Base64(set.ca)}};
  }

  Status CreateSecret(const CertificateSet& set) const {
    const Json secret = {{"apiVersion", "v1"},
                         {"kind", "Secret"},
                         {"type", "kubernetes.io/tls"},
                         {"metadata", {{"name", options_.secret}, {"namespace", options_.name_space}}},
                         {"data", DataOf(set)}};
    return Write("POST", secrets_, secret, "application/json", fmt::format("Secret {}", options_.secret));
  }

  Status ReplaceSecret(Json secret, const CertificateSet& set) const {
    secret["data"] = DataOf(set);  // with the resourceVersion that was read: 409 if it is no longer that
    return Write("PUT", SecretPath(), secret, "application/json", fmt::format("Secret {}", options_.secret));
  }

  /// Every webhook of the configuration that calls our Service gets `ca`, if it does not have it.
  Status TrustCa(const std::string& ca) const {
    OCFSGW_ASSIGN_OR_RETURN(const ApiReply configuration, client_.Call("GET", webhook_path_));
    const std::string what = fmt::format("MutatingWebhookConfiguration {}", options_.webhook);
    if (configuration.status != kOk) return configuration.Refused("cannot read " + what);
    const std::string bundle = Base64(ca);
    Json patch = Json::array();
    size_t ours = 0;
    const Json& webhooks = List(configuration.body, "webhooks");
    for (size_t i = 0; i < webhooks.size(); ++i) {
      const Json& client = Member(webhooks[i], "clientConfig");
      const Json& service = Member(client, "service");
      if (Text(service, "name") != options_.service || Text(service, "namespace") != options_.name_space)
        continue;
      ++ours;
      if (Text(client, "caBundle") == bundle) continue;
      patch.push_back(
          {{"op", "add"}, {"path", fmt::format("/webhooks/{}/clientConfig/caBundle", i)}, {"value", bundle}});
    }
    if (ours == 0) {
      return {StatusCode::kInvalidArgument,
              fmt::format("{} has no webhook that calls Service {} of namespace {}", what, options_.service,
                          options_.name_space)};
    }
    if (patch.empty()) return Status::Ok();
    const Json& version = Member(Member(configuration.body, "metadata"), "resourceVersion");
    patch.insert(patch.begin(),
                 Json{{"op", "test"}, {"path", "/metadata/resourceVersion"}, {"value", version}});
    return Write("PATCH", webhook_path_, patch, "application/json-patch+json", what);
  }

  Status Write(const std::string& method, const std::string& path, const Json& body,
               const std::string& content_type, const std::string& what) const {
    OCFSGW_ASSIGN_OR_RETURN(const ApiReply reply, client_.Call(method, path, body, content_type));
    if (reply.status == kConflict || (method == "PATCH" && reply.status == kUnprocessable)) {
      return {StatusCode::kBusy, what};
    }
    if (reply.status != kOk && reply.status != kCreated) return reply.Refused("cannot write " + what);
    Say(fmt::format("{} {}", what, method == "POST" ? "made" : "changed"));
    return Status::Ok();
  }

  const BootstrapOptions& options_;
  const ApiClient client_;
  const std::string secrets_;
  const std::string webhook_path_;
};

ExitCode CodeOf(const Status& status) {
  switch (status.code()) {
    case StatusCode::kOk:
      return kExitDone;
    case StatusCode::kInvalidArgument:
      return kExitUsage;
    case StatusCode::kUnavailable:
      return kExitSource;
    default:
      return kExitRuntime;
  }
}

Status BootstrapFiles(const BootstrapOptions& options) {
  const CertificateSet old = ReadCertificateFiles(options.out_dir);
  const Status good = CheckCertificates(old, NamesOf(options), RenewalTime(options));
  if (good.ok()) return good;
  OCFSGW_ASSIGN_OR_RETURN(const CertificateSet renewed, Renewed(options, old));
  OCFSGW_RETURN_IF_ERROR(WriteCertificateFiles(options.out_dir, renewed));
  Say(fmt::format("{}: certificates made", options.out_dir));
  return Status::Ok();
}

Status BootstrapCluster(const BootstrapOptions& options, const std::string& service_account) {
  OCFSGW_ASSIGN_OR_RETURN(ApiClient client, ApiClient::InCluster(service_account));
  return ClusterBootstrap(options, std::move(client)).Run();
}

}  // namespace

ExitCode Bootstrap(const BootstrapOptions& options, const std::string& service_account) {
  const Status status =
      options.out_dir.empty() ? BootstrapCluster(options, service_account) : BootstrapFiles(options);
  return status.ok() ? kExitDone : Fail(CodeOf(status), status.ToString());
}

}  // namespace ocfsgw::injector
