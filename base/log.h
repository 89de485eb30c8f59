#pragma once

#include <fmt/format.h>

#include <string>
#include <string_view>

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

/// Replaces the sink. kInvalidArgument if the file cannot be opened; the log then stays as it was.
Status Configure(const Options& options);

void Write(Level level, std::string_view line);

template <typename... Args>
void Debug(fmt::format_string<Args...> format, Args&&... args) {
  Write(Level::kDebug, fmt::format(format, std::forward<Args>(args)...));
}
template <typename... Args>
void Info(fmt::format_string<Args...> format, Args&&... args) {
  Write(Level::kInfo, fmt::format(format, std::forward<Args>(args)...));
}
template <typename... Args>
void Warning(fmt::format_string<Args...> format, Args&&... args) {
  Write(Level::kWarning, fmt::format(format, std::forward<Args>(args)...));
}
template <typename... Args>
void Error(fmt::format_string<Args...> format, Args&&... args) {
  Write(Level::kError, fmt::format(format, std::forward<Args>(args)...));
}

}  // namespace ocfsgw::log
