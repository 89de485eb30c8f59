#pragma once

#include <string>

#include "base/status.h"
#include "docker/injector/json_view.h"

namespace ocfsgw::injector {

struct ApiReply {
  unsigned status = 0;
  Json body;  ///< Null if it was no JSON.

  /// kUnavailable: what the API server said to an attempt to do `what`, for the operator.
  Status Refused(const std::string& what) const;
};

/// Calls the Kubernetes API from a pod with the pod's service account: TLS verified against the account's CA,
/// its token read for each call, since it changes. One connection a call: few are made.
class ApiClient {
 public:
  /// `service_account`: the directory that the kubelet mounts. The address is in the environment.
  /// kInvalidArgument: this is not a pod, or it has no service account.
  static Result<ApiClient> InCluster(const std::string& service_account);

  /// Blocks, for 10 s in each step. `body` null: none. kUnavailable: no answer, or a certificate that is not
  /// the API server's.
  Result<ApiReply> Call(const std::string& method, const std::string& path, const Json& body = {},
                        const std::string& content_type = "application/json") const;

 private:
  ApiClient() = default;
  std::string host_;
  std::string port_;
  std::string ca_file_;
  std::string token_file_;
};

}  // namespace ocfsgw::injector
