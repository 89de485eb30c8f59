#include "base/log.h"

#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/sinks/syslog_sink.h>
#include <spdlog/spdlog.h>

#include <syslog.h>

namespace ocfsgw::log {
namespace {

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
  try {
    spdlog::sink_ptr sink;
    if (!options.file.empty()) {
      sink = std::make_shared<spdlog::sinks::basic_file_sink_mt>(options.file);
    } else if (options.syslog) {
      sink = std::make_shared<spdlog::sinks::syslog_sink_mt>("ocfsgw", LOG_PID, LOG_DAEMON, true);
    } else {
      sink = std::make_shared<spdlog::sinks::stderr_sink_mt>();
    }
    auto logger = std::make_shared<spdlog::logger>("ocfsgw", std::move(sink));
    logger->set_level(ToSpdlog(options.level));
    logger->flush_on(spdlog::level::debug);
    logger->set_pattern(
        options.syslog && options.file.empty() ? "%v" : "%Y-%m-%dT%H:%M:%S.%eZ ocfsgw[%P] %l: %v",
        spdlog::pattern_time_type::utc);
    spdlog::set_default_logger(std::move(logger));
  } catch (const spdlog::spdlog_ex& error) {
    return {StatusCode::kInvalidArgument, fmt::format("log file {}: {}", options.file, error.what())};
  }
  return Status::Ok();
}

void Write(Level level, std::string_view line) { spdlog::default_logger_raw()->log(ToSpdlog(level), line); }

}  // namespace ocfsgw::log
