#include "docker/injector/cluster_version.h"

#include <charconv>
#include <chrono>
#include <thread>

#include "docker/injector/api_client.h"

namespace ocfsgw::injector {
namespace {

constexpr int kTries = 6;
constexpr std::chrono::seconds kBetweenTries{5};

/// The number that `text` begins with: "29+" is a vendor's 29.
bool ParseLeading(const std::string& text, unsigned& number) {
  return std::from_chars(text.data(), text.data() + text.size(), number).ec == std::errc();
}

}  // namespace

Result<ClusterVersion> ParseClusterVersion(const Json& version) {
  ClusterVersion parsed;
  if (ParseLeading(Text(version, "major"), parsed.major) &&
      ParseLeading(Text(version, "minor"), parsed.minor)) {
    return parsed;
  }
  return Status(StatusCode::kUnavailable, "the API server's /version has no major and minor number");
}

Result<ClusterVersion> ReadClusterVersion(const std::string& service_account) {
  OCFSGW_ASSIGN_OR_RETURN(ApiClient client, ApiClient::InCluster(service_account));
  Status last;
  for (int i = 0; i < kTries; ++i) {
    if (i > 0) std::this_thread::sleep_for(kBetweenTries);
    const auto reply = client.Call("GET", "/version");
    if (reply.ok() && reply->status == 200) return ParseClusterVersion(reply->body);
    last = reply.ok() ? reply->Refused("cannot read the API server's version") : reply.status();
  }
  return last;
}

}  // namespace ocfsgw::injector
