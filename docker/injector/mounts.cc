#include "docker/injector/mounts.h"

#include <fmt/format.h>

#include <algorithm>

#include "docker/injector/names.h"

namespace ocfsgw::injector {
namespace {

bool IsMeshProxy(const Json& container) {
  static constexpr std::string_view kProxies[] = {"istio-proxy", "linkerd-proxy", "kuma-sidecar",
                                                  "consul-dataplane"};
  const std::string& name = Text(container, "name");
  return std::find(std::begin(kProxies), std::end(kProxies), name) != std::end(kProxies);
}

std::string WithoutSlash(std::string path) {
  while (path.size() > 1 && path.ends_with('/')) {
    path.pop_back();
  }
  return path;
}

/// Two volumes on one path: of the two, the API server would name only the path.
Status CheckPaths(const Json& container, size_t mine) {
  const Json& mounts = List(container, "volumeMounts");
  const std::string path = WithoutSlash(Text(mounts[mine], "mountPath"));
  for (size_t i = 0; i < mounts.size(); ++i) {
    if (i != mine && WithoutSlash(Text(mounts[i], "mountPath")) == path) {
      return Refuse(
          fmt::format("container {} mounts volumes {} and {} both at {}: give one of them another mountPath",
                      Text(container, "name"), Text(mounts[mine], "name"), Text(mounts[i], "name"), path));
    }
  }
  return Status::Ok();
}

Status CheckContainer(const Json& container, const std::string& volume) {
  for (const Json& device : List(container, "volumeDevices")) {
    if (Text(device, "name") == volume) {
      return Refuse(
          fmt::format("container {} uses volume {} as a block device: only a file system can be cached; take "
                      "it out of annotation {}",
                      Text(container, "name"), volume, kVolume));
    }
  }
  return Status::Ok();
}

Result<Json> Redirected(const Json& container, const Json& mount, const std::string& mount_volume) {
  if (Text(mount, "mountPropagation") == "Bidirectional") {
    return Refuse(
        fmt::format("container {} mounts volume {} with mountPropagation Bidirectional: what it would mount "
                    "there cannot reach the node through the gateway; leave mountPropagation out",
                    Text(container, "name"), Text(mount, "name")));
  }
  Json redirected = mount;
  redirected["name"] = mount_volume;
  // The API takes recursiveReadOnly only without propagation. What is mounted when the container starts it
  // sees all the same, and the gateway's mount is.
  const std::string& recursive = Text(mount, "recursiveReadOnly");
  if (recursive.empty() || recursive == "Disabled") {
    redirected["mountPropagation"] = "HostToContainer";
  } else {
    redirected.erase("mountPropagation");
  }
  return redirected;
}

}  // namespace

Position SidecarPosition(const Json& pod, bool native) {
  Position position{native ? "initContainers" : "containers", 0};
  const Json& containers = List(Member(pod, "spec"), position.list);
  for (size_t i = 0; i < containers.size(); ++i) {
    const bool counts = native ? Text(containers[i], "restartPolicy") == "Always" : i == position.index;
    if (counts && IsMeshProxy(containers[i])) position.index = i + 1;
  }
  return position;
}

Result<VolumeUse> RedirectMounts(const Json& pod, const std::string& volume, const std::string& mount_volume,
                                 const Position& position, Json& patch) {
  VolumeUse use;
  bool redirected_any = false;
  for (const std::string list : {"initContainers", "containers"}) {
    const Json& containers = List(Member(pod, "spec"), list);
    for (size_t i = 0; i < containers.size(); ++i) {
      OCFSGW_RETURN_IF_ERROR(CheckContainer(containers[i], volume));
      const bool early = list == "initContainers" && (position.list != list || i < position.index);
      const Json& mounts = List(containers[i], "volumeMounts");
      for (size_t j = 0; j < mounts.size(); ++j) {
        if (Text(mounts[j], "name") != volume) continue;
        OCFSGW_RETURN_IF_ERROR(CheckPaths(containers[i], j));
        if (early) {
          use.early = true;
          continue;
        }
        OCFSGW_ASSIGN_OR_RETURN(Json value, Redirected(containers[i], mounts[j], mount_volume));
        patch.push_back({{"op", "replace"},
                         {"path", fmt::format("/spec/{}/{}/volumeMounts/{}", list, i, j)},
                         {"value", std::move(value)}});
        redirected_any = true;
        use.read_only = use.read_only && IsTrue(mounts[j], "readOnly");
      }
    }
  }
  if (!redirected_any) {
    return Refuse(
        fmt::format("no container of the pod that starts after the gateway mounts volume {}: add a "
                    "volumeMount, or take the volume out of annotation {}",
                    volume, kVolume));
  }
  return use;
}

}  // namespace ocfsgw::injector
