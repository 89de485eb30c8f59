#include "fusefs/mount_options.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <map>
#include <span>

#include "base/path.h"
#include "fusefs/option_table.h"
#include "fusefs/option_values.h"

namespace ocfsgw::fusefs {
namespace {

struct Match {
  const OptionSpec* spec = nullptr;
  std::string name;   ///< Without the `=`.
  std::string value;  ///< Empty for flags.
};

Result<Match> FindSpec(const std::string& element) {
  const size_t equals = element.find('=');
  const bool has_value = equals != std::string::npos;
  const std::string name = element.substr(0, equals);
  const OptionSpec* other_form = nullptr;  // the same name with a value missing, or one too many
  for (const OptionSpec& spec : OptionSpecs()) {
    for (const std::string_view known : Names(spec)) {
      const bool takes_value = known.back() == '=';
      const bool prefix = known.back() == '*';
      if (prefix && element.starts_with(known.substr(0, known.size() - 1))) {
        return Match{&spec, name, {}};
      }
      if (name != known.substr(0, known.size() - (takes_value ? 1 : 0))) {
        continue;
      }
      if (takes_value == has_value) {
        return Match{&spec, name, has_value ? element.substr(equals + 1) : ""};
      }
      other_form = &spec;
    }
  }
  if (other_form != nullptr) {
    return Refuse(has_value ? fmt::format("{}: {} takes no value", element, name)
                            : fmt::format("{} needs a value: {}", name, Label(*other_form)));
  }
  return Refuse(fmt::format("unknown option '{}': ocfsgw --help lists what is allowed", element));
}

/// The options given so far, one per row of the table.
using Given = std::map<const OptionSpec*, Match>;

/// Notes `match`; says no to a second, different choice in the same row. False: it is a repetition.
Result<bool> Note(Given& given, const Match& match) {
  const auto [it, is_new] = given.emplace(match.spec, match);
  const Match& first = it->second;
  if (is_new || (first.name == match.name && first.value == match.value)) {
    return is_new;
  }
  if (first.name != match.name) {
    return Refuse(fmt::format("{} and {} contradict each other: give one of them", first.name, match.name));
  }
  return Refuse(
      fmt::format("{}= is given twice, as {} and as {}: give it once", match.name, first.value, match.value));
}

Status ParseOptions(std::span<const std::string> lists, MountOptions& options, Given& given) {
  for (const std::string& list : lists) {
    OCFSGW_ASSIGN_OR_RETURN(const auto elements, SplitOptionList(list));
    for (const std::string& element : elements) {
      if (element == "remount") {
        return Refuse("remount is not supported: unmount and mount again");
      }
      OCFSGW_ASSIGN_OR_RETURN(const Match match, FindSpec(element));
      if (match.spec->use == Use::kIgnored) {
        continue;
      }
      OCFSGW_ASSIGN_OR_RETURN(const bool is_new, Note(given, match));
      if (!is_new) {
        continue;
      }
      if (match.spec->set != nullptr) {
        OCFSGW_RETURN_IF_ERROR(match.spec->set(options, match.name, match.value));
      }
      if (match.spec->use == Use::kLibfuse) {
        options.libfuse_options.push_back(EscapeOption(element));
      }
    }
  }
  return Status::Ok();
}

bool Has(const Given& given, std::string_view name) {
  return std::any_of(given.begin(), given.end(),
                     [name](const auto& entry) { return entry.second.name == name; });
}

Status CheckFastTrees(const MountOptions& options, const Given& given) {
  if (options.fast.empty()) {
    return Has(given, "local_lock") ? Refuse("local_lock= is about fast trees: give fast= with it")
                                    : Status::Ok();
  }
  if (!options.fcntl_cluster) return Status::Ok();
  return Refuse(
      "fcntl=cluster and fast= contradict each other: the locks of a fast tree hold on this node only; give "
      "one "
      "of them");
}

Status CheckLeaseOptions(const MountOptions& options, const Given& given) {
  if (options.fcntl_cluster && (options.lease == LeaseMode::kNone || options.lease == LeaseMode::kLocal)) {
    return Refuse("fcntl=cluster needs the lock manager of OCFS2: use lease=o2dlm or lease=auto with it");
  }
  const auto refuse_with = [&given](std::string_view lease, std::span<const std::string_view> names) {
    for (const std::string_view name : names) {
      if (Has(given, name)) {
        return Refuse(fmt::format("{}= means nothing with lease={}: leave one of them out", name, lease));
      }
    }
    return Status::Ok();
  };
  static constexpr std::string_view kNotWithNone[] = {"cache_size",   "memory",
                                                      "admission",    "dlmfs",
                                                      "max_leases",   "recall_deadline_ms",
                                                      "hold_off_ms",  "max_staleness_ms",
                                                      "lease_idle_s", "second_access_s",
                                                      "fast"};
  static constexpr std::string_view kNotWithLocal[] = {"dlmfs"};
  switch (options.lease) {
    case LeaseMode::kNone:
      return refuse_with("none", kNotWithNone);
    case LeaseMode::kLocal:
      return refuse_with("local", kNotWithLocal);
    default:
      return Status::Ok();
  }
}

/// The gateway must not need its own mount point, nor fill the file system it caches.
Status CheckPaths(const MountOptions& options) {
  const std::pair<std::string_view, std::string_view> ours[] = {{"cache_dir", options.cache_dir},
                                                                {"log", options.log_file}};
  for (const auto& [name, path] : ours) {
    for (const std::string_view tree :
         {std::string_view(options.mountpoint), std::string_view(options.source)}) {
      if (!path.empty() && IsInside(path, tree)) {
        return Refuse(fmt::format("{}={}: inside {}, it has to be elsewhere", name, path, tree));
      }
    }
  }
  return Status::Ok();
}

}  // namespace

Result<CommandLine> ParseCommandLine(int argc, const char* const* argv) {
  CommandLine result;
  MountOptions& options = result.options;
  std::vector<std::string> lists;
  bool help = false;
  bool version = false;
  CLI::App app;
  app.set_help_flag();  // the help text is ours
  app.add_option("SOURCE", options.source);
  app.add_option("MOUNTPOINT", options.mountpoint);
  app.add_option("-o", lists)->allow_extra_args(false);
  app.add_flag("-f,--foreground", options.foreground);
  app.add_flag("-h,--help", help);
  app.add_flag("-V,--version", version);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return Refuse(fmt::format("{} (ocfsgw --help shows how)", error.what()));
  }
  if (help || version) {
    result.text = help ? HelpText() : "ocfsgw " OCFSGW_VERSION "\n";
    return result;
  }
  if (options.source.empty() || options.mountpoint.empty()) {
    return Refuse("SOURCE and MOUNTPOINT are needed (ocfsgw --help shows how)");
  }
  if (options.mountpoint.starts_with("/dev/fd/")) {
    return Refuse("drop_privileges is not supported: the gateway needs its privileges");
  }
  options.source = CanonicalPath(options.source);
  options.mountpoint = CanonicalPath(options.mountpoint);

  Given given;
  OCFSGW_RETURN_IF_ERROR(ParseOptions(lists, options, given));
  OCFSGW_RETURN_IF_ERROR(CheckLeaseOptions(options, given));
  OCFSGW_RETURN_IF_ERROR(CheckFastTrees(options, given));
  if (options.cache_dir.empty()) {
    options.cache_dir = "/var/cache/ocfsgw/" + HashedName(options.source + '\0' + options.mountpoint);
  }
  OCFSGW_RETURN_IF_ERROR(CheckPaths(options));
  if (!Has(given, "fsname")) {
    options.libfuse_options.push_back(EscapeOption("fsname=" + options.source));
  }
  if (!Has(given, "subtype")) {
    options.libfuse_options.push_back("subtype=ocfsgw");
  }
  return result;
}

}  // namespace ocfsgw::fusefs
