#include "docker/injector/pod_patch.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <map>

#include "base/path.h"
#include "docker/injector/annotations.h"
#include "docker/injector/mount_plan.h"
#include "docker/injector/mounts.h"
#include "docker/injector/names.h"
#include "docker/injector/sidecar.h"
#include "docker/injector/volume_choice.h"

namespace ocfsgw::injector {
namespace {

using std::chrono::seconds;

constexpr seconds kGraceByDefault{30};      // of the API
constexpr uint64_t kGraceMax = 1ULL << 30;  // keeps sums in range
/// On what the API server shows of a static pod, which has to stay what the kubelet says.
constexpr std::string_view kMirror = "kubernetes.io/config.mirror";
constexpr size_t kContainerNameBytesMax = 63;

const Json& Spec(const Json& pod) { return Member(pod, "spec"); }

void Add(Json& operations, std::string path, Json value) {
  operations.push_back({{"op", "add"}, {"path", std::move(path)}, {"value", std::move(value)}});
}

bool HasNamed(const Json& list, std::string_view name) {
  return std::any_of(list.begin(), list.end(),
                     [name](const Json& item) { return Text(item, "name") == name; });
}

/// "ocfsgw" for the first volume, "ocfsgw-VOLUME" for others.
std::string SidecarName(size_t number, const std::string& volume) {
  if (number == 0) return std::string(kContainer);
  std::string name = fmt::format("{}-{}", kContainer, volume);
  if (name.size() <= kContainerNameBytesMax) return name;
  return fmt::format("{}-{}", name.substr(0, kContainerNameBytesMax - 17), HashedName(volume));
}

/// "base" for the first volume, "base-2" for the second.
std::string Numbered(std::string_view base, size_t number) {
  return number == 0 ? std::string(base) : fmt::format("{}-{}", base, number + 1);
}

/// A pod that was injected before: nothing to do, but for what other webhooks take away.
Result<PodPatch> Repair(const Json& pod) {
  PodPatch patch;
  if (HasNamed(List(Spec(pod), "containers"), kContainer)) return patch;
  const Json& init = List(Spec(pod), "initContainers");
  if (!HasNamed(init, kContainer)) {
    return Refuse(
        fmt::format("annotation {} says that the pod was injected, but it has no container {}: remove the "
                    "annotation from the pod, or find the webhook that removes the container",
                    kStatus, kContainer));
  }
  for (size_t i = 0; i < init.size(); ++i) {
    const std::string& name = Text(init[i], "name");
    const bool ours = name == kContainer || name.starts_with(fmt::format("{}-", kContainer));
    const Json& mounts = List(init[i], "volumeMounts");
    const bool mounts_here = std::any_of(mounts.begin(), mounts.end(), [](const Json& mount) {
      return Text(mount, "name").starts_with(kPodVolume) && Text(mount, "mountPath") == kPodPath;
    });
    if (ours && mounts_here && Text(init[i], "restartPolicy") != "Always") {
      Add(patch.operations, fmt::format("/spec/initContainers/{}/restartPolicy", i), "Always");
    }
  }
  return patch;
}

Status CheckPod(const Json& pod, const InjectorConfig& config) {
  const Json& spec = Spec(pod);
  if (Text(Member(spec, "os"), "name") == "windows")
    return Refuse("a Windows pod cannot have an OCFS2 volume");
  if (const Json& host_users = Member(spec, "hostUsers");
      host_users.is_boolean() && !host_users.get<bool>()) {
    return Refuse(
        "hostUsers: false: in a user namespace the gateway can neither use the lock manager nor show its "
        "mount "
        "to other containers; leave hostUsers out");
  }
  const std::string& restart = Text(spec, "restartPolicy");
  if (!config.native_sidecars && !restart.empty() && restart != "Always") {
    return Refuse(fmt::format(
        "restartPolicy {}: without native sidecars (Kubernetes 1.29) the gateway would go on when "
        "the pod's work is done, and the pod never end; mount the volume without {}",
        restart, kInject));
  }
  return Status::Ok();
}

/// A name that the user has for something else.
Status CheckNames(const Json& pod, const std::vector<SidecarParts>& sidecars, bool own_cache) {
  const Json& spec = Spec(pod);
  const auto check = [&](std::string_view list, std::string_view what, std::string_view name) {
    if (!HasNamed(List(spec, list), name)) return Status::Ok();
    return Refuse(fmt::format(
        "the pod has a {} {} already, which is a name of the injector's: give it another", what, name));
  };
  for (const SidecarParts& sidecar : sidecars) {
    OCFSGW_RETURN_IF_ERROR(check("containers", "container", sidecar.name));
    OCFSGW_RETURN_IF_ERROR(check("initContainers", "init container", sidecar.name));
    OCFSGW_RETURN_IF_ERROR(check("volumes", "volume", sidecar.pod_volume));
    OCFSGW_RETURN_IF_ERROR(check("volumes", "volume", sidecar.mount_volume));
    if (!own_cache) OCFSGW_RETURN_IF_ERROR(check("volumes", "volume", sidecar.cache_volume));
  }
  OCFSGW_RETURN_IF_ERROR(check("volumes", "volume", kDlmVolume));
  return check("volumes", "volume", kFuseVolume);
}

/// All containers of a pod have one network: two gateways cannot serve metrics at one port.
Status CheckPorts(const std::vector<SidecarParts>& sidecars) {
  std::map<uint16_t, std::string> volumes;
  for (const SidecarParts& sidecar : sidecars) {
    const auto [it, is_new] = volumes.emplace(sidecar.plan.metrics_port, sidecar.volume);
    if (is_new || it->first == 0) continue;
    return Refuse(
        fmt::format("the gateways of volumes {} and {} would both serve metrics at port {}: give one another "
                    "metrics= in annotation {}{}",
                    it->second, sidecar.volume, it->first, kOptionsOfVolume, sidecar.volume));
  }
  return Status::Ok();
}

/// The steps of one injection, in the order of PatchPod.
class Injection {
 public:
  Injection(const Json& pod, std::string_view name_space, const InjectorConfig& config,
            const IdSource& next_id)
      : pod_(pod),
        name_space_(name_space),
        config_(config),
        next_id_(next_id),
        position_(SidecarPosition(pod, config.native_sidecars)) {}

  Result<PodPatch> Run() {
    OCFSGW_RETURN_IF_ERROR(CheckPod(pod_, config_));
    OCFSGW_ASSIGN_OR_RETURN(wish_, ParseAnnotations(pod_));
    OCFSGW_ASSIGN_OR_RETURN(volumes_, ChooseVolumes(pod_, name_space_, wish_, config_));
    own_cache_ = HasNamed(List(Spec(pod_), "volumes"), kCacheVolume);
    if (own_cache_ && wish_.cache) {
      return Refuse(
          fmt::format("annotation {} and the pod's volume {} contradict each other: leave one of them out",
                      kCache, kCacheVolume));
    }
    const Json& grace = Member(Spec(pod_), "terminationGracePeriodSeconds");
    if (grace.is_number_unsigned()) app_grace_ = seconds(std::min(grace.get<uint64_t>(), kGraceMax));
    OCFSGW_RETURN_IF_ERROR(PlanSidecars());
    OCFSGW_RETURN_IF_ERROR(CheckNames(pod_, sidecars_, own_cache_));
    OCFSGW_RETURN_IF_ERROR(CheckPorts(sidecars_));
    AddGrace();
    AddSidecars();
    AddVolumes();
    AddAnnotations();
    return std::move(patch_);
  }

 private:
  Status PlanSidecars() {
    for (size_t i = 0; i < volumes_.size(); ++i) {
      const std::string& volume = volumes_[i].name;
      SidecarParts parts;
      parts.name = SidecarName(i, volume);
      parts.image = wish_.image.empty() ? config_.image : wish_.image;
      parts.volume = volume;
      parts.pod_volume = Numbered(kPodVolume, i);
      parts.mount_volume = Numbered(kMountVolume, i);
      parts.cache_volume = own_cache_ ? std::string(kCacheVolume) : Numbered(kCacheVolume, i);
      OCFSGW_ASSIGN_OR_RETURN(const VolumeUse use,
                              RedirectMounts(pod_, volume, parts.mount_volume, position_, patch_.operations));
      if (use.early) Warn("volume {}: init containers that start before the gateway use it uncached", volume);
      OCFSGW_ASSIGN_OR_RETURN(parts.plan, PlanMount(volume, use.read_only, app_grace_, wish_, config_));
      sidecars_.push_back(std::move(parts));
    }
    return Status::Ok();
  }

  /// The sidecars get their time after that of the applications.
  void AddGrace() {
    seconds stop{0};
    for (const SidecarParts& sidecar : sidecars_) stop = std::max(stop, sidecar.plan.stop_time);
    Add(patch_.operations, "/spec/terminationGracePeriodSeconds", (app_grace_ + stop).count());
  }

  void AddSidecars() {
    const std::string list = "/spec/" + position_.list;
    if (!Member(Spec(pod_), position_.list).is_array()) Add(patch_.operations, list, Json::array());
    const bool confined = Member(Member(Spec(pod_), "securityContext"), "appArmorProfile").is_object();
    for (size_t i = 0; i < sidecars_.size(); ++i) {
      Add(patch_.operations, fmt::format("{}/{}", list, position_.index + i),
          SidecarContainer(sidecars_[i], config_, confined));
    }
  }

  void AddVolumes() {
    const auto add = [this](Json volume) { Add(patch_.operations, "/spec/volumes/-", std::move(volume)); };
    bool dlmfs = false;
    for (size_t i = 0; i < sidecars_.size(); ++i) {
      const SidecarParts& sidecar = sidecars_[i];
      dlmfs = dlmfs || sidecar.plan.dlmfs;
      const std::string directory = fmt::format("{}/{}", config_.mount_root, next_id_());
      add(HostPathVolume(sidecar.pod_volume, directory, "DirectoryOrCreate"));
      add(HostPathVolume(sidecar.mount_volume, directory + std::string(kMountPath.substr(kPodPath.size())),
                         "DirectoryOrCreate"));
      if (!own_cache_) add(CacheVolume(sidecar, volumes_[i]));
    }
    if (dlmfs) add(HostPathVolume(kDlmVolume, config_.dlmfs_path, "Directory"));
    add(HostPathVolume(kFuseVolume, std::string(kFuseDevice), "CharDevice"));
  }

  Json CacheVolume(const SidecarParts& sidecar, const ChosenVolume& volume) const {
    if (wish_.cache != CacheKind::kEmptyDir) {
      return HostPathVolume(sidecar.cache_volume, fmt::format("{}/{}", config_.cache_root, volume.cache_name),
                            "DirectoryOrCreate");
    }
    const auto& limit = wish_.ephemeral_storage.limit;
    const std::string size =
        limit && !limit->zero() ? limit->text : MebibytesUp(sidecar.plan.cache_bytes / 4 * 5);
    return {{"name", sidecar.cache_volume}, {"emptyDir", {{"sizeLimit", size}}}};
  }

  void AddAnnotations() {
    const auto annotate = [this](std::string_view name, std::string value) {
      std::string escaped(name);
      escaped.replace(escaped.find('/'), 1, "~1");
      Add(patch_.operations, "/metadata/annotations/" + escaped, std::move(value));
    };
    annotate(kStatus, std::string(kInjected));
    annotate(kVersion, OCFSGW_VERSION);
    annotate(kConfigHash, ConfigHash(config_));
    annotate(kOriginalGrace, std::to_string(app_grace_.count()));
    if (position_.list != "containers" || position_.index != 0) return;
    // kubectl's logs and exec take the first container for the application's.
    constexpr std::string_view kDefaultContainer = "kubectl.kubernetes.io/default-container";
    const Json& containers = List(Spec(pod_), "containers");
    if (Member(Member(pod_, "metadata"), "annotations").contains(kDefaultContainer) || containers.empty())
      return;
    annotate(kDefaultContainer, Text(containers[0], "name"));
  }

  template <typename... Args>
  void Warn(fmt::format_string<Args...> format, Args&&... args) {
    constexpr size_t kWarningBytesMax = 120;
    patch_.warnings.push_back(fmt::format(format, std::forward<Args>(args)...).substr(0, kWarningBytesMax));
  }

  const Json& pod_;
  const std::string_view name_space_;
  const InjectorConfig& config_;
  const IdSource& next_id_;
  const Position position_;
  SidecarWish wish_;
  std::vector<ChosenVolume> volumes_;
  bool own_cache_ = false;  ///< The pod has a volume of that name.
  std::vector<SidecarParts> sidecars_;
  seconds app_grace_ = kGraceByDefault;
  PodPatch patch_;
};

}  // namespace

Result<PodPatch> PatchPod(const Json& pod, std::string_view name_space, const InjectorConfig& config,
                          const IdSource& next_id) {
  OCFSGW_ASSIGN_OR_RETURN(const bool asks, AsksForInjection(pod));
  if (!asks) return PodPatch{};
  if (Member(Member(pod, "metadata"), "annotations").contains(kMirror)) {
    return PodPatch{Json::array(), {"a static pod cannot be injected: its node has started it already"}};
  }
  if (Text(Member(Member(pod, "metadata"), "annotations"), kStatus) == kInjected) return Repair(pod);
  return Injection(pod, name_space, config, next_id).Run();
}

std::string ConfigHash(const InjectorConfig& config) {
  const Json all = {OCFSGW_VERSION,    config.image,        config.image_pull_policy, config.native_sidecars,
                    config.options,    config.ocfs2_claims, config.ocfs2_paths,       config.mount_root,
                    config.cache_root, config.dlmfs_path,   config.cache_bytes};
  return HashedName(all.dump(-1, ' ', true, Json::error_handler_t::replace));
}

}  // namespace ocfsgw::injector
