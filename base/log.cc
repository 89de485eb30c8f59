#include "base/log.h"

#include <spdlog/logger.h>
#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/sinks/syslog_sink.h>
#include <syslog.h>

#include <algorithm>
#include <atomic>
#include <memory>

#include "base/mutex.h"

namespace ocfsgw::log {
namespace {

using LoggerPtr = std::shared_ptr<spdlog::logger>;
constexpr char kPattern[] = "%Y-%m-%dT%H:%M:%S.%eZ ocfsgw[%P] %l: %v";

LoggerPtr MakeLogger(spdlog::sink_ptr sink, const std::string& pattern) {
  auto logger = std::make_shared<spdlog::logger>("ocfsgw", std::move(sink));
  logger->set_level(spdlog::level::debug);  // Enabled() is the filter
  logger->flush_on(spdlog::level::debug);
  logger->set_pattern(pattern, spdlog::pattern_time_type::utc);
  return logger;
}

/// Where lines go. Never destroyed: threads may log while the process exits.
struct Target {
  std::atomic<Level> level{Level::kInfo};  // relaxed: a line more or less around Configure() is no harm
  Mutex mutex;
  LoggerPtr logger GUARDED_BY(mutex) = MakeLogger(std::make_shared<spdlog::sinks::stderr_sink_mt>(),
                                                  kPattern);
};

Target& GetTarget() {
  static Target* const target = new Target;
  return *target;
}

spdlog::level::level_enum ToSpdlog(Level level) {
  switch (level) {
    case Level::kDebug:
      return spdlog::level::debug;
    case Level::kInfo:
      return spdlog::level::info;
    case Level::kWarning:
      return spdlog::level::warn;
    case Level::kError:
      return spdlog::level::err;
  }
  return spdlog::level::info;
}

}  // namespace

Result<Level> ParseLevel(std::string_view name) {
  if (name == "debug") return Level::kDebug;
  if (name == "info") return Level::kInfo;
  if (name == "warning") return Level::kWarning;
  if (name == "error") return Level::kError;
  return Status(StatusCode::kInvalidArgument,
                fmt::format("unknown log level '{}' (debug, info, warning or error)", name));
}

Status Configure(const Options& options) {
  LoggerPtr logger;
  try {
    if (!options.file.empty()) {
      logger = MakeLogger(std::make_shared<spdlog::sinks::basic_file_sink_mt>(options.file), kPattern);
    } else if (options.syslog) {
      logger = MakeLogger(
          std::make_shared<spdlog::sinks::syslog_sink_mt>("ocfsgw", LOG_PID, LOG_DAEMON, true), "%v");
    } else {
      logger = MakeLogger(std::make_shared<spdlog::sinks::stderr_sink_mt>(), kPattern);
    }
  } catch (const spdlog::spdlog_ex& error) {
    return {StatusCode::kInvalidArgument, fmt::format("log file {}: {}", options.file, error.what())};
  }
  Target& target = GetTarget();
  target.level.store(options.level, std::memory_order_relaxed);
  MutexLock lock(target.mutex);
  target.logger.swap(logger);
  return Status::Ok();
}

bool Enabled(Level level) { return level >= GetTarget().level.load(std::memory_order_relaxed); }

void Write(Level level, std::string_view line) {
  if (!Enabled(level)) {
    return;
  }
  Target& target = GetTarget();
  LoggerPtr logger;
  {
    MutexLock lock(target.mutex);
    logger = target.logger;
  }
  // A file name may hold a newline: it must not forge a second line.
  std::string clean(line);
  std::replace_if(
      clean.begin(), clean.end(), [](unsigned char c) { return c < 0x20 || c == 0x7F; }, '?');
  logger->log(ToSpdlog(level), clean);
}

}  // namespace ocfsgw::log
