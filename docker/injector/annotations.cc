#include "docker/injector/annotations.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>

#include "docker/injector/names.h"
#include "fusefs/option_values.h"

namespace ocfsgw::injector {
namespace {

const Json& Annotations(const Json& pod) { return Member(Member(pod, "metadata"), "annotations"); }

std::string_view Trimmed(std::string_view text) {
  constexpr std::string_view kBlank = " \t\r\n";
  const size_t begin = text.find_first_not_of(kBlank);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kBlank) - begin + 1);
}

Result<bool> ParseBool(std::string_view name, std::string_view value) {
  if (value == "true" || value == "false") return value == "true";
  return Refuse(fmt::format("annotation {}: '{}' is neither \"true\" nor \"false\"", name, value));
}

Result<std::vector<std::string>> ParseVolumes(std::string_view name, std::string_view value) {
  std::vector<std::string> volumes;
  for (size_t begin = 0; begin <= value.size();) {
    const size_t end = std::min(value.find(',', begin), value.size());
    std::string volume(Trimmed(value.substr(begin, end - begin)));
    begin = end + 1;
    if (volume.empty()) {
      return Refuse(fmt::format(
          "annotation {}: '{}' has an empty name: give names of the pod's volumes, separated by commas", name,
          value));
    }
    if (std::find(volumes.begin(), volumes.end(), volume) != volumes.end()) {
      return Refuse(fmt::format("annotation {}: {} is given twice", name, volume));
    }
    volumes.push_back(std::move(volume));
  }
  return volumes;
}

Status SetCache(SidecarWish& wish, std::string_view name, std::string_view value) {
  if (value != "node" && value != "emptyDir") {
    return Refuse(fmt::format("annotation {}: '{}' is neither node nor emptyDir", name, value));
  }
  wish.cache = value == "node" ? CacheKind::kNode : CacheKind::kEmptyDir;
  return Status::Ok();
}

Status SetImage(SidecarWish& wish, std::string_view name, std::string_view value) {
  if (value.empty() || value.find_first_of(" \t\r\n") != std::string_view::npos) {
    return Refuse(fmt::format("annotation {}: '{}' is not the name of an image", name, value));
  }
  wish.image = value;
  return Status::Ok();
}

Status SetQuantity(std::optional<Quantity>& field, std::string_view name, std::string_view value) {
  OCFSGW_ASSIGN_OR_RETURN(field, ParseQuantity(fmt::format("annotation {}", name), value));
  return Status::Ok();
}

using Setter = std::function<Status(SidecarWish&, std::string_view name, std::string_view value)>;

template <typename T, typename Parse>
Setter Assign(T SidecarWish::*field, Parse parse) {
  return [field, parse](SidecarWish& wish, std::string_view name, std::string_view value) -> Status {
    OCFSGW_ASSIGN_OR_RETURN(wish.*field, parse(name, value));
    return Status::Ok();
  };
}

Setter Amount(ResourceWish SidecarWish::*resource, std::optional<Quantity> ResourceWish::*bound) {
  return [resource, bound](SidecarWish& wish, std::string_view name, std::string_view value) {
    return SetQuantity(wish.*resource.*bound, name, value);
  };
}

Result<std::vector<std::string>> ParseOptionsAnnotation(std::string_view name, std::string_view value) {
  return ParseOptionList(fmt::format("annotation {}", name), value);
}

/// Every annotation a user may give, without the prefix.
const std::vector<std::pair<std::string_view, Setter>>& Setters() {
  const auto nothing = [](SidecarWish&, std::string_view, std::string_view) { return Status::Ok(); };
  static const std::vector<std::pair<std::string_view, Setter>> setters = {
      {"inject", nothing},
      {"volume", Assign(&SidecarWish::volumes, ParseVolumes)},
      {"options", Assign(&SidecarWish::options, ParseOptionsAnnotation)},
      {"image", SetImage},
      {"cache", SetCache},
      {"fast-tree", Assign(&SidecarWish::fast_tree, ParseBool)},
      {"cpu-request", Amount(&SidecarWish::cpu, &ResourceWish::request)},
      {"cpu-limit", Amount(&SidecarWish::cpu, &ResourceWish::limit)},
      {"memory-request", Amount(&SidecarWish::memory, &ResourceWish::request)},
      {"memory-limit", Amount(&SidecarWish::memory, &ResourceWish::limit)},
      {"ephemeral-storage-request", Amount(&SidecarWish::ephemeral_storage, &ResourceWish::request)},
      {"ephemeral-storage-limit", Amount(&SidecarWish::ephemeral_storage, &ResourceWish::limit)},
  };
  return setters;
}

Status SetOne(SidecarWish& wish, const std::string& name, const std::string& value) {
  const std::string_view key = std::string_view(name).substr(kPrefix.size());
  for (const auto& [known, set] : Setters()) {
    if (key == known) return set(wish, name, value);
  }
  if (name.starts_with(kOptionsOfVolume)) {
    OCFSGW_ASSIGN_OR_RETURN(wish.options_by_volume[name.substr(kOptionsOfVolume.size())],
                            ParseOptionsAnnotation(name, value));
    return Status::Ok();
  }
  // Without the sidecar they mean nothing: they came with a copy of a patched pod's metadata.
  if (name == kStatus || name == kVersion || name == kConfigHash || name == kOriginalGrace) {
    return Refuse(fmt::format(
        "annotation {} is the injector's own, but there is no sidecar: remove it from the pod", name));
  }
  std::vector<std::string_view> names;
  for (const auto& setter : Setters()) names.push_back(setter.first);
  return Refuse(fmt::format("annotation {} does not exist: ocfsgw.io/ goes before one of {}, options.VOLUME",
                            name, fmt::join(names, ", ")));
}

}  // namespace

Result<bool> AsksForInjection(const Json& pod) {
  const Json& annotations = Annotations(pod);
  if (!annotations.is_object() || !annotations.contains(kInject)) return false;
  return ParseBool(kInject, Text(annotations, kInject));
}

Result<SidecarWish> ParseAnnotations(const Json& pod) {
  SidecarWish wish;
  for (const auto& [name, value] : Annotations(pod).items()) {
    if (!name.starts_with(kPrefix)) continue;
    if (!value.is_string()) return Refuse(fmt::format("annotation {}: not a string", name));
    OCFSGW_RETURN_IF_ERROR(SetOne(wish, name, value.get_ref<const std::string&>()));
  }
  return wish;
}

Result<std::vector<std::string>> ParseOptionList(std::string_view name, std::string_view text) {
  const auto refuse = [name](std::string_view why) { return Refuse(fmt::format("{}: {}", name, why)); };
  if (std::any_of(text.begin(), text.end(), [](unsigned char c) { return c < ' ' || c == 0x7f; })) {
    return refuse("has a line break or another control character");
  }
  const auto elements = fusefs::SplitOptionList(text);
  if (!elements.ok()) return refuse(elements.status().ToString());
  for (const std::string& element : *elements) {
    for (const std::string_view ours : {"cache_dir=", "dlmfs="}) {
      if (element.starts_with(ours)) {
        return refuse(fmt::format("{} is the injector's to set: leave it out", ours));
      }
    }
  }
  return *elements;
}

}  // namespace ocfsgw::injector
