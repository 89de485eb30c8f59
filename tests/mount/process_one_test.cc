// The gateway as process 1 of a container: a mount and a process namespace of its own, the mount in a
// directory that it shares with others. "The host" is this program, in a mount namespace that ends with it.
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "tests/mount/files.h"
#include "tests/mount/gateway_mount.h"

namespace ocfsgw::mounttest {
namespace {

using std::chrono::steady_clock;

/// How long a thing is watched that is not to happen.
constexpr Milliseconds kWhile{700};

Milliseconds Since(steady_clock::time_point start) {
  return std::chrono::duration_cast<Milliseconds>(steady_clock::now() - start);
}

/// Not to 0, which would be this program's own group.
bool Send(pid_t pid, int signal) { return pid > 0 && kill(pid, signal) == 0; }

class ProcessOne : public MountTest {
 protected:
  static void SetUpTestSuite() {
    ASSERT_EQ(unshare(CLONE_NEWNS), 0) << "these tests mount: run them as root";
    ASSERT_EQ(mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr), 0);
  }

  void SetUp() override {
    MountTest::SetUp();
    ASSERT_TRUE(WriteFile(gateway_.Source("hello"), "world"));
    const std::string shared = gateway_.Beside("pod");
    std::filesystem::create_directory(shared);
    ASSERT_EQ(mount("pod", shared.c_str(), "tmpfs", 0, nullptr), 0);
    ASSERT_EQ(mount(nullptr, shared.c_str(), nullptr, MS_SHARED, nullptr), 0);
    std::filesystem::create_directories({shared + "/fs"});
    std::filesystem::create_directory(gateway_.Beside("app"));
    gateway_.set_mountpoint(shared + "/fs");
  }
  void TearDown() override {
    applications_.clear();
    if (sidecar_) Send(gateway_.guardian(), SIGKILL);
    sidecar_.reset();
    while (umount2(gateway_.Mount().c_str(), MNT_DETACH) == 0) {
    }
    umount2(gateway_.Beside("pod").c_str(), MNT_DETACH);
  }

  /// As a container runtime does; it serves when this returns. Without -f: a process 1 stays.
  void StartSidecar(const std::string& options = {}) {
    const std::string program = GatewayMount::Program();
    const std::string all = gateway_.Options(options);
    sidecar_ = std::make_unique<Fork>([&] {
      return execlp("unshare", "unshare", "--mount", "--pid", "--fork", "--kill-child", "--propagation",
                    "unchanged", "--mount-proc=/proc", program.c_str(), gateway_.Source().c_str(),
                    gateway_.Mount().c_str(), "-o", all.c_str(), nullptr);
    });
    ASSERT_TRUE(Eventually([this] { return ReadFile(gateway_.Mount("hello")).has_value(); }));
    ASSERT_NE(gateway_.guardian(), 0);
  }
  /// What the sidecar ends with, and how long after the signal to its process 1.
  struct Ending {
    int code;
    Milliseconds after;
  };
  Ending Await(steady_clock::time_point since) {
    const int code = sidecar_->Wait();
    sidecar_.reset();
    return {code, Since(since)};
  }

  /// A container that was started after the sidecar: it has a bind mount of what is mounted, as a slave
  /// (HostToContainer). The process does nothing; its files are looked at by /proc.
  pid_t StartApplication(const std::string& sub_path = {}) {
    const std::string from = gateway_.Mount(sub_path);
    const std::string to = gateway_.Beside("app");
    applications_.push_back(std::make_unique<Fork>([from, to] {
      if (unshare(CLONE_NEWNS) != 0 || mount(nullptr, "/", nullptr, MS_REC | MS_SLAVE, nullptr) != 0 ||
          mount(from.c_str(), to.c_str(), nullptr, MS_BIND | MS_REC, nullptr) != 0) {
        return 1;
      }
      for (;;) pause();
    }));
    const pid_t pid = applications_.back()->pid();
    const std::string mounts = "/proc/" + std::to_string(pid) + "/mounts";
    const bool ready =
        Eventually([&] { return ReadFile(mounts).value_or("").find(to) != std::string::npos; });
    return ready ? pid : 0;
  }
  std::string InApplication(pid_t pid, const std::string& name) {
    return "/proc/" + std::to_string(pid) + "/root" + gateway_.Beside("app/" + name);
  }
  /// How many file systems are mounted at the place, dead ones too.
  int Layers() {
    int layers = 0;
    std::istringstream lines(ReadFile("/proc/self/mounts").value_or(""));
    for (std::string line; std::getline(lines, line);)
      layers += line.find(" " + gateway_.Mount() + " ") != std::string::npos;
    return layers;
  }

  std::unique_ptr<Fork> sidecar_;
  std::vector<std::unique_ptr<Fork>> applications_;
};

TEST_F(ProcessOne, ServesWithoutBeingToldToStayAndEndsAtOnceWhenUnused) {
  ASSERT_NO_FATAL_FAILURE(StartSidecar());
  const auto start = steady_clock::now();
  ASSERT_TRUE(Send(gateway_.guardian(), SIGTERM));
  EXPECT_EQ(Await(start).code, 0);
  EXPECT_LT(Since(start), Milliseconds(10'000));
  EXPECT_EQ(Layers(), 0) << "the unmount did not reach the host";
}

TEST_F(ProcessOne, ReapsOrphans) {
  ASSERT_NO_FATAL_FAILURE(StartSidecar());
  const std::string one = std::to_string(gateway_.guardian());
  // The shell ends first: the others become children of process 1.
  const Outcome outcome = RunProgram({"nsenter", "--target", one, "--pid", "--mount", "sh", "-c",
                                      "for i in 1 2 3; do sleep 0.2 & done >/dev/null 2>&1; sleep 0.1"});
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  const std::string children = "/proc/" + one + "/task/" + one + "/children";
  ASSERT_NE(ReadFile(children).value_or(""), std::to_string(gateway_.pid()) + " ") << "there are no orphans";
  EXPECT_TRUE(Eventually([&] { return ReadFile(children) == std::to_string(gateway_.pid()) + " "; }))
      << "children: " << ReadFile(children).value_or("") << ", the gateway is " << gateway_.pid();
}

TEST_F(ProcessOne, IsWaitedForWhileInUse) {
  ASSERT_NO_FATAL_FAILURE(StartSidecar());
  auto file = std::make_unique<Descriptor>(open(gateway_.Mount("hello").c_str(), O_RDONLY | O_CLOEXEC));
  ASSERT_GE(file->get(), 0);
  ASSERT_TRUE(Send(gateway_.guardian(), SIGTERM));
  EXPECT_FALSE(Eventually([this] { return sidecar_->Wait(Milliseconds(0)) != -1; }, kWhile));
  ASSERT_TRUE(WriteFile(gateway_.Source("later"), "still"));
  EXPECT_TRUE(Eventually([this] { return ReadFile(gateway_.Mount("later")) == "still"; }))
      << std::strerror(errno);
  EXPECT_EQ(ReadAt(file->get(), 5), "world");
  const auto start = steady_clock::now();
  file.reset();
  const Ending ending = Await(start);
  EXPECT_EQ(ending.code, 0);
  EXPECT_LT(ending.after, Milliseconds(10'000));
  EXPECT_EQ(Layers(), 0);
}

TEST_F(ProcessOne, ServesApplicationsUntilTheyAreGone) {
  ASSERT_NO_FATAL_FAILURE(StartSidecar());
  const pid_t application = StartApplication();
  ASSERT_NE(application, 0);
  ASSERT_EQ(ReadFile(InApplication(application, "hello")), "world");
  ASSERT_TRUE(Send(gateway_.guardian(), SIGTERM));
  ASSERT_TRUE(Eventually([this] { return Layers() == 0; })) << "nothing is open on the host";
  ASSERT_TRUE(WriteFile(InApplication(application, "last"), "words"));
  EXPECT_EQ(ReadFile(gateway_.Source("last")), "words");
  EXPECT_FALSE(Eventually([this] { return sidecar_->Wait(Milliseconds(0)) != -1; }, kWhile));
  const auto start = steady_clock::now();
  applications_.clear();
  const Ending ending = Await(start);
  EXPECT_EQ(ending.code, 0);
  EXPECT_LT(ending.after, Milliseconds(10'000));
}

TEST_F(ProcessOne, EndsWithinItsGraceWhateverIsInUse) {
  ASSERT_NO_FATAL_FAILURE(StartSidecar("grace_s=3"));
  const pid_t application = StartApplication();
  ASSERT_NE(application, 0);
  const Descriptor file(open(gateway_.Mount("hello").c_str(), O_RDWR | O_CLOEXEC));
  const Mapping mapped(file.get(), 5, PROT_READ | PROT_WRITE, MAP_SHARED);
  ASSERT_TRUE(mapped.ok());
  std::memcpy(mapped.data(), "WORLD", 5);
  const auto start = steady_clock::now();
  ASSERT_TRUE(Send(gateway_.guardian(), SIGTERM));
  const Ending ending = Await(start);
  EXPECT_EQ(ending.code, 0);
  EXPECT_GE(ending.after, Milliseconds(1000)) << "it did not wait";
  EXPECT_LT(ending.after, Milliseconds(3000));
  EXPECT_EQ(Layers(), 0);
  EXPECT_EQ(ReadFile(gateway_.Source("hello")), "WORLD") << "what was mapped is lost";
  EXPECT_FALSE(ReadFile(InApplication(application, "hello")));
  EXPECT_EQ(errno, ENOTCONN);
}

TEST_F(ProcessOne, ASecondSignalEndsTheWait) {
  ASSERT_NO_FATAL_FAILURE(StartSidecar("grace_s=60"));
  const Descriptor file(open(gateway_.Mount("hello").c_str(), O_RDONLY | O_CLOEXEC));
  const pid_t guardian = gateway_.guardian();
  ASSERT_TRUE(Send(guardian, SIGTERM));
  EXPECT_FALSE(Eventually([this] { return sidecar_->Wait(Milliseconds(0)) != -1; }, kWhile));
  const auto start = steady_clock::now();
  ASSERT_TRUE(Send(guardian, SIGTERM));
  const Ending ending = Await(start);
  EXPECT_EQ(ending.code, 0);
  EXPECT_LT(ending.after, Milliseconds(10'000));
  EXPECT_EQ(Layers(), 0);
}

TEST_F(ProcessOne, AGatewayThatHangsIsKilledWithinTheGrace) {
  ASSERT_NO_FATAL_FAILURE(StartSidecar("grace_s=3,recall_deadline_ms=600000"));
  ASSERT_TRUE(Send(gateway_.pid(), SIGSTOP));
  const auto start = steady_clock::now();
  ASSERT_TRUE(Send(gateway_.guardian(), SIGTERM));
  const Ending ending = Await(start);
  EXPECT_EQ(ending.code, 4);
  EXPECT_LT(ending.after, Milliseconds(3500));
  EXPECT_EQ(Layers(), 0);
}

// All of the container, as out of memory or by `docker kill`: nobody is left to unmount.
TEST_F(ProcessOne, AnApplicationRecoversWhenTheSidecarWasKilledAndIsStartedAgain) {
  ASSERT_NO_FATAL_FAILURE(StartSidecar());
  const pid_t application = StartApplication();
  ASSERT_NE(application, 0);
  for (int kills = 1; kills <= 2; ++kills) {
    ASSERT_EQ(ReadFile(InApplication(application, "hello")), "world");
    ASSERT_TRUE(Send(gateway_.guardian(), SIGKILL));
    sidecar_->Wait();
    EXPECT_FALSE(ReadFile(InApplication(application, "nothing")));
    EXPECT_EQ(errno, ENOTCONN);
    ASSERT_EQ(Layers(), kills) << "a dead mount should be there";
    ASSERT_NO_FATAL_FAILURE(StartSidecar());
    EXPECT_EQ(ReadFile(InApplication(application, "hello")), "world");
  }
  const auto start = steady_clock::now();
  ASSERT_TRUE(Send(gateway_.guardian(), SIGTERM));
  EXPECT_EQ(Await(start).code, 0);
  EXPECT_EQ(Layers(), 0) << "dead mounts were left behind";
  EXPECT_FALSE(ReadFile(InApplication(application, "hello")));
  EXPECT_EQ(errno, ENOTCONN) << "the application sees something else";
}

// What docs/KUBERNETES.md says of subPath: the new mount is not below what such an application has.
TEST_F(ProcessOne, AnApplicationWithASubPathHasToBeStartedAgain) {
  std::filesystem::create_directory(gateway_.Source("sub"));
  ASSERT_TRUE(WriteFile(gateway_.Source("sub/hello"), "world"));
  ASSERT_NO_FATAL_FAILURE(StartSidecar());
  const pid_t application = StartApplication("sub");
  ASSERT_NE(application, 0);
  ASSERT_EQ(ReadFile(InApplication(application, "hello")), "world");
  ASSERT_TRUE(Send(gateway_.guardian(), SIGKILL));
  sidecar_->Wait();
  ASSERT_NO_FATAL_FAILURE(StartSidecar());
  EXPECT_FALSE(ReadFile(InApplication(application, "other")));
  EXPECT_EQ(errno, ENOTCONN);
  applications_.clear();
  const pid_t again = StartApplication("sub");
  ASSERT_NE(again, 0);
  EXPECT_EQ(ReadFile(InApplication(again, "hello")), "world");
}

TEST_F(ProcessOne, AnApplicationRecoversWhenTheGatewayAloneWasKilled) {
  ASSERT_NO_FATAL_FAILURE(StartSidecar());
  const pid_t application = StartApplication();
  ASSERT_NE(application, 0);
  ASSERT_EQ(ReadFile(InApplication(application, "hello")), "world");
  ASSERT_TRUE(Send(gateway_.pid(), SIGKILL));
  EXPECT_TRUE(Eventually([&] { return ReadFile(InApplication(application, "hello")) == "world"; }));
  ASSERT_EQ(umount2(gateway_.Mount().c_str(), 0), 0);
  applications_.clear();
  EXPECT_EQ(Await(steady_clock::now()).code, 0);
  EXPECT_EQ(Layers(), 0);
}

// Where nobody follows it, and where the source would be hidden by it, a dead mount is taken away.
TEST_F(ProcessOne, ADeadMountThatNobodyFollowsIsTakenAway) {
  ASSERT_EQ(mount(nullptr, gateway_.Beside("pod").c_str(), nullptr, MS_PRIVATE, nullptr), 0);
  ASSERT_TRUE(gateway_.Start());
  gateway_.Kill();
  ASSERT_EQ(Layers(), 1);
  ASSERT_TRUE(gateway_.Start());
  EXPECT_EQ(ReadFile(gateway_.Mount("hello")), "world");
  EXPECT_EQ(Layers(), 1);
  EXPECT_TRUE(gateway_.Unmount());
  EXPECT_EQ(Layers(), 0);
}

}  // namespace
}  // namespace ocfsgw::mounttest
