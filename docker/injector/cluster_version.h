#pragma once

#include <string>

#include "base/status.h"
#include "docker/injector/json_view.h"

namespace ocfsgw::injector {

/// Of the API server; nodes may be up to three minor versions older.
struct ClusterVersion {
  unsigned major = 0;
  unsigned minor = 0;

  /// Init containers with restartPolicy Always are on by default from 1.29.
  bool HasNativeSidecars() const { return major > 1 || (major == 1 && minor >= 29); }
};

/// What /version says: {"major":"1","minor":"29+",...}.
Result<ClusterVersion> ParseClusterVersion(const Json& version);

/// Asks the API of the cluster this process runs in; tries for half a minute. Errors as of ApiClient.
Result<ClusterVersion> ReadClusterVersion(const std::string& service_account);

}  // namespace ocfsgw::injector
