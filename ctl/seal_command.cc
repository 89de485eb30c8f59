#include "ctl/seal_command.h"

#include <fmt/format.h>

#include <filesystem>

#include "base/path.h"
#include "ctl/control_client.h"
#include "ctl/mount_registry.h"

namespace ocfsgw::ctl {
namespace {

Result<MountEntry> Mount(const std::string& mountpoint, const std::string& canonical) {
  if (mountpoint.empty()) {
    if (auto mount = MountOf(canonical)) return *std::move(mount);
    return Status(StatusCode::kInvalidArgument,
                  canonical + ": not in a mount of ocfsgw (the source is not meant, but a mount of it)");
  }
  OCFSGW_ASSIGN_OR_RETURN(MountEntry mount, FindMount(mountpoint));
  if (IsInside(canonical, mount.mountpoint)) return mount;
  return Status(StatusCode::kInvalidArgument, canonical + ": not in the mount at " + mount.mountpoint);
}

}  // namespace

Result<nlohmann::json> SealTree(const std::string& command, const std::string& mountpoint,
                                const std::string& path, std::chrono::milliseconds patience) {
  std::error_code error;
  const std::filesystem::path canonical = std::filesystem::canonical(path, error);
  if (error) return Status(StatusCode::kInvalidArgument, path + ": " + error.message());
  OCFSGW_ASSIGN_OR_RETURN(const MountEntry mount, Mount(mountpoint, canonical));
  const std::string inside = canonical.lexically_relative(mount.mountpoint);
  const nlohmann::json request = {{"cmd", command}, {"path", inside == "." ? "" : inside}};
  auto stream = GatewayStream::Open(mount.socket, request, patience);
  if (!stream.ok()) {
    const bool refused = stream.status().Is(StatusCode::kInvalidArgument);
    return refused ? Status(StatusCode::kSystem, stream.status().ToString()) : stream.status();
  }
  for (;;) {
    const auto line = stream->Next(std::chrono::steady_clock::now() + patience);
    if (line.status().Is(StatusCode::kBusy)) {
      return Status(StatusCode::kUnavailable,
                    fmt::format("{}: no progress, given up; {} again goes on", path, command));
    }
    if (line.status().Is(StatusCode::kUnavailable)) {
      return Status(StatusCode::kUnavailable,
                    fmt::format("{}: the gateway ended; {} again goes on", path, command));
    }
    OCFSGW_RETURN_IF_ERROR(line.status());
    if (line->contains("error")) return Status(StatusCode::kSystem, line->at("error").get<std::string>());
    if (line->contains("already")) return *line;
  }
}

std::string SealText(const std::string& command, const std::string& path, const nlohmann::json& result) {
  const auto inodes = result.value("inodes", uint64_t{0});
  return fmt::format("{}: {}{}ed, {} files and directories\n", path,
                     result.value("already", false) ? "already " : "", command, inodes);
}

}  // namespace ocfsgw::ctl
