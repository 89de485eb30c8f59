#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "fusefs/mount_options.h"

namespace ocfsgw::fusefs {

enum class Use { kGateway, kLibfuse, kIgnored };

/// One row of the table that is parsed by, printed by --help, and compared with docs/OPERATIONS.md and the
/// manual page by tests.
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

std::span<const OptionSpec> OptionSpecs();

/// The alternatives of a row, as they are in `names`.
std::vector<std::string_view> Names(const OptionSpec& spec);

/// What the user sees: "lease=auto|none" or "rw, ro".
std::string Label(const OptionSpec& spec);

}  // namespace ocfsgw::fusefs
