#include "fusefs/process_title.h"

#include <sys/prctl.h>

#include <algorithm>
#include <array>
#include <cstring>

namespace ocfsgw::fusefs {

ProcessTitle::ProcessTitle(int argc, char** argv) : begin_(argv[0]) {
  const char* end = begin_;  // the words lie one behind the other, unless somebody has moved them
  for (int i = 0; i < argc && argv[i] == end; ++i) end += std::strlen(argv[i]) + 1;
  command_line_.assign(begin_, static_cast<size_t>(end - begin_));
  std::array<char, 16> name{};
  prctl(PR_GET_NAME, name.data());
  name_ = name.data();
}

void ProcessTitle::Set(const std::string& name, const std::string& argument) {
  prctl(PR_SET_NAME, name.c_str());
  Write(name + '\0' + argument);
}

void ProcessTitle::Restore() {
  prctl(PR_SET_NAME, name_.c_str());
  Write(command_line_);
}

void ProcessTitle::Write(const std::string& command_line) {
  const size_t size = command_line_.size();
  std::memset(begin_, 0, size);
  // The last byte stays 0: else the kernel takes the environment for more of it.
  std::memcpy(begin_, command_line.data(), std::min(command_line.size(), size - 1));
}

}  // namespace ocfsgw::fusefs
