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
Command AddCompareCommand(CLI::App& app);
/// `command`: what TakeLocksCommand has found.
Command AddLocksCommand(CLI::App& app, std::vector<std::string> command);

/// What follows -- behind "locks" is a command line of its own, and is not parsed: CLI11 would take "[a,b]"
/// apart. Takes it away from `argc`.
std::vector<std::string> TakeLocksCommand(int& argc, char** argv);

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
