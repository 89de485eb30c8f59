#pragma once

#include <string>

namespace ocfsgw::fusefs {

/// The name and command line under which ps(1) shows this process. Used by one thread.
class ProcessTitle {
 public:
  /// REQUIRES: `argv` as main got it, and not used by anybody else any more.
  ProcessTitle(int argc, char** argv);

  /// `name`: at most 15 bytes, also what pkill(1) goes by. `argument` is cut off where the first command
  /// line ended.
  void Set(const std::string& name, const std::string& argument);
  void Restore();

 private:
  void Write(const std::string& command_line);

  char* const begin_;
  std::string command_line_;  ///< Words as the kernel shows them, each with its NUL.
  std::string name_;
};

}  // namespace ocfsgw::fusefs
