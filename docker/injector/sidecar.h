#pragma once

#include <string>

#include "docker/injector/config.h"
#include "docker/injector/json_view.h"
#include "docker/injector/mount_plan.h"

namespace ocfsgw::injector {

/// What distinguishes one sidecar of a pod from the others.
struct SidecarParts {
  std::string name;
  std::string image;
  std::string volume;        ///< The pod's own, to be cached.
  std::string pod_volume;    ///< Holds the directory in which the gateway mounts.
  std::string mount_volume;  ///< That directory.
  std::string cache_volume;
  MountPlan plan;
};

/// The container. `confined`: the pod sets an AppArmor profile for all containers.
Json SidecarContainer(const SidecarParts& parts, const InjectorConfig& config, bool confined);

/// A hostPath volume.
Json HostPathVolume(std::string_view name, const std::string& path, std::string_view type);

}  // namespace ocfsgw::injector
