#include "tests/mount/gateway_mount.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <random>
#include <sstream>

#include "tests/mount/files.h"

namespace ocfsgw::mounttest {
namespace {

namespace fs = std::filesystem;

std::string MakeTemporaryDirectory() {
  std::string path = (fs::temp_directory_path() / "ocfsgw-mount-XXXXXX").string();
  if (mkdtemp(path.data()) == nullptr) {
    std::perror("mkdtemp");
    std::abort();
  }
  chmod(path.c_str(), 0755);  // other users are to reach the mount
  return path;
}

/// Programs of another build can be tested with OCFSGW_BIN_DIR.
std::string ProgramPath(const char* name, const char* built) {
  const char* directory =
      std::getenv("OCFSGW_BIN_DIR");  // NOLINT(concurrency-mt-unsafe): nobody calls setenv
  return directory != nullptr ? std::string(directory) + "/" + name : built;
}

/// Looking at the source is not to change it: new files inherit the flag where the file system has it.
void SetNoAccessTimes(const std::string& directory) {
  const Descriptor fd(open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  int flags = 0;
  if (ioctl(fd.get(), FS_IOC_GETFLAGS, &flags) != 0) return;
  flags |= FS_NOATIME_FL;
  ioctl(fd.get(), FS_IOC_SETFLAGS, &flags);
}

bool IsMountPoint(const std::string& path) {
  struct stat here {};
  struct stat above {};
  if (stat(path.c_str(), &here) != 0) return errno == ENOTCONN;
  return stat(fs::path(path).parent_path().c_str(), &above) == 0 && here.st_dev != above.st_dev;
}

/// As umount -R: 0, or -1 with errno. What is mounted in the mount goes first, the latest before the others.
int UnmountAll(const std::string& mountpoint) {
  std::ifstream mounts("/proc/self/mountinfo");
  std::vector<std::string> inside;
  for (std::string line; std::getline(mounts, line);) {
    std::istringstream fields(line);
    std::string path;
    for (int i = 0; i < 5; ++i) fields >> path;
    if (path.starts_with(mountpoint + "/")) inside.push_back(path);
  }
  for (auto it = inside.rbegin(); it != inside.rend(); ++it) {
    if (umount2(it->c_str(), 0) != 0) return -1;
  }
  return umount2(mountpoint.c_str(), 0);
}

/// What all gateways of a run are to have.
std::string OptionsForAll() {
  const char* const all = std::getenv("OCFSGW_GATEWAY_OPTIONS");  // NOLINT(concurrency-mt-unsafe)
  return all == nullptr ? "" : all;
}

}  // namespace

std::string GatewayMount::Program() { return ProgramPath("ocfsgw", OCFSGW_PROGRAM); }
std::string GatewayMount::ControlProgram() { return ProgramPath("ocfsgwctl", OCFSGWCTL_PROGRAM); }

GatewayMount::GatewayMount(Milliseconds time_limit)
    : directory_(MakeTemporaryDirectory()), mountpoint_(directory_ + "/mnt") {
  // Gateways in the background become children of the test: their exit status can be seen.
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  for (const char* name : {"source", "mnt", "cache"}) fs::create_directory(directory_ + "/" + name);
  SetNoAccessTimes(Source());
  janitor_ = std::make_unique<Janitor>(mountpoint_, directory_);
  watchdog_ = std::thread([this, time_limit] { Watch(time_limit); });
}

GatewayMount::~GatewayMount() {
  const std::vector<pid_t> processes = Processes();
  bool in_use = false;
  if (mounted() && UnmountAll(mountpoint_) != 0) {
    in_use = errno == EBUSY;
    umount2(mountpoint_.c_str(), MNT_DETACH);
  }
  if (in_use) ADD_FAILURE() << "the mount is still in use at the end of the test";
  for (const pid_t pid : processes) {
    if (in_use) kill(pid, SIGKILL);
    WaitForChild(pid, kSoon);  // the gateway is ours if its guardian has died
    if (Eventually([pid] { return kill(pid, 0) != 0; })) continue;
    ADD_FAILURE() << "a process did not end after the unmount\n" << StacksOf(pid);
    kill(pid, SIGKILL);
    WaitForChild(pid);
  }
  {
    const std::lock_guard lock(mutex_);
    end_ = true;
  }
  ended_.notify_all();
  watchdog_.join();
  while (mounted() && umount2(mountpoint_.c_str(), MNT_DETACH) == 0) {
  }
  janitor_.reset();
  std::error_code ignored;
  fs::remove_all(directory_, ignored);
}

void GatewayMount::Watch(Milliseconds limit) {
  std::unique_lock lock(mutex_);
  if (ended_.wait_for(lock, limit, [this] { return end_; })) return;
  for (const pid_t pid : Processes()) {
    ADD_FAILURE() << "hung: the mount's processes are killed after " << limit.count() << " ms";
    std::cerr << StacksOf(pid) << '\n';
    kill(pid, SIGKILL);
  }
  // A thread that waits for a page cannot die, and keeps every descriptor open: only this cuts the
  // connection.
  umount2(mountpoint_.c_str(), MNT_FORCE | MNT_DETACH);
}

std::string GatewayMount::Options(const std::string& more) const {
  const std::string all = OptionsForAll();
  const std::string others = (more.empty() ? "" : "," + more) + (all.empty() ? "" : "," + all);
  return "lease=local,cache_dir=" + cache_dir() +
         (others.find("passthrough=") == std::string::npos ? ",passthrough=off" : "") + others;
}

Outcome GatewayMount::Mounting(const std::string& all_options) {
  return RunProgram({Program(), Source(), mountpoint_, "-o", all_options});
}

testing::AssertionResult GatewayMount::Start(const std::string& more) {
  const Outcome outcome = Mounting(Options(more));
  if (outcome.exit_code == 0 && mounted()) {
    if (OptionsForAll().find("passthrough=on") != std::string::npos &&
        !Eventually([this] { return Ctl("status").value("passthrough", false); }, Milliseconds(2000))) {
      std::cerr << "NOT TESTED: passthrough, which this kernel does not have (Linux 6.9)\n";
    }
    return testing::AssertionSuccess();
  }
  return testing::AssertionFailure() << "ocfsgw: exit status " << outcome.exit_code << ": " << outcome.err;
}

testing::AssertionResult GatewayMount::Unmount() {
  const pid_t pid = guardian() != 0 ? guardian() : this->pid();
  if (UnmountAll(mountpoint_) != 0) return testing::AssertionFailure() << "umount: " << std::strerror(errno);
  const int code = pid != 0 ? WaitForChild(pid) : -1;
  if (code == 0) return testing::AssertionSuccess();
  return testing::AssertionFailure() << "the gateway ended with " << code;
}

testing::AssertionResult GatewayMount::Restart(const std::string& more) {
  const testing::AssertionResult unmounted = Unmount();
  return unmounted ? Start(more) : unmounted;
}

void GatewayMount::Kill() {
  const std::vector<pid_t> processes = Processes();
  ASSERT_FALSE(processes.empty());
  for (const pid_t pid : processes) kill(pid, SIGSTOP);  // none is to act on the other's end
  for (const pid_t pid : processes) kill(pid, SIGKILL);
  for (const pid_t pid : processes) EXPECT_EQ(WaitForChild(pid), 128 + SIGKILL);
}

std::vector<pid_t> GatewayMount::Processes() const {
  std::vector<pid_t> all = FindProcesses(kGuardianName, mountpoint_);
  for (const pid_t pid : FindProcesses("ocfsgw", mountpoint_)) all.push_back(pid);
  return all;
}

pid_t GatewayMount::pid() const {
  const auto found = FindProcesses("ocfsgw", mountpoint_);
  return found.empty() ? 0 : found.front();
}

pid_t GatewayMount::guardian() const {
  const auto found = FindProcesses(kGuardianName, mountpoint_);
  return found.empty() ? 0 : found.front();
}

bool GatewayMount::mounted() const { return IsMountPoint(mountpoint_); }

nlohmann::json GatewayMount::Ctl(const std::string& command) {
  const Outcome outcome = RunProgram({ControlProgram(), "--json", "--mount", mountpoint_, command});
  if (outcome.exit_code != 0) {
    ADD_FAILURE() << "ocfsgwctl " << command << ": exit status " << outcome.exit_code << ": " << outcome.err;
    return {};
  }
  return nlohmann::json::parse(outcome.out, nullptr, /*allow_exceptions=*/false);
}

double GatewayMount::Metric(const std::string& name) {
  const nlohmann::json stats = Ctl("stats");
  const auto found = stats.find(name);
  if (found != stats.end() && found->is_number()) return found->get<double>();
  ADD_FAILURE() << "no metric " << name;
  return 0;
}

void GatewayMount::Barrier() { Ctl("barrier"); }

uint64_t TestSeed() {
  const char* const given =
      std::getenv("OCFSGW_TEST_SEED");  // NOLINT(concurrency-mt-unsafe): nobody calls setenv
  const uint64_t seed = given != nullptr ? std::strtoull(given, nullptr, 10) : std::random_device{}();
  const testing::TestInfo& test = *testing::UnitTest::GetInstance()->current_test_info();
  std::cout << "seed " << seed << "; replay: OCFSGW_TEST_SEED=" << seed << " "
            << std::filesystem::read_symlink("/proc/self/exe").filename().string()
            << " --gtest_filter=" << test.test_suite_name() << "." << test.name() << std::endl;
  return seed;
}

void MountTest::SetUp() {
  ASSERT_EQ(geteuid(), 0U) << "these tests mount: run them as root";
  ASSERT_EQ(access("/dev/fuse", R_OK | W_OK), 0) << "these tests need /dev/fuse";
}

}  // namespace ocfsgw::mounttest
