#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "docker/injector/config.h"
#include "docker/injector/json_view.h"

namespace ocfsgw::injector {

/// What is to be changed in a pod.
struct PodPatch {
  Json operations = Json::array();  ///< RFC 6902; empty: nothing.
  std::vector<std::string>
      warnings;  ///< For the user who makes the pod; at most 120 bytes each, as the API wants.
};

/// A new name for a directory on a node, never given before: letters and digits.
using IdSource = std::function<std::string()>;

/// The patch that gives `pod`, made in namespace `name_space`, its sidecars, if it asks for them and does not
/// have them; a sidecar that another webhook has robbed of its restartPolicy gets that back. A pure function
/// but for `next_id`. kInvalidArgument: the pod asks for what cannot be; one line that tells its user what to
/// change. A pod that does not ask is never refused.
Result<PodPatch> PatchPod(const Json& pod, std::string_view name_space, const InjectorConfig& config,
                          const IdSource& next_id);

/// Of what the operator has set, for annotation ocfsgw.io/config-hash: 16 hex digits.
std::string ConfigHash(const InjectorConfig& config);

}  // namespace ocfsgw::injector
