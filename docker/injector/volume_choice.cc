#include "docker/injector/volume_choice.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/path.h"
#include "docker/injector/names.h"

namespace ocfsgw::injector {
namespace {

constexpr size_t kNamesShown = 10;
constexpr size_t kCacheNameBytesMax = 100;
constexpr size_t kVolumesMax = 8;  // each is a container, and takes half a gigabyte of memory

const Json* Find(const Json& volumes, std::string_view name) {
  const auto it = std::find_if(volumes.begin(), volumes.end(),
                               [name](const Json& volume) { return Text(volume, "name") == name; });
  return it == volumes.end() ? nullptr : &*it;
}

const std::string& Claim(const Json& volume) {
  return Text(Member(volume, "persistentVolumeClaim"), "claimName");
}

/// Without a slash at the end.
std::string HostPath(const Json& volume) {
  std::string path = Text(Member(volume, "hostPath"), "path");
  while (path.size() > 1 && path.ends_with('/')) {
    path.pop_back();
  }
  return path;
}

/// The member that says what a volume is: "configMap", "nfs", ...
std::string Kind(const Json& volume) {
  for (const auto& [key, value] : volume.items()) {
    if (key != "name" && value.is_object()) return key;
  }
  return "emptyDir";  // which is what the API makes of none
}

Status CheckKind(const Json& volume) {
  const std::string& name = Text(volume, "name");
  if (!Claim(volume).empty()) return Status::Ok();
  if (HostPath(volume).empty()) {
    return Refuse(
        fmt::format("volume {} is of kind {}: only a persistentVolumeClaim or a hostPath can be OCFS2; name "
                    "another volume in annotation {}",
                    name, Kind(volume), kVolume));
  }
  const std::string& type = Text(Member(volume, "hostPath"), "type");
  if (!type.empty() && type != "Directory" && type != "DirectoryOrCreate") {
    return Refuse(fmt::format(
        "volume {}: a hostPath of type {} is no directory: only a directory can be cached", name, type));
  }
  return Status::Ok();
}

bool IsMarked(const Json& volume, std::string_view name_space, const InjectorConfig& config) {
  if (const std::string& claim = Claim(volume); !claim.empty()) {
    const std::string full = fmt::format("{}/{}", name_space, claim);
    return std::any_of(config.ocfs2_claims.begin(), config.ocfs2_claims.end(),
                       [&](const std::string& marked) { return marked == claim || marked == full; });
  }
  const std::string path = HostPath(volume);
  return CheckKind(volume).ok() && std::any_of(config.ocfs2_paths.begin(), config.ocfs2_paths.end(),
                                               [&](const std::string& tree) { return IsInside(path, tree); });
}

/// `text` if it is a file name of letters, digits, dots, dashes and at most 100 bytes; else what is left of
/// it and its hash.
std::string Readable(const std::string& text) {
  std::string readable = text.substr(0, kCacheNameBytesMax);
  std::replace_if(
      readable.begin(), readable.end(),
      [](char c) {
        return !(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && !(c >= '0' && c <= '9') && c != '.' &&
               c != '-';
      },
      '-');
  return readable == text && !text.starts_with('.') ? text : fmt::format("{}_{}", readable, HashedName(text));
}

/// For people to recognize, and different for different volumes: namespaces and claims have no underscore.
std::string CacheName(const Json& volume, std::string_view name_space) {
  if (const std::string& claim = Claim(volume); !claim.empty()) {
    return fmt::format("{}_{}", Readable(std::string(name_space)), Readable(claim));
  }
  const std::string path = HostPath(volume);
  return fmt::format("path_{}_{}", Readable(path.substr(path.rfind('/') + 1)), HashedName(path));
}

/// The volumes that could be meant, for a message.
std::string Candidates(const Json& volumes) {
  std::vector<std::string> names;
  for (const Json& volume : volumes) {
    if (CheckKind(volume).ok() && names.size() < kNamesShown) names.push_back(Text(volume, "name"));
  }
  return names.empty() ? "it has none that can be OCFS2" : fmt::format("it has {}", fmt::join(names, ", "));
}

}  // namespace

Result<std::vector<ChosenVolume>> ChooseVolumes(const Json& pod, std::string_view name_space,
                                                const SidecarWish& wish, const InjectorConfig& config) {
  const Json& volumes = List(Member(pod, "spec"), "volumes");
  std::vector<ChosenVolume> chosen;
  const auto add = [&](const Json& volume) {
    chosen.push_back({Text(volume, "name"), CacheName(volume, name_space)});
  };
  for (const std::string& name : wish.volumes) {
    const Json* volume = Find(volumes, name);
    if (volume == nullptr) {
      return Refuse(
          fmt::format("annotation {}: the pod has no volume {}: give the name under spec.volumes; {}",
                      kVolume, name, Candidates(volumes)));
    }
    OCFSGW_RETURN_IF_ERROR(CheckKind(*volume));
    add(*volume);
  }
  if (wish.volumes.empty()) {
    for (const Json& volume : volumes) {
      if (IsMarked(volume, name_space, config)) add(volume);
    }
  }
  if (chosen.empty()) {
    return Refuse(
        fmt::format("annotation {} is missing: no volume of the pod is one that the injector knows to be "
                    "OCFS2, so name it; {}",
                    kVolume, Candidates(volumes)));
  }
  if (chosen.size() > kVolumesMax) {
    return Refuse(
        fmt::format("{} volumes of the pod are to be cached, {} at most can be: name them in annotation {}",
                    chosen.size(), kVolumesMax, kVolume));
  }
  for (const auto& own : wish.options_by_volume) {
    const bool known = std::any_of(chosen.begin(), chosen.end(),
                                   [&own](const ChosenVolume& volume) { return volume.name == own.first; });
    if (!known) {
      return Refuse(fmt::format(
          "annotation {}{}: no gateway is made for a volume {}: name it in annotation {} or leave "
          "the options out",
          kOptionsOfVolume, own.first, own.first, kVolume));
    }
  }
  return chosen;
}

}  // namespace ocfsgw::injector
