// ocfsgw-bench record.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <memory>
#include <optional>
#include <string_view>

#include "bench/commands.h"
#include "bench/recording.h"
#include "bench/tiers.h"
#include "bench/trace_output.h"
#include "ctl/control_client.h"

namespace ocfsgw::bench {
namespace {

constexpr const char* kFooter =
    "Ends after --seconds, upon Ctrl-C or SIGTERM, or with the mount. What the kernel's caches answer does "
    "not "
    "reach the\ngateway and is not in the trace. There are no names in it, only numbers.\n"
    "Exit status: 0 done, 1 usage, 2 there is no such directory, it is not in an ocfsgw mount, its gateway "
    "does not\nanswer, is too old to record or is being recorded already, or there was no request; 4 the "
    "trace "
    "cannot be\nwritten, or the gateway said something else than a recording.";

constexpr std::chrono::seconds kPatience(10);    // for what the gateway has to answer at once
constexpr std::chrono::milliseconds kLook(100);  // between two looks at the stop flag

struct Arguments {
  std::string mount;
  std::string output;
  std::optional<double> seconds;
};

Result<ctl::GatewayStream> Begin(const std::string& directory) {
  std::error_code error;
  const auto status = std::filesystem::status(directory, error);
  if (error) return Status::FromErrno(error.value(), directory);
  if (!std::filesystem::is_directory(status)) return Status::FromErrno(ENOTDIR, directory);
  const auto gateway = GatewayFor(directory);
  if (!gateway) return Invalid(directory + ": not in a mount of ocfsgw");
  auto stream = ctl::GatewayStream::Open(gateway->socket, {{"cmd", "record"}}, kPatience);
  if (stream.ok()) return stream;
  const std::string why = stream.status().ToString();
  if (!stream.status().Is(StatusCode::kInvalidArgument)) return Invalid(directory + ": " + why);
  const char* const hint =
      std::string_view(why).starts_with("unknown command") ? "; it is older than this program" : "";
  return Invalid(fmt::format("{}: its gateway does not record: {}{}", directory, why, hint));
}

/// Until the end; why it was not the one asked for, or nothing. The error of writing, or of what the gateway
/// says.
Result<std::string> Receive(ctl::GatewayStream& stream, std::optional<double> seconds,
                            const std::atomic<bool>& stop, Recording& recording,
                            const std::function<Status()>& flush) {
  using std::chrono::steady_clock;
  const TimePoint end = seconds ? steady_clock::now() + std::chrono::duration_cast<Duration>(
                                                            std::chrono::duration<double>(*seconds))
                                : TimePoint::max();
  std::optional<TimePoint> rest_until;
  for (;;) {
    const TimePoint now = steady_clock::now();
    if (!rest_until && (stop || now >= end)) {
      stream.End();
      rest_until = now + kPatience;
    }
    if (rest_until && now >= *rest_until) {
      return std::string("the gateway hangs, the last requests are missing");
    }
    const auto line = stream.Next(std::min(now + kLook, rest_until ? *rest_until : end));
    if (line.ok()) {
      OCFSGW_RETURN_IF_ERROR(recording.Take(*line));
      OCFSGW_RETURN_IF_ERROR(flush());
    } else if (line.status().Is(StatusCode::kUnavailable)) {
      return std::string(rest_until ? "" : "the gateway has ended the recording");
    } else if (!line.status().Is(StatusCode::kBusy)) {
      return line.status();
    }
  }
}

ExitCode Record(const Arguments& arguments, const std::atomic<bool>& stop) {
  auto stream = Begin(arguments.mount);
  if (!stream.ok()) return Fail(kExitSource, stream.status());
  std::string text;
  Recording recording(text);
  TraceOutput output(arguments.output);
  const auto flush = [&] { return output.Flush(text); };
  if (const Status status = flush(); !status.ok()) return Fail(kExitRuntime, status);
  const auto end = Receive(*stream, arguments.seconds, stop, recording, flush);
  const ExitCode printed =
      Print(fmt::format("{} requests, {} objects, {} bytes; {} requests dropped\n", recording.requests(),
                        recording.objects(), recording.bytes(), recording.dropped()),
            kExitDone);
  if (!end.ok()) return Fail(kExitRuntime, end.status());
  if (!end->empty()) fmt::print(stderr, "ocfsgw-bench: {}: {}\n", arguments.mount, *end);
  if (recording.requests() > 0) return printed;
  return Fail(kExitSource, Invalid(arguments.mount + ": no request reached the page store"));
}

}  // namespace

Command AddRecordCommand(CLI::App& app) {
  const auto kept = std::make_shared<Arguments>();
  CLI::App* const record = app.add_subcommand(
      "record", "makes a trace for replay of what a mount's page store is asked for, while it is used");
  record->add_option("--mount", kept->mount, "a directory of the mount")->option_text("DIR")->required();
  record->add_option("--output", kept->output, "write the trace (csv) to this file")
      ->option_text("FILE")
      ->required()
      ->check([](const std::string& path) { return path.empty() ? "a file name is needed" : ""; });
  record->add_option("--seconds", kept->seconds, "how long, above 0; default: until Ctrl-C")
      ->option_text("SECONDS")
      ->check(CLI::Range(0.001, 1e6));
  record->footer(kFooter);
  return [kept](const std::atomic<bool>& stop) { return Record(*kept, stop); };
}

}  // namespace ocfsgw::bench
