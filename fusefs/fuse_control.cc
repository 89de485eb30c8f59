#include "fusefs/fuse_control.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mount.h>
#include <unistd.h>

#include <array>
#include <charconv>

namespace ocfsgw::fusefs {

FuseControl::FuseControl() {
  const UniqueFd context(fsopen("fusectl", FSOPEN_CLOEXEC));
  if (context && fsconfig(context.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) == 0) {
    root_ = UniqueFd(fsmount(context.get(), FSMOUNT_CLOEXEC, 0));
  }
  if (!root_) root_ = UniqueFd(open("/sys/fs/fuse/connections", O_PATH | O_DIRECTORY | O_CLOEXEC));
}

UniqueFd FuseControl::Open(uint32_t device, const char* file, int flags) const {
  if (!root_ || device == 0) return {};
  return UniqueFd(openat(root_.get(), fmt::format("{}/{}", device, file).c_str(), flags | O_CLOEXEC));
}

std::optional<uint64_t> FuseControl::Waiting(uint32_t device) const {
  const UniqueFd file = Open(device, "waiting", O_RDONLY);
  std::array<char, 32> text{};
  const ssize_t size = file ? read(file.get(), text.data(), text.size()) : -1;
  uint64_t waiting = 0;
  if (size <= 0 || std::from_chars(text.data(), text.data() + size, waiting).ec != std::errc()) return {};
  return waiting;
}

void FuseControl::Abort(uint32_t device) const {
  const UniqueFd file = Open(device, "abort", O_WRONLY);
  if (file) static_cast<void>(!write(file.get(), "1", 1));
}

}  // namespace ocfsgw::fusefs
