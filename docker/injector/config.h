#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace ocfsgw::injector {

/// What the operator decided for all pods; immutable while the injector runs. The command line checks it, so
/// that every option list in it is one that `ocfsgw` takes.
struct InjectorConfig {
  std::string image = "ocfsgw:" OCFSGW_VERSION;
  std::string image_pull_policy;  ///< Always, IfNotPresent, Never, or empty: the API's own default.
  /// Sidecars are init containers with restartPolicy Always (Kubernetes 1.29), not ordinary containers.
  bool native_sidecars = true;
  /// Mount options of every sidecar, elements of a -o list; the pod's own come before them.
  std::vector<std::string> options;
  /// Claims known to be OCFS2: "NAME" in any namespace, or "NAMESPACE/NAME".
  std::vector<std::string> ocfs2_claims;
  /// Directories of the nodes known to be OCFS2, or below it: absolute, without a slash at the end.
  std::vector<std::string> ocfs2_paths;
  std::string mount_root = "/run/ocfsgw/pods";       ///< On the nodes: where sidecars mount.
  std::string cache_root = "/var/lib/ocfsgw/cache";  ///< On the nodes: what outlives pods.
  std::string dlmfs_path = "/dlm";                   ///< On the nodes.
  uint64_t cache_bytes = 4ULL << 30;                 ///< Where neither options nor limits say it.
};

}  // namespace ocfsgw::injector
