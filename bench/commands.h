#pragma once

#include <CLI/CLI.hpp>
#include <atomic>
#include <functional>
#include <string>
#include <vector>

#include "base/exit_code.h"
#include "base/status.h"

namespace ocfsgw::bench {

/// Does what a subcommand's options, which it has kept, ask for. Prints its errors.
using Command = std::function<ExitCode(const std::atomic<bool>& stop)>;

/// Adds the subcommand to `app`; the result may be called when `app` has parsed the command line, and lives
/// as long as the options.
Command AddReplayCommand(CLI::App& app);
Command AddRunCommand(CLI::App& app);
Command AddImportStraceCommand(CLI::App& app);
Command AddRecordCommand(CLI::App& app);

// What they share.

/// One line on stderr; returns `code`.
ExitCode Fail(ExitCode code, const Status& status);
/// kInvalidArgument.
Status Invalid(std::string message);
/// On stdout; kExitRuntime, and a line on stderr, if that cannot be written, else `code`.
ExitCode Print(const std::string& text, ExitCode code);
/// "a,b" as two parts; never none.
std::vector<std::string> CommaSeparated(const std::string& text);

}  // namespace ocfsgw::bench
