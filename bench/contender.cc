#include "bench/contender.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <thread>

namespace ocfsgw::bench {
namespace {

using std::chrono::milliseconds;
constexpr milliseconds kMountPatience(20'000);
constexpr milliseconds kBusyPatience(
    2'000);  // of an unmount: somebody looks at each new mount, a desktop say
constexpr milliseconds kEndPatience(20'000);
constexpr milliseconds kPoll(5);

/// The first or last line of a file that is not empty.
std::string LineOf(const std::string& path, bool last) {
  std::ifstream file(path);
  std::string found;
  for (std::string line; (last || found.empty()) && std::getline(file, line);) {
    if (!line.empty()) found = line;
  }
  return found;
}

dev_t DeviceOf(const std::string& path) {
  struct stat st {};
  return stat(path.c_str(), &st) == 0 ? st.st_dev : 0;
}

std::vector<std::string> Filled(const Contender& contender, const std::string& program,
                                const std::string& source, const std::string& mountpoint,
                                const std::string& cache, uint64_t cache_mib) {
  std::vector<std::string> command = {program};
  for (const std::string& argument : contender.arguments) {
    command.push_back(fmt::format(fmt::runtime(argument), fmt::arg("source", source),
                                  fmt::arg("mountpoint", mountpoint), fmt::arg("cache", cache),
                                  fmt::arg("cache_mib", cache_mib)));
  }
  return command;
}

}  // namespace

const std::vector<Contender>& Contenders() {
  // Each with the kernel's page cache where it has a choice. The names and attributes of those that cannot
  // tell when they change are trusted for a minute.
  static const std::vector<Contender> all = {
      {"bare", "", {}},
      {"full",
       "ocfsgw",
       {"{source}", "{mountpoint}", "-f", "-o", "lease=local,cache_dir={cache},cache_size={cache_mib}M"},
       true},
      {"fast",
       "ocfsgw",
       {"{source}", "{mountpoint}", "-f", "-o",
        "lease=local,cache_dir={cache},cache_size={cache_mib}M,fast=/"},
       true},
      {"bindfs", "bindfs", {"-f", "{source}", "{mountpoint}"}},
      {"mergerfs",
       "mergerfs",
       {"-f", "-o",
        "cache.files=auto-full,cache.attr=60,cache.entry=60,cache.negative_entry=60,minfreespace=0",
        "{source}", "{mountpoint}"}},
      {"rclone",
       "rclone",
       {"mount", "{source}", "{mountpoint}", "--config", "/dev/null", "--vfs-cache-mode", "full",
        "--cache-dir", "{cache}", "--attr-timeout", "60s"},
       true},
  };
  return all;
}

const Contender* FindContender(std::string_view name) {
  const auto& all = Contenders();
  const auto it = std::find_if(all.begin(), all.end(), [&](const Contender& c) { return c.name == name; });
  return it == all.end() ? nullptr : &*it;
}

Result<std::unique_ptr<Mounted>> Mounted::Mount(const Contender& contender, const MountPlace& place,
                                                const std::atomic<bool>& stop) {
  std::unique_ptr<Mounted> mounted(new Mounted);
  if (contender.program.empty()) {
    mounted->path_ = place.source;
    return mounted;
  }
  const std::string program_name(contender.program);
  const auto program = FindProgram(program_name);
  if (!program) return Status(StatusCode::kUnavailable, program_name + " is not installed");
  const std::string mountpoint = place.directory + "/mount", log = place.directory + "/log";
  mounted->store_ = place.directory + "/cache";
  std::error_code error;
  std::filesystem::create_directory(mountpoint, error);
  if (error) return Status::FromErrno(error.value(), mountpoint);
  const dev_t before = DeviceOf(mountpoint);
  const auto command =
      Filled(contender, *program, place.source, mountpoint, mounted->store_, place.cache_mib);
  OCFSGW_ASSIGN_OR_RETURN(ChildProcess daemon, ChildProcess::Start(command, log));
  mounted->daemon_.emplace(std::move(daemon));
  mounted->path_ = mountpoint;
  const auto end = std::chrono::steady_clock::now() + kMountPatience;
  for (;;) {
    if (const dev_t now = DeviceOf(mountpoint); now != 0 && now != before) return mounted;
    if (stop) return Status(StatusCode::kShutdown, "interrupted");
    if (const auto code = mounted->daemon_->Ended()) {
      const std::string reason = LineOf(log, true);
      return Status(StatusCode::kUnavailable,
                    reason.empty() ? fmt::format("{} ended with {}", program_name, *code) : reason);
    }
    if (std::chrono::steady_clock::now() >= end) {
      return Status(StatusCode::kUnavailable, fmt::format("{} has not mounted in 20 s", program_name));
    }
    std::this_thread::sleep_for(kPoll);
  }
}

Mounted::~Mounted() {
  if (!daemon_) return;
  const auto end = std::chrono::steady_clock::now() + kBusyPatience;
  bool unmounted = false;
  while (!(unmounted = umount2(path_.c_str(), UMOUNT_NOFOLLOW) == 0) && errno == EBUSY &&
         std::chrono::steady_clock::now() < end) {
    std::this_thread::sleep_for(kPoll);
  }
  if (unmounted) daemon_->Wait(kEndPatience);
  daemon_->Stop();
  umount2(path_.c_str(),
          UMOUNT_NOFOLLOW | MNT_DETACH);  // what is left by one that was busy, or had to be killed
}

std::string CommandText(const Contender& contender, uint64_t cache_mib) {
  if (contender.program.empty()) return {};
  return fmt::format("{}", fmt::join(Filled(contender, std::string(contender.program), "SOURCE", "MOUNTPOINT",
                                            "CACHE", cache_mib),
                                     " "));
}

std::string VersionOf(const Contender& contender, const std::string& directory) {
  const auto program = FindProgram(std::string(contender.program));
  if (contender.program.empty() || !program) return {};
  const std::string log = directory + "/version";
  auto child = ChildProcess::Start({*program, "--version"}, log);
  if (!child.ok() || child->Wait(kEndPatience) != 0) return {};
  const std::string line = LineOf(log, false);
  std::filesystem::remove(log);
  return line;
}

}  // namespace ocfsgw::bench
