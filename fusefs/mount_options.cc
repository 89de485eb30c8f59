#include "fusefs/mount_options.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <map>
#include <span>

#include "base/path.h"
#include "fusefs/option_values.h"

namespace ocfsgw::fusefs {
namespace {

Status Refuse(std::string message) { return {StatusCode::kInvalidArgument, std::move(message)}; }

enum class Use { kGateway, kLibfuse, kIgnored };

/// One row of the table that is parsed by, printed by --help, and compared with docs/OPERATIONS.md by a test.
struct OptionSpec {
  /// Alternatives, separated by a blank; `=` at the end: takes a value; `*` at the end: any name with this
  /// prefix.
  std::string_view names;
  std::string_view argument;
  std::string_view by_default;
  std::string_view help;
  Use use = Use::kGateway;
  Status (*set)(MountOptions& options, std::string_view name, const std::string& value) = nullptr;
};

template <typename T>
Status Assign(T& field, Result<uint64_t> value) {
  if (value.ok()) {
    field = T(*value);
  }
  return value.status();
}

Status AssignPath(std::string& field, std::string_view name, const std::string& value) {
  if (value.empty()) {
    return Refuse(fmt::format("{}= needs a path", name));
  }
  field = CanonicalPath(value);
  return Status::Ok();
}

Status SetLease(MountOptions& options, std::string_view name, const std::string& value) {
  static constexpr std::pair<std::string_view, LeaseMode> kModes[] = {{"auto", LeaseMode::kAuto},
                                                                      {"o2dlm", LeaseMode::kO2dlm},
                                                                      {"local", LeaseMode::kLocal},
                                                                      {"none", LeaseMode::kNone}};
  for (const auto& [mode_name, mode] : kModes) {
    if (value == mode_name) {
      options.lease = mode;
      return Status::Ok();
    }
  }
  return Refuse(fmt::format("{}={}: not one of auto, o2dlm, local, none", name, value));
}

Status SetLogLevel(MountOptions& options, std::string_view name, const std::string& value) {
  const auto level = log::ParseLevel(value);
  if (!level.ok()) {
    return Refuse(fmt::format("{}={}: not one of debug, info, warning, error", name, value));
  }
  options.log_level = *level;
  return Status::Ok();
}

Status SetNames(MountOptions& options, std::string_view name, const std::string& value) {
  if (value == "none") {
    options.trust_names = TrustNames::kNone;
  } else if (value == "safe") {
    options.trust_names = TrustNames::kSafe;
  } else if (value == "all") {
    options.trust_names = TrustNames::kAll;
  } else {
    return Refuse(fmt::format("{}={}: not one of none, safe, all", name, value));
  }
  return Status::Ok();
}

Status SetMetrics(MountOptions& options, std::string_view name, const std::string& value) {
  OCFSGW_ASSIGN_OR_RETURN(options.metrics_address, ParseListenAddress(name, value));
  return Status::Ok();
}

/// For options of which only one value is implemented.
Status AcceptOnly(std::string_view only, std::string_view name, const std::string& value) {
  if (value == only) {
    return Status::Ok();
  }
  return Refuse(fmt::format("{}={}: not implemented at present, only {}={} is", name, value, name, only));
}

using Options = MountOptions;
using Name = std::string_view;
using Value = const std::string&;

constexpr OptionSpec kSpecs[] = {
    {"cache_dir=", "DIR", "/var/cache/ocfsgw/HASH",
     "directory of the page store and the control socket; one mount only", Use::kGateway,
     [](Options& o, Name n, Value v) { return AssignPath(o.cache_dir, n, v); }},
    {"cache_size=", "SIZE", "1G", "most disk space the page store takes, 16M or more", Use::kGateway,
     [](Options& o, Name n, Value v) { return Assign(o.cache_bytes, ParseSize(n, v, 16ULL << 20)); }},
    {"memory=", "SIZE", "256M", "bound of the page store's block cache and queues, 64M or more",
     Use::kGateway,
     [](Options& o, Name n, Value v) { return Assign(o.memory_bytes, ParseSize(n, v, 64ULL << 20)); }},
    {"lease=", "auto|o2dlm|local|none", "auto", "who says that what is cached is current", Use::kGateway,
     SetLease},
    {"dlmfs=", "DIR", "/dlm", "where dlmfs is mounted", Use::kGateway,
     [](Options& o, Name n, Value v) { return AssignPath(o.dlmfs_dir, n, v); }},
    {"max_leases=", "N", "8192", "most leases held at a time, 1 to 1000000; one descriptor each",
     Use::kGateway,
     [](Options& o, Name n, Value v) { return Assign(o.max_leases, ParseNumber(n, v, 1, 1'000'000)); }},
    {"recall_deadline_ms=", "MS", "5000",
     "longest time a writer elsewhere waits for this gateway, 100 to 600000", Use::kGateway,
     [](Options& o, Name n, Value v) { return Assign(o.recall_deadline, ParseNumber(n, v, 100, 600'000)); }},
    {"guardian=", "0|1", "1",
     "0, for debugging: nobody kills a gateway that hangs or restarts one that died, and the kernel is to "
     "trust no attributes",
     Use::kGateway, [](Options& o, Name n, Value v) { return Assign(o.guardian, ParseNumber(n, v, 0, 1)); }},
    {"hold_off_ms=", "MS", "500",
     "how long no lease is asked for after a writer took it, 10 to 60000; up to 60 times that while "
     "leases do not last",
     Use::kGateway,
     [](Options& o, Name n, Value v) { return Assign(o.hold_off, ParseNumber(n, v, 10, 60'000)); }},
    {"max_staleness_ms=", "MS", "0",
     "what was known of a file or directory may be served for so long after another changed it, 0 to 600000",
     Use::kGateway,
     [](Options& o, Name n, Value v) { return Assign(o.max_staleness, ParseNumber(n, v, 0, 600'000)); }},
    {"names=", "none|safe|all", "safe",
     "names that the kernel keeps under a lease: none; all, but before Linux 6.2 only those that do not "
     "exist; all but directories' there, too, where nothing may be mounted below the mount point then",
     Use::kGateway, SetNames},
    {"fcntl=", "node|cluster", "node",
     "only node at present: fcntl locks hold among the processes of this node", Use::kGateway,
     [](Options&, Name n, Value v) { return AcceptOnly("node", n, v); }},
    {"fast=", "DIR", "", "not implemented at present, refused", Use::kGateway,
     [](Options&, Name n, Value v) {
       return Refuse(fmt::format("{}={}: not implemented at present", n, v));
     }},
    {"metrics=", "ADDR:PORT", "",
     "serve Prometheus metrics at http://ADDR:PORT/metrics; IPv4, [IPv6] or localhost", Use::kGateway,
     SetMetrics},
    {"log=", "FILE", "", "append the log to FILE, not to syslog (stderr with -f)", Use::kGateway,
     [](Options& o, Name n, Value v) { return AssignPath(o.log_file, n, v); }},
    {"log_level=", "debug|info|warning|error", "info", "least important messages to log", Use::kGateway,
     SetLogLevel},
    {"rw ro", "", "rw", "writable or read-only", Use::kLibfuse,
     [](Options& o, Name n, Value) {
       o.read_only = n == "ro";
       return Status::Ok();
     }},
    {"allow_other", "", "", "other users than the one who mounts may use the mount", Use::kLibfuse},
    {"default_permissions", "", "", "the kernel checks permissions by mode", Use::kLibfuse},
    {"auto_unmount", "", "", "unmount when the gateway dies", Use::kLibfuse},
    {"fsname=", "NAME", "SOURCE", "source as shown by mount(8)", Use::kLibfuse},
    {"subtype=", "NAME", "ocfsgw", "type as shown by mount(8): fuse.NAME", Use::kLibfuse},
    {"nodev dev", "", "nodev", "device files; mount(8) adds dev unless told nodev", Use::kLibfuse},
    {"nosuid suid", "", "nosuid", "set-user-ID bits; mount(8) adds suid unless told nosuid", Use::kLibfuse},
    {"exec noexec", "", "exec", "running programs", Use::kLibfuse},
    {"async sync", "", "async", "whether every write is synchronous", Use::kLibfuse},
    {"dirsync", "", "", "synchronous directory changes", Use::kLibfuse},
    {"atime noatime", "", "atime", "access times, which the source's mount options decide", Use::kLibfuse},
    {"defaults auto noauto nofail _netdev user user= users nouser owner noowner group nogroup diratime "
     "nodiratime "
     "relatime norelatime strictatime nostrictatime lazytime nolazytime silent loud comment= x-* X-*",
     "", "", "for mount(8) and systemd only: accepted and ignored", Use::kIgnored},
};

std::vector<std::string_view> Names(const OptionSpec& spec) {
  std::vector<std::string_view> names;
  for (size_t begin = 0; begin < spec.names.size();) {
    const size_t end = std::min(spec.names.find(' ', begin), spec.names.size());
    names.push_back(spec.names.substr(begin, end - begin));
    begin = end + 1;
  }
  return names;
}

/// What the user sees: "lease=auto|none" or "rw, ro".
std::string Label(const OptionSpec& spec) {
  return fmt::format("{}{}", fmt::join(Names(spec), ", "), spec.argument);
}

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
  for (const OptionSpec& spec : kSpecs) {
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

Status CheckLeaseOptions(const MountOptions& options, const Given& given) {
  const auto refuse_with = [&given](std::string_view lease, std::span<const std::string_view> names) {
    for (const std::string_view name : names) {
      if (Has(given, name)) {
        return Refuse(fmt::format("{}= means nothing with lease={}: leave one of them out", name, lease));
      }
    }
    return Status::Ok();
  };
  static constexpr std::string_view kNotWithNone[] = {
      "cache_size", "dlmfs", "max_leases", "recall_deadline_ms", "hold_off_ms", "max_staleness_ms"};
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

std::string HelpText() {
  std::string text =
      "Usage: ocfsgw SOURCE MOUNTPOINT [-o OPTION[,OPTION...]]... [-f]\n"
      "       mount -t fuse.ocfsgw SOURCE MOUNTPOINT [-o OPTION[,OPTION...]]\n\n"
      "Mounts SOURCE, a directory of a shared OCFS2 file system, at MOUNTPOINT; reads are served from a "
      "cache on\n"
      "local disk that is provably current.\n\n"
      "  -o OPTIONS        mount options, see below; \\, is a comma within a value and \\\\ a backslash\n"
      "  -f, --foreground  stay in the foreground, log to stderr\n"
      "  -h, --help        print this\n"
      "  -V, --version     print the version\n\nMount options (SIZE: bytes, or with K, M, G, T):\n";
  for (const OptionSpec& spec : kSpecs) {
    text += fmt::format("  {}\n        {}{}\n", Label(spec), spec.help,
                        spec.by_default.empty() ? "" : fmt::format(" (default {})", spec.by_default));
  }
  return text +
         "\nExit status: 0 done, 1 usage or configuration, 2 the source cannot be used, 3 mounting failed,\n"
         "4 failed while running.\n";
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

std::string OptionsMarkdown() {
  std::string table = "| option | default | meaning |\n|---|---|---|\n";
  for (const OptionSpec& spec : kSpecs) {
    std::string label = fmt::format("`{}{}`", fmt::join(Names(spec), "`, `"), spec.argument);
    for (size_t bar = label.find('|'); bar != std::string::npos; bar = label.find('|', bar + 2)) {
      label.insert(bar, 1, '\\');
    }
    table += fmt::format("| {} | {} | {} |\n", label, spec.by_default, spec.help);
  }
  return table;
}

}  // namespace ocfsgw::fusefs
