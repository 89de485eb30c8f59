#include "ctl/mount_registry.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/log.h"
#include "base/path.h"
#include "ctl/unix_socket.h"

namespace ocfsgw::ctl {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kSuffix = ".json";
constexpr size_t kFileBytesMax = 64 * 1024;

std::optional<MountEntry> ReadEntry(const fs::path& path) {
  std::ifstream file(path);
  std::string text(kFileBytesMax, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<size_t>(file.gcount()));
  const auto json = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
  try {
    return MountEntry{json.at("mountpoint"), json.at("socket"), json.at("source"), json.at("pid")};
  } catch (const nlohmann::json::exception&) {
    return std::nullopt;
  }
}

/// The process lives and it is what listens on the socket: its id may have been given to another process
/// since, and its slot of the cache directory, with the socket, to another gateway.
bool IsAlive(const MountEntry& entry) {
  if (entry.pid <= 0 || (kill(entry.pid, 0) != 0 && errno == ESRCH)) {
    return false;
  }
  const auto connected = ConnectUnixSocket(entry.socket);
  if (!connected.ok()) {
    return !connected.status().IsErrno(ECONNREFUSED) && !connected.status().IsErrno(ENOENT);
  }
  ucred listener{};
  socklen_t size = sizeof(listener);
  return getsockopt(connected->get(), SOL_SOCKET, SO_PEERCRED, &listener, &size) != 0 ||
         listener.pid == entry.pid;
}

Status WriteEntry(const fs::path& path, const MountEntry& entry) {
  std::error_code error;
  fs::create_directories(path.parent_path(), error);
  if (error) {
    return Status::FromErrno(error.value(), path.parent_path());
  }
  const nlohmann::json json = {{"mountpoint", entry.mountpoint},
                               {"socket", entry.socket},
                               {"source", entry.source},
                               {"pid", entry.pid}};
  const fs::path temporary = path.native() + "." + std::to_string(entry.pid);
  std::ofstream file(temporary);
  file << json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) << '\n';
  file.close();
  if (!file || rename(temporary.c_str(), path.c_str()) != 0) {
    const Status status = Status::LastErrno(path);
    unlink(temporary.c_str());
    return status;
  }
  return Status::Ok();
}

}  // namespace

std::string DefaultRunDirectory() {
  const char* directory =
      std::getenv("OCFSGW_RUN_DIR");  // NOLINT(concurrency-mt-unsafe): nobody calls setenv
  return directory != nullptr && *directory != '\0' ? directory : "/run/ocfsgw";
}

MountRegistration::MountRegistration(const MountEntry& entry, const std::string& directory)
    : path_(directory + "/" + HashedName(entry.mountpoint) + std::string(kSuffix)), pid_(entry.pid) {
  if (const Status status = WriteEntry(path_, entry); !status.ok()) {
    log::Warning("ocfsgwctl will not find {}: {}", entry.mountpoint, status.ToString());
    path_.clear();
  }
}

MountRegistration::~MountRegistration() {
  if (path_.empty()) {
    return;
  }
  try {
    const auto entry = ReadEntry(path_);
    if (entry && entry->pid == pid_) {  // a successor may have taken the file over
      unlink(path_.c_str());
    }
  } catch (const std::exception&) {  // out of memory: ListMounts removes the file, the process being gone
  }
}

std::vector<MountEntry> ListMounts(const std::string& directory) {
  std::vector<MountEntry> mounts;
  std::error_code error;
  for (fs::directory_iterator it(directory, error), end; !error && it != end; it.increment(error)) {
    const fs::path& path = it->path();
    if (path.extension() != kSuffix) {
      continue;
    }
    const auto entry = ReadEntry(path);
    if (entry && IsAlive(*entry)) {
      mounts.push_back(*entry);
    } else if (entry) {
      unlink(path.c_str());
    }
  }
  std::sort(mounts.begin(), mounts.end(),
            [](const MountEntry& a, const MountEntry& b) { return a.mountpoint < b.mountpoint; });
  return mounts;
}

Result<MountEntry> FindMount(const std::string& mountpoint, const std::string& directory) {
  const std::vector<MountEntry> mounts = ListMounts(directory);
  std::vector<std::string_view> names;
  names.reserve(mounts.size());
  for (const MountEntry& mount : mounts) {
    names.push_back(mount.mountpoint);
  }
  if (mountpoint.empty()) {
    if (mounts.size() == 1) {
      return mounts.front();
    }
    return mounts.empty()
               ? Status(StatusCode::kNotFound, "no ocfsgw mount on this machine")
               : Status(StatusCode::kInvalidArgument,
                        fmt::format("several mounts, choose one with --mount: {}", fmt::join(names, ", ")));
  }
  const std::string canonical = CanonicalPath(mountpoint);
  for (const MountEntry& mount : mounts) {
    if (mount.mountpoint == mountpoint || mount.mountpoint == canonical) {
      return mount;
    }
  }
  return Status(StatusCode::kNotFound, mounts.empty() ? fmt::format("no ocfsgw mount at {}", mountpoint)
                                                      : fmt::format("no ocfsgw mount at {}, only at {}",
                                                                    mountpoint, fmt::join(names, ", ")));
}

std::optional<MountEntry> MountOf(const std::string& path, const std::string& directory) {
  std::optional<MountEntry> best;
  for (MountEntry& mount : ListMounts(directory)) {
    const bool closer = !best || mount.mountpoint.size() > best->mountpoint.size();
    if (closer && IsInside(path, mount.mountpoint)) best = std::move(mount);
  }
  return best;
}

}  // namespace ocfsgw::ctl
