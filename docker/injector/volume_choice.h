#pragma once

#include <string>
#include <vector>

#include "base/status.h"
#include "docker/injector/annotations.h"
#include "docker/injector/config.h"
#include "docker/injector/json_view.h"

namespace ocfsgw::injector {

/// A volume of the pod that gets a gateway.
struct ChosenVolume {
  std::string name;
  std::string
      cache_name;  ///< Directory for its cache on a node, the same for all pods with this claim or path.
};

/// The volumes that `wish` names or, if it names none, those that the operator has marked. kInvalidArgument,
/// one line for the user: there is none of that name, or it cannot be OCFS2.
Result<std::vector<ChosenVolume>> ChooseVolumes(const Json& pod, std::string_view name_space,
                                                const SidecarWish& wish, const InjectorConfig& config);

}  // namespace ocfsgw::injector
