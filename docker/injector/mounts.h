#pragma once

#include <string>
#include <vector>

#include "base/status.h"
#include "docker/injector/json_view.h"
#include "docker/injector/volume_choice.h"

namespace ocfsgw::injector {

/// Where sidecars go: into the pod's list `list`, before the container that is number `index` now.
struct Position {
  std::string list;  ///< "initContainers" or "containers".
  size_t index = 0;
};

/// First, but behind a service mesh's proxy: with native sidecars behind the last such proxy that is one too,
/// else behind one that is the first container.
Position SidecarPosition(const Json& pod, bool native);

/// A chosen volume in the containers of the pod.
struct VolumeUse {
  bool read_only = true;  ///< In every container that is to see the gateway's mount.
  bool early = false;     ///< Init containers use it that run before the sidecar: they get it uncached.
};

/// Operations that turn every mount of `volume` in containers that start after `position` into the same one
/// of `mount_volume`: path, subPath, subPathExpr and readOnly kept, propagation HostToContainer.
/// kInvalidArgument, one line for the user: nothing mounts it, two volumes on one path, as a block device,
/// Bidirectional.
Result<VolumeUse> RedirectMounts(const Json& pod, const std::string& volume, const std::string& mount_volume,
                                 const Position& position, Json& patch);

}  // namespace ocfsgw::injector
