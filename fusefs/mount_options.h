#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/log.h"
#include "base/status.h"
#include "fusefs/trust_names.h"

namespace ocfsgw::fusefs {

enum class LeaseMode { kAuto, kO2dlm, kLocal, kNone };

/// Fast trees of a mount, at most: each has a connection to the kernel, with threads and descriptors of its
/// own.
inline constexpr size_t kFastTreesMax = 8;

/// Whether the kernel writes to files by itself (Passthrough).
enum class Passing : uint8_t {
  kAuto,  ///< Where it can, with lease=local.
  kOn,    ///< Where it can.
  kOff,
};

/// What the user asked for. Paths are absolute and, as far as they exist, canonical.
struct MountOptions {
  std::string source;
  std::string mountpoint;
  bool foreground = false;
  bool read_only = false;
  std::string cache_dir;  ///< Never empty after parsing; a slot is taken even with lease=none.
  uint64_t cache_bytes = 1ULL << 30;
  LeaseMode lease = LeaseMode::kAuto;
  std::string dlmfs_dir = "/dlm";
  uint32_t max_leases = 8192;  ///< To be bounded by RLIMIT_NOFILE.
  std::chrono::milliseconds recall_deadline{5000};
  std::chrono::milliseconds hold_off{500};
  std::chrono::milliseconds max_staleness{0};
  TrustNames trust_names = TrustNames::kSafe;
  std::chrono::seconds lease_idle{600};
  std::chrono::seconds second_access{0};
  bool guardian = true;
  std::optional<std::chrono::seconds> grace;  ///< From SIGTERM to the end; see StopBudget.
  bool fcntl_cluster = false;                 ///< Byte-range locks across nodes.
  /// Fast trees: directories of the source, relative to it, none inside another. Empty: the whole mount.
  std::vector<std::string> fast;
  bool local_flock = false;  ///< In fast trees flock(2) is the kernel's own business.
  Passing passing = Passing::kAuto;
  uint64_t memory_bytes = 256ULL << 20;    ///< For the page store, all its parts.
  bool admission = true;                   ///< A full page store refuses file data that it does not remember.
  uint64_t read_ahead_bytes = 1ULL << 20;  ///< Of the kernel; 0: its own choice.
  std::string metrics_address;             ///< ADDR:PORT, or empty: no endpoint.
  std::string log_file;                    ///< Empty: syslog, or stderr in the foreground.
  log::Level log_level = log::Level::kInfo;
  /// What libfuse is to be told, ro and allow_other included; each is the escaped argument of one -o.
  std::vector<std::string> libfuse_options;
};

struct CommandLine {
  MountOptions options;
  /// Not empty (--help, --version): print it to stdout and exit with 0; `options` then mean nothing.
  std::string text;
};

/// Parses `ocfsgw SOURCE MOUNTPOINT [-o OPTS]... [-f]`, also as mount.fuse3 calls it. Nothing needs to exist
/// yet: whether the source can be used is found out later. Errors: kInvalidArgument with one line for the
/// user.
Result<CommandLine> ParseCommandLine(int argc, const char* const* argv);

/// What --help prints.
std::string HelpText();
/// The table of mount options as docs/OPERATIONS.md shows it (Markdown).
std::string OptionsMarkdown();
/// The same as the list in docs/man/ocfsgw.8 (mdoc).
std::string OptionsMan();

}  // namespace ocfsgw::fusefs
