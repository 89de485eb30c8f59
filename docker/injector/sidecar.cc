#include "docker/injector/sidecar.h"

#include <fmt/format.h>

#include "docker/injector/names.h"

namespace ocfsgw::injector {
namespace {

constexpr int kStartSecondsMax = 120;

Json VolumeMount(std::string_view name, std::string_view path, std::string_view propagation = {}) {
  Json mount = {{"name", name}, {"mountPath", path}};
  if (!propagation.empty()) mount["mountPropagation"] = propagation;
  return mount;
}

Json VolumeMounts(const SidecarParts& parts) {
  Json mounts = Json::array();
  mounts.push_back(VolumeMount(parts.volume, kSourcePath, "HostToContainer"));
  // Not the directory of the mount itself: where a dead mount is, no container can be started.
  mounts.push_back(VolumeMount(parts.pod_volume, kPodPath, "Bidirectional"));
  mounts.push_back(VolumeMount(parts.cache_volume, kCachePath));
  if (parts.plan.dlmfs) mounts.push_back(VolumeMount(kDlmVolume, kDlmPath, "HostToContainer"));
  mounts.push_back(VolumeMount(kFuseVolume, kFuseDevice));
  return mounts;
}

/// Bidirectional propagation is allowed to privileged containers only. The identity overrides what the pod
/// sets for its applications.
Json SecurityContext(bool confined) {
  Json context = {{"privileged", true}, {"runAsUser", 0}, {"runAsGroup", 0}, {"runAsNonRoot", false}};
  if (confined) context["appArmorProfile"] = {{"type", "Unconfined"}};
  return context;
}

Json StatusCommand() { return {"/usr/bin/ocfsgwctl", "--mount", kMountPath, "--timeout", "5", "status"}; }

Json StatusProbe(int period_s, int failures) {
  return {{"exec", {{"command", StatusCommand()}}},
          {"periodSeconds", period_s},
          {"timeoutSeconds", 6},
          {"failureThreshold", failures}};
}

/// The kubelet starts the next container only when postStart has returned.
Json Gate() {
  const std::string wait = fmt::format(
      "i=0; until /usr/bin/ocfsgwctl --mount {} --timeout 5 status >/dev/null 2>&1; do i=$((i+1)); "
      "[ $i -lt {} ] || exit 1; sleep 1; done",
      kMountPath, kStartSecondsMax);
  return {{"postStart", {{"exec", {{"command", {"/bin/sh", "-c", wait}}}}}}};
}

}  // namespace

Json SidecarContainer(const SidecarParts& parts, const InjectorConfig& config, bool confined) {
  Json container = {{"name", parts.name},
                    {"image", parts.image},
                    {"args", {kSourcePath, kMountPath, "-f", "-o", parts.plan.options}},
                    {"resources", parts.plan.resources},
                    {"securityContext", SecurityContext(confined)},
                    {"volumeMounts", VolumeMounts(parts)},
                    {"startupProbe", StatusProbe(1, kStartSecondsMax)},
                    {"livenessProbe", StatusProbe(10, 6)}};
  if (!config.image_pull_policy.empty()) container["imagePullPolicy"] = config.image_pull_policy;
  if (parts.plan.metrics_port != 0 && parts.plan.metrics_reachable) {
    container["ports"] =
        Json::array({Json({{"name", "ocfsgw-metrics"}, {"containerPort", parts.plan.metrics_port}})});
  }
  if (config.native_sidecars) {
    container["restartPolicy"] = "Always";
  } else {
    container["lifecycle"] = Gate();
  }
  return container;
}

Json HostPathVolume(std::string_view name, const std::string& path, std::string_view type) {
  return {{"name", name}, {"hostPath", {{"path", path}, {"type", type}}}};
}

}  // namespace ocfsgw::injector
