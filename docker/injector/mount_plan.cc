#include "docker/injector/mount_plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "docker/injector/names.h"
#include "fusefs/mount_options.h"
#include "fusefs/option_values.h"

namespace ocfsgw::injector {
namespace {

using Options = std::vector<std::string>;

using std::chrono::seconds;

constexpr uint64_t kMiB = 1ULL << 20;
/// Process 1 of a container bounds its end by 25 s unless told otherwise (grace_s=).
constexpr seconds kStopTime{30};
constexpr seconds kStopSpare{5};    // the kubelet's and the runtime's
constexpr seconds kGraceMax{3600};  // of grace_s=
/// What a gateway takes beside memory=: leases, requests, threads, its guardian.
constexpr uint64_t kMemoryBeside = 96 * kMiB;
constexpr uint64_t kMemoryLeast = 64 * kMiB;  // of memory=
constexpr uint64_t kMemoryMost = 1ULL << 40;
constexpr uint64_t kCacheLeast = 16 * kMiB;  // of cache_size=

std::string_view NameOf(std::string_view element) { return element.substr(0, element.find('=')); }

bool Has(const Options& options, std::string_view name) {
  return std::any_of(options.begin(), options.end(),
                     [name](const auto& element) { return NameOf(element) == name; });
}

std::string Joined(const Options& options) {
  std::string list;
  for (const std::string& element : options) {
    list += (list.empty() ? "" : ",") + fusefs::EscapeOption(element);
  }
  return list;
}

Result<fusefs::MountOptions> Parse(std::string_view name, const Options& options) {
  const std::string list = Joined(options);
  const char* argv[] = {"ocfsgw", kSourcePath.data(), kMountPath.data(), "-f", "-o", list.c_str()};
  const auto parsed = fusefs::ParseCommandLine(list.empty() ? 4 : 6, argv);
  if (!parsed.ok()) return Refuse(fmt::format("{}: {}", name, parsed.status().ToString()));
  return parsed->options;
}

/// The pod's options and those of the operator's that the pod does not choose otherwise.
Options Merged(const Options& of_pod, const Options& of_operator) {
  Options merged = of_pod;
  const bool access = Has(of_pod, "rw") || Has(of_pod, "ro");
  for (const std::string& element : of_operator) {
    const std::string_view name = NameOf(element);
    if (!Has(of_pod, name) && !(access && (name == "rw" || name == "ro"))) merged.push_back(element);
  }
  return merged;
}

struct Bounds {
  std::optional<Quantity> request;
  std::optional<Quantity> limit;  ///< None: unlimited.
};

/// What `wish` says, completed: a limit of 0 is none; what is left out is the default, moved to fit the
/// other.
Result<Bounds> Complete(std::string_view resource, const ResourceWish& wish, std::string_view default_request,
                        std::string_view default_limit) {
  Bounds bounds{wish.request, wish.limit};
  const auto parse = [&](std::string_view text) { return ParseQuantity(resource, text).value(); };
  if (bounds.limit && bounds.limit->zero()) {
    bounds.limit.reset();
  } else if (!bounds.limit && !default_limit.empty()) {
    bounds.limit = parse(default_limit);
    if (bounds.request && bounds.request->value > bounds.limit->value) bounds.limit = bounds.request;
  }
  if (!bounds.request && !default_request.empty()) {
    bounds.request = parse(default_request);
    if (bounds.limit && bounds.limit->value < bounds.request->value) bounds.request = bounds.limit;
  }
  if (bounds.request && bounds.limit && bounds.request->value > bounds.limit->value) {
    return Refuse(fmt::format("annotation {0}{1}-request: {2} is more than {0}{1}-limit, {3}", kPrefix,
                              resource, bounds.request->text, bounds.limit->text));
  }
  return bounds;
}

void Put(Json& resources, std::string_view resource, const Bounds& bounds) {
  const std::string name(resource);
  if (bounds.request) resources["requests"][name] = bounds.request->text;
  if (bounds.limit) resources["limits"][name] = bounds.limit->text;
}

/// memory= for a limit, or why there is none. `given`: what the user has put into the options, or 0.
Result<uint64_t> MemoryFor(const Bounds& bounds, uint64_t given) {
  if (!bounds.limit) return given != 0 ? given : 256 * kMiB;
  const uint64_t limit = bounds.limit->bytes();
  const uint64_t least = std::max(given, kMemoryLeast) + kMemoryBeside;
  if (limit < least) {
    return Refuse(
        fmt::format("annotation {}: {} is too little, the least is {} ({} for memory= and {} for the rest)",
                    kMemoryLimit, bounds.limit->text, MebibytesUp(least), MebibytesUp(least - kMemoryBeside),
                    MebibytesUp(kMemoryBeside)));
  }
  if (given != 0) return given;
  return std::min(std::min(limit / 2, limit - kMemoryBeside) / kMiB * kMiB, kMemoryMost);
}

/// cache_size= for a limit of ephemeral storage: a fifth stays free, since what is over the limit costs the
/// pod its life.
Result<uint64_t> CacheFor(const Bounds& bounds, uint64_t given, uint64_t by_default) {
  if (!bounds.limit) return given != 0 ? given : by_default;
  const uint64_t room = bounds.limit->bytes() / 5 * 4 / kMiB * kMiB;
  if (room < std::max(given, kCacheLeast)) {
    return Refuse(
        fmt::format("annotation {}: {} is too little for cache_size={}M, of which it has to be five "
                    "quarters; the least is {}",
                    kEphemeralLimit, bounds.limit->text, std::max(given, kCacheLeast) / kMiB,
                    MebibytesUp(std::max(given, kCacheLeast) / 4 * 5)));
  }
  return given != 0 ? given : room;
}

/// How long the gateway may take for its end, with what the user says of it.
seconds StopTime(const fusefs::MountOptions& given) {
  const auto recalls = std::chrono::ceil<seconds>(given.recall_deadline) + 2 * kStopSpare;
  const seconds asked = given.grace ? *given.grace + kStopSpare : seconds{0};
  return std::max({kStopTime, recalls, asked});
}

/// The port of ADDR:PORT, or 0.
uint16_t Port(const std::string& address) {
  if (address.empty()) return 0;
  uint16_t port = 0;
  const size_t colon = address.rfind(':');
  std::from_chars(address.data() + colon + 1, address.data() + address.size(), port);
  return port;
}

void AddReadOnly(Options& options, const SidecarWish& wish) {
  if (Has(options, "rw") || Has(options, "ro")) return;
  options.emplace_back("ro");
  const auto is = [&options](std::string_view element) {
    return std::find(options.begin(), options.end(), element) != options.end();
  };
  if (wish.fast_tree && !Has(options, "fast") && !is("fcntl=cluster") && !is("lease=none")) {
    options.emplace_back("fast=/");
  }
}

}  // namespace

Status CheckOptions(std::string_view name, const Options& elements) { return Parse(name, elements).status(); }

Result<MountPlan> PlanMount(const std::string& volume, bool read_only, seconds app_grace,
                            const SidecarWish& wish, const InjectorConfig& config) {
  const auto own = wish.options_by_volume.find(volume);
  const bool has_own = own != wish.options_by_volume.end();
  const std::string name = has_own                ? fmt::format("annotation {}{}", kOptionsOfVolume, volume)
                           : wish.options.empty() ? fmt::format("mount options of volume {}", volume)
                                                  : fmt::format("annotation {}", kOptions);
  Options options = Merged(has_own ? own->second : wish.options, config.options);
  if (read_only) AddReadOnly(options, wish);
  OCFSGW_ASSIGN_OR_RETURN(const fusefs::MountOptions given, Parse(name, options));

  OCFSGW_ASSIGN_OR_RETURN(const Bounds cpu, Complete("cpu", wish.cpu, "100m", ""));
  ResourceWish memory_wish = wish.memory;
  const uint64_t memory_given = Has(options, "memory") ? given.memory_bytes : 0;
  if (memory_given != 0 && !memory_wish.limit) {
    const uint64_t roomy = std::max(2 * memory_given, 512 * kMiB);
    OCFSGW_ASSIGN_OR_RETURN(memory_wish.limit, ParseQuantity("memory", MebibytesUp(roomy)));
  }
  OCFSGW_ASSIGN_OR_RETURN(const Bounds memory, Complete("memory", memory_wish, "256Mi", "512Mi"));
  OCFSGW_ASSIGN_OR_RETURN(const Bounds storage,
                          Complete("ephemeral-storage", wish.ephemeral_storage, "", ""));

  MountPlan plan;
  OCFSGW_ASSIGN_OR_RETURN(const uint64_t memory_bytes, MemoryFor(memory, memory_given));
  OCFSGW_ASSIGN_OR_RETURN(
      plan.cache_bytes,
      CacheFor(storage, Has(options, "cache_size") ? given.cache_bytes : 0, config.cache_bytes));
  plan.dlmfs = given.lease == fusefs::LeaseMode::kAuto || given.lease == fusefs::LeaseMode::kO2dlm;
  plan.stop_time = StopTime(given);
  plan.metrics_port = Port(given.metrics_address);
  plan.metrics_reachable =
      !given.metrics_address.starts_with("127.") && !given.metrics_address.starts_with("[::1]");
  Put(plan.resources, "cpu", cpu);
  Put(plan.resources, "memory", memory);
  Put(plan.resources, "ephemeral-storage", storage);

  Options all = {fmt::format("cache_dir={}", kCachePath)};
  if (given.lease != fusefs::LeaseMode::kNone) {  // which takes neither
    if (!Has(options, "cache_size")) all.push_back(fmt::format("cache_size={}M", plan.cache_bytes / kMiB));
    if (!Has(options, "memory")) all.push_back(fmt::format("memory={}M", memory_bytes / kMiB));
  }
  if (!Has(options, "allow_other")) all.emplace_back("allow_other");
  if (plan.dlmfs) all.push_back(fmt::format("dlmfs={}", kDlmPath));
  if (!config.native_sidecars && !given.grace) {
    all.push_back(
        fmt::format("grace_s={}", std::min(app_grace + plan.stop_time - kStopSpare, kGraceMax).count()));
  }
  all.insert(all.end(), options.begin(), options.end());
  OCFSGW_RETURN_IF_ERROR(CheckOptions(name, all));
  plan.options = Joined(all);
  return plan;
}

}  // namespace ocfsgw::injector
