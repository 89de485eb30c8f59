#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/status.h"
#include "docker/injector/json_view.h"
#include "docker/injector/quantity.h"

namespace ocfsgw::injector {

/// One resource of the sidecars; what is not given is chosen by ChooseResources.
struct ResourceWish {
  std::optional<Quantity> request;
  std::optional<Quantity> limit;  ///< Zero: no limit.
};

enum class CacheKind { kNode, kEmptyDir };

/// What a pod's annotations ask for.
struct SidecarWish {
  std::vector<std::string> volumes;  ///< Of the pod, in the order given; empty: the marked ones.
  std::vector<std::string> options;  ///< Elements of a -o list, for every volume that has none of its own.
  std::map<std::string, std::vector<std::string>> options_by_volume;
  std::string image;  ///< Empty: the injector's.
  std::optional<CacheKind> cache;
  bool fast_tree = true;  ///< A volume that is mounted read-only everywhere becomes one fast tree.
  ResourceWish cpu, memory, ephemeral_storage;
};

/// Whether the pod asks to be injected. kInvalidArgument: the annotation is neither "true" nor "false".
Result<bool> AsksForInjection(const Json& pod);

/// The annotations of a pod that asks. kInvalidArgument, one line for the user, which names the annotation: a
/// value that cannot be, or an annotation of ours that does not exist.
Result<SidecarWish> ParseAnnotations(const Json& pod);

/// `text` as elements of a -o list, none of which the injector sets itself; whether ocfsgw takes them
/// PlanMount says, who knows the others. `name` is for the message.
Result<std::vector<std::string>> ParseOptionList(std::string_view name, std::string_view text);

}  // namespace ocfsgw::injector
