#include "fusefs/option_table.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/path.h"
#include "fusefs/option_values.h"

namespace ocfsgw::fusefs {
namespace {

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

template <typename T, size_t kCount>
Status Choose(T& chosen, std::string_view name, const std::string& value,
              const std::pair<std::string_view, T> (&choices)[kCount]) {
  std::vector<std::string_view> names;
  for (const auto& [choice_name, choice] : choices) {
    if (value == choice_name) {
      chosen = choice;
      return Status::Ok();
    }
    names.push_back(choice_name);
  }
  return Refuse(fmt::format("{}={}: not one of {}", name, value, fmt::join(names, ", ")));
}

Status SetLease(MountOptions& options, std::string_view name, const std::string& value) {
  return Choose<LeaseMode>(options.lease, name, value,
                           {{"auto", LeaseMode::kAuto},
                            {"o2dlm", LeaseMode::kO2dlm},
                            {"local", LeaseMode::kLocal},
                            {"none", LeaseMode::kNone}});
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
  return Choose<TrustNames>(
      options.trust_names, name, value,
      {{"none", TrustNames::kNone}, {"safe", TrustNames::kSafe}, {"all", TrustNames::kAll}});
}

Status SetPassthrough(MountOptions& options, std::string_view name, const std::string& value) {
  return Choose<Passing>(options.passing, name, value,
                         {{"auto", Passing::kAuto}, {"on", Passing::kOn}, {"off", Passing::kOff}});
}

Status SetMetrics(MountOptions& options, std::string_view name, const std::string& value) {
  OCFSGW_ASSIGN_OR_RETURN(options.metrics_address, ParseListenAddress(name, value));
  return Status::Ok();
}

Status SetFcntl(MountOptions& options, std::string_view name, const std::string& value) {
  options.fcntl_cluster = value == "cluster";
  if (options.fcntl_cluster || value == "node") return Status::Ok();
  return Refuse(fmt::format("{}={}: not one of node, cluster", name, value));
}

Status SetLocalLock(MountOptions& options, std::string_view name, const std::string& value) {
  options.local_flock = value == "flock";
  if (options.local_flock || value == "none") return Status::Ok();
  return Refuse(fmt::format("{}={}: not one of none, flock", name, value));
}

using Options = MountOptions;
using Name = std::string_view;
using Value = const std::string&;

constexpr OptionSpec kSpecs[] = {
    {"cache_dir=", "DIR", "/var/cache/ocfsgw/HASH",
     "directory of the page stores, a numbered one for each mount that uses it at a time, 64 at most",
     Use::kGateway, [](Options& o, Name n, Value v) { return AssignPath(o.cache_dir, n, v); }},
    {"cache_size=", "SIZE", "1G",
     "most disk space a page store takes, 16M or more; n mounts on one cache_dir take n times that",
     Use::kGateway,
     [](Options& o, Name n, Value v) { return Assign(o.cache_bytes, ParseSize(n, v, 16ULL << 20)); }},
    {"memory=", "SIZE", "256M", "bound of the page store's memory, its index above all, 64M to 1T",
     Use::kGateway,
     [](Options& o, Name n, Value v) {
       return Assign(o.memory_bytes, ParseSize(n, v, 64ULL << 20, 1ULL << 40));
     }},
    {"admission=", "0|1", "1",
     "1: once the page store is full, file data gets in when it is read again within the policy's memory; 0: "
     "at the first read",
     Use::kGateway, [](Options& o, Name n, Value v) { return Assign(o.admission, ParseNumber(n, v, 0, 1)); }},
    {"read_ahead=", "SIZE", "1M",
     "how far the kernel reads ahead of a sequential reader, 0 to 1G; 0: as far as by itself, 128K",
     Use::kGateway,
     [](Options& o, Name n, Value v) { return Assign(o.read_ahead_bytes, ParseSize(n, v, 0, 1ULL << 30)); }},
    {"passthrough=", "auto|on|off", "auto",
     "whether the kernel (6.9 and later) writes by itself to a file that is opened for writing only; auto: "
     "with lease=local",
     Use::kGateway, SetPassthrough},
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
    {"grace_s=", "S", "0, or 25 as process 1",
     "from SIGTERM to the end, 0 to 3600: a mount in use is waited for, and served, for all but 9 s of it, "
     "or "
     "3/8 of it if it is short, then unmounted lazily; 0: lazily at once, and without a bound",
     Use::kGateway,
     [](Options& o, Name n, Value v) {
       OCFSGW_ASSIGN_OR_RETURN(const uint64_t seconds, ParseNumber(n, v, 0, 3600));
       o.grace = std::chrono::seconds(seconds);
       return Status::Ok();
     }},
    {"hold_off_ms=", "MS", "500",
     "how long no lease is asked for after a writer took it, 10 to 60000; up to 60 times that while "
     "leases do not last",
     Use::kGateway,
     [](Options& o, Name n, Value v) { return Assign(o.hold_off, ParseNumber(n, v, 10, 60'000)); }},
    {"max_staleness_ms=", "MS", "0",
     "what was known of a file or directory may be served for so long after another changed it, 0 to 600000",
     Use::kGateway,
     [](Options& o, Name n, Value v) { return Assign(o.max_staleness, ParseNumber(n, v, 0, 600'000)); }},
    {"lease_idle_s=", "S", "600",
     "a lease that nobody has asked for in so long is given back, up to 16 times later if it was missed the "
     "last time; 0 to 86400, 0: never",
     Use::kGateway,
     [](Options& o, Name n, Value v) { return Assign(o.lease_idle, ParseNumber(n, v, 0, 86'400)); }},
    {"second_access_s=", "S", "0",
     "a file or directory of which nothing is stored gets a lease only when it is accessed again within so "
     "long, 0 to 86400; 0: at the first access",
     Use::kGateway,
     [](Options& o, Name n, Value v) { return Assign(o.second_access, ParseNumber(n, v, 0, 86'400)); }},
    {"names=", "none|safe|all", "safe",
     "names that the kernel keeps under a lease: none; all, but where the kernel cannot age names (before "
     "6.2 "
     "and late 6.1) only those that do not exist; all but directories' there, too, where nothing may be "
     "mounted "
     "below the mount point then",
     Use::kGateway, SetNames},
    {"fcntl=", "node|cluster", "node",
     "fcntl locks hold among the processes of this node, or among those of all nodes that use cluster; needs "
     "lease=o2dlm",
     Use::kGateway, SetFcntl},
    {"fast=", "/DIR[:/DIR...]", "",
     "fast trees, directories of SOURCE, 8 at most, or / for all of it: opening a file there costs no "
     "message, "
     "but not everything is as elsewhere; a colon in a name has a backslash before it",
     Use::kGateway,
     [](Options& o, Name n, Value v) {
       OCFSGW_ASSIGN_OR_RETURN(o.fast, ParseTrees(n, v, kFastTreesMax));
       return Status::Ok();
     }},
    {"local_lock=", "none|flock", "none",
     "in fast trees: none: flock(2) fails with ENOLCK; flock: it holds among the processes of this mount",
     Use::kGateway, SetLocalLock},
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

}  // namespace

std::span<const OptionSpec> OptionSpecs() { return kSpecs; }

std::vector<std::string_view> Names(const OptionSpec& spec) {
  std::vector<std::string_view> names;
  for (size_t begin = 0; begin < spec.names.size();) {
    const size_t end = std::min(spec.names.find(' ', begin), spec.names.size());
    names.push_back(spec.names.substr(begin, end - begin));
    begin = end + 1;
  }
  return names;
}

std::string Label(const OptionSpec& spec) {
  return fmt::format("{}{}", fmt::join(Names(spec), ", "), spec.argument);
}

}  // namespace ocfsgw::fusefs
