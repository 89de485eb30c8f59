#pragma once

#include <fmt/format.h>

#include <string>
#include <string_view>
#include <utility>

#include "base/status.h"

/// The log: one line a message, to stderr in the foreground and to the file given with log= or syslog in the
/// background. Thread-safe. Lines are for operators: what happened, to what, and what to do.
namespace ocfsgw::log {

enum class Level { kDebug, kInfo, kWarning, kError };

/// "debug", "info", "warning" or "error".
Result<Level> ParseLevel(std::string_view name);

struct Options {
  Level level = Level::kInfo;
  std::string file;  ///< Append to this file; empty: stderr, or syslog if `syslog` is set.
  bool syslog = false;
};

/// Replaces the sink and the level (before the first call: stderr, kInfo). kInvalidArgument if the file
/// cannot be opened; the log then stays as it was.
Status Configure(const Options& options);

/// Whether lines of this level are written; the functions below format nothing if not.
bool Enabled(Level level);
/// Writes one line; control characters in it become '?'.
void Write(Level level, std::string_view line);

template <typename... Args>
void Debug(fmt::format_string<Args...> format, Args&&... args) {
  if (Enabled(Level::kDebug)) Write(Level::kDebug, fmt::format(format, std::forward<Args>(args)...));
}
template <typename... Args>
void Info(fmt::format_string<Args...> format, Args&&... args) {
  if (Enabled(Level::kInfo)) Write(Level::kInfo, fmt::format(format, std::forward<Args>(args)...));
}
template <typename... Args>
void Warning(fmt::format_string<Args...> format, Args&&... args) {
  if (Enabled(Level::kWarning)) Write(Level::kWarning, fmt::format(format, std::forward<Args>(args)...));
}
template <typename... Args>
void Error(fmt::format_string<Args...> format, Args&&... args) {
  if (Enabled(Level::kError)) Write(Level::kError, fmt::format(format, std::forward<Args>(args)...));
}

}  // namespace ocfsgw::log
