#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "docker/injector/annotations.h"
#include "docker/injector/config.h"

namespace ocfsgw::injector {

/// What one sidecar mounts and may take.
struct MountPlan {
  std::string options;  ///< The argument of -o.
  bool dlmfs = true;    ///< Whether it needs the node's dlmfs.
  uint64_t cache_bytes = 0;
  std::chrono::seconds stop_time{0};  ///< How long the gateway may take to end after the applications have.
  uint16_t metrics_port = 0;          ///< 0: none.
  bool metrics_reachable = true;      ///< From outside the pod.
  Json resources;                     ///< ResourceRequirements.
};

/// Options and resources of the sidecar for `volume`, from what the pod wishes, what the operator has set for
/// all, and what follows: cache_size= and memory= from the limits, ro and fast=/ where `read_only`. The
/// options are checked by ocfsgw's own parser. kInvalidArgument: one line for the user.
/// `app_grace`: what the pod gives its containers to end. A classic sidecar gets SIGTERM together with them,
/// and waits for them by grace_s=.
Result<MountPlan> PlanMount(const std::string& volume, bool read_only, std::chrono::seconds app_grace,
                            const SidecarWish& wish, const InjectorConfig& config);

/// Whether ocfsgw takes `elements` for a mount in a sidecar. `name` is for the message.
Status CheckOptions(std::string_view name, const std::vector<std::string>& elements);

}  // namespace ocfsgw::injector
