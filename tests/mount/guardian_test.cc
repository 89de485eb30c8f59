// A gateway that dies or hangs: the kernel's caches show nothing old, writers go on, and another one serves.
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <memory>
#include <random>
#include <thread>

#include "tests/mount/files.h"
#include "tests/mount/gateway_mount.h"

namespace ocfsgw::mounttest {
namespace {

constexpr size_t kBytes = 20'000;
constexpr int kFiles = 50;

std::string Name(int i) { return "f" + std::to_string(i); }

/// Sends SIGSTOP and waits until every thread has stopped: until then one may still answer a request.
bool Stop(pid_t pid) {
  if (kill(pid, SIGSTOP) != 0) return false;
  return Eventually([pid] {
    std::error_code ended;
    const std::filesystem::directory_iterator threads("/proc/" + std::to_string(pid) + "/task", ended);
    return std::all_of(begin(threads), end(threads), [](const auto& thread) {
      const std::string stat = ReadFile(thread.path() / "stat").value_or("");
      const size_t name_end = stat.rfind(')');
      return name_end != std::string::npos && stat.compare(name_end, 3, ") T") == 0;
    });
  });
}

/// A file of the mount that is open and mapped, with all of it in the kernel's caches.
struct InUse {
  explicit InUse(const std::string& path)
      : fd(open(path.c_str(), O_RDONLY | O_CLOEXEC)), map(fd.get(), kBytes, PROT_READ, MAP_SHARED) {}
  const Descriptor fd;
  const Mapping map;
};

class GuardianTest : public MountTest {
 protected:
  void SetUp() override {
    MountTest::SetUp();
    for (int i = 0; i < kFiles; ++i) ASSERT_TRUE(WriteFile(gateway_.Source(Name(i)), Pattern(kBytes, i)));
  }
  void Start(const std::string& options = {}) {
    ASSERT_TRUE(gateway_.Start(options));
    ASSERT_NO_FATAL_FAILURE(UseFiles());
  }
  /// Opens and maps every file, and looks at all of it.
  void UseFiles() {
    in_use_.clear();
    for (int i = 0; i < kFiles; ++i) {
      auto file = std::make_unique<InUse>(gateway_.Mount(Name(i)));
      ASSERT_TRUE(file->map.ok()) << std::strerror(errno);
      ASSERT_TRUE(file->map.Text() == ReadFile(gateway_.Source(Name(i))).value().substr(0, kBytes));
      in_use_.push_back(std::move(file));
    }
  }
  /// Another generation of every file, longer, behind the gateway's back: how long it waits is bounded by the
  /// test's patience only, and the kernel lets a writer wait for a lease for 45 s.
  void ChangeFiles() {
    ++generation_;
    Fork writer([this] {
      for (int i = 0; i < kFiles; ++i) {
        if (!WriteFile(gateway_.Source(Name(i)), Data(i))) return 1;
      }
      return 0;
    });
    EXPECT_EQ(writer.Wait(), 0) << "a writer still waits for the dead gateway's leases";
  }
  std::string Data(int i) const {
    return Pattern(kBytes + static_cast<size_t>(generation_), generation_ * kFiles + i);
  }
  /// What was open and mapped before may fail; what it shows is right.
  void ExpectNothingOld() {
    for (int i = 0; i < kFiles; ++i) {
      SCOPED_TRACE(Name(i));
      const std::string now = Data(i);
      const InUse& file = *in_use_[static_cast<size_t>(i)];
      struct stat st {};
      if (fstat(file.fd.get(), &st) == 0) {
        EXPECT_EQ(st.st_size, static_cast<off_t>(now.size()));
      }
      std::string data(now.size(), '\0');
      if (pread(file.fd.get(), data.data(), data.size(), 0) >= 0) {
        EXPECT_TRUE(data == now) << "pread";
      }
      Fork reader([&] {
        signal(SIGBUS, SIG_DFL);
        return std::memcmp(file.map.data(), now.data(), kBytes) == 0 ? 0 : 1;
      });
      const int code = reader.Wait();
      EXPECT_TRUE(code == 0 || code == 128 + SIGBUS) << "mapping: " << code;
    }
  }
  void ExpectServesAgain(pid_t before, int restarts) {
    ASSERT_TRUE(Eventually([&] {
      const pid_t now = gateway_.pid();
      return now != 0 && now != before && ReadFile(gateway_.Mount(Name(0))).has_value();
    }));
    for (int i = 0; i < kFiles; ++i) {
      EXPECT_TRUE(ReadFile(gateway_.Mount(Name(i))) == ReadFile(gateway_.Source(Name(i)))) << Name(i);
    }
    EXPECT_EQ(gateway_.Ctl("status").value("restarts", -1), restarts);
    EXPECT_EQ(gateway_.Metric("ocfsgw_restarts_total"), restarts);
  }
  /// How many of the table that guardian and gateway share show this path.
  int Descriptors(const std::string& path) const {
    int found = 0;
    const std::string table = "/proc/" + std::to_string(gateway_.guardian()) + "/fd";
    for (const auto& entry : std::filesystem::directory_iterator(table)) {
      std::error_code closed_meanwhile;
      found += std::filesystem::read_symlink(entry, closed_meanwhile) == path ? 1 : 0;
    }
    return found;
  }
  std::string Log() const { return gateway_.Beside("log"); }
  /// How many times the log has `text`.
  int Logged(const std::string& text) const {
    const std::string log = ReadFile(Log()).value_or("");
    int found = 0;
    for (size_t at = 0; (at = log.find(text, at)) != std::string::npos; ++at) ++found;
    return found;
  }

  std::vector<std::unique_ptr<InUse>> in_use_;
  int generation_ = 0;
};

TEST_F(GuardianTest, KilledGatewayLeavesNothingOldAndIsStartedAgain) {
  ASSERT_NO_FATAL_FAILURE(Start());
  for (int restarts = 1; restarts <= 3; ++restarts) {
    const pid_t guardian = gateway_.guardian();
    const pid_t pid = gateway_.pid();
    ASSERT_EQ(kill(pid, SIGKILL), 0);
    ChangeFiles();
    ExpectNothingOld();
    ExpectServesAgain(pid, restarts);
    EXPECT_EQ(gateway_.guardian(), guardian);
    ASSERT_NO_FATAL_FAILURE(UseFiles());
  }
  in_use_.clear();
  EXPECT_TRUE(gateway_.Unmount());
}

TEST_F(GuardianTest, StoppedGatewayIsKilledWithinTheRecallDeadline) {
  ASSERT_TRUE(WriteFile(gateway_.Source("fresh"), Pattern(kBytes, 1)));
  ASSERT_NO_FATAL_FAILURE(Start("recall_deadline_ms=1000"));
  const auto unread = std::make_unique<InUse>(gateway_.Mount("fresh"));
  ASSERT_TRUE(unread->map.ok());
  const pid_t pid = gateway_.pid();
  ASSERT_TRUE(Stop(pid));
  // A READ that nobody takes from the kernel's queue.
  Fork reader([&] {
    signal(SIGBUS, SIG_DFL);
    return unread->map.data()[0] == Pattern(1, 1)[0] ? 0 : 1;
  });
  ChangeFiles();
  EXPECT_EQ(reader.Wait(), 128 + SIGBUS);
  ExpectNothingOld();
  ExpectServesAgain(pid, 1);
}

TEST_F(GuardianTest, NothingOfADeadGatewayStaysInTheSharedDescriptors) {
  ASSERT_NO_FATAL_FAILURE(Start());
  const std::string lock = std::filesystem::canonical(gateway_.cache_dir()).string() + "/0/store/LOCK";
  ASSERT_EQ(Descriptors(lock), 1);
  const pid_t pid = gateway_.pid();
  ASSERT_EQ(kill(pid, SIGKILL), 0);
  ExpectServesAgain(pid, 1);
  EXPECT_EQ(Descriptors(lock), 1);
  ASSERT_EQ(umount2(gateway_.Mount().c_str(), MNT_DETACH), 0);
  in_use_.clear();
}

TEST_F(GuardianTest, GatewayKilledUnderLoadHoldsNobodyUp) {
  ASSERT_TRUE(gateway_.Start());
  std::atomic<bool> stop{false};
  std::array<std::atomic<uint64_t>, 6> steps{};
  std::vector<std::thread> threads;
  const uint64_t seed = TestSeed();
  for (auto& count : steps) {
    threads.emplace_back([&, number = threads.size()] {
      std::mt19937_64 random(seed + number);
      while (!stop) {
        const std::string name = Name(static_cast<int>(random() % kFiles));
        if (random() % 8 == 0) {
          AppendFile(random() % 2 == 0 ? gateway_.Source(name) : gateway_.Mount(name), "more");
        } else {
          ReadFile(gateway_.Mount(name));
        }
        ++count;
      }
    });
  }
  const auto all_go_on = [&] {
    std::array<uint64_t, 6> before{};
    for (size_t i = 0; i < steps.size(); ++i) before[i] = steps[i];
    return Eventually([&] {
      for (size_t i = 0; i < steps.size(); ++i) {
        if (steps[i] < before[i] + 20) return false;
      }
      return true;
    });
  };
  for (int restarts = 1; restarts <= 4; ++restarts) {
    EXPECT_TRUE(all_go_on());
    const pid_t pid = gateway_.pid();
    kill(pid, SIGKILL);
    EXPECT_TRUE(all_go_on()) << "after the kill";
    ASSERT_TRUE(
        Eventually([&] { return gateway_.pid() != 0 && gateway_.pid() != pid && gateway_.mounted(); }));
  }
  stop = true;
  for (std::thread& thread : threads) thread.join();
  ExpectServesAgain(0, 4);
}

/// Whether a thread of the process is in this system call.
bool IsIn(pid_t pid, long call) {
  std::error_code ended;
  const std::filesystem::directory_iterator threads("/proc/" + std::to_string(pid) + "/task", ended);
  return std::any_of(begin(threads), end(threads), [call](const auto& thread) {
    const std::string text = ReadFile(thread.path() / "syscall").value_or("");
    return text.starts_with(std::to_string(call) + " ");
  });
}

/// The dead gateway was in the middle of a READ, whose pages the kernel has locked. Slowness alone can make
/// the take-back late, but not each time.
TEST_F(GuardianTest, RequestBeingServedDoesNotHoldTheTakeBackUp) {
  GatewayMount below;
  ASSERT_TRUE(WriteFile(below.Source("file"), Pattern(kBytes, 1)));
  ASSERT_TRUE(below.Start("guardian=0"));
  const Outcome mounted = RunProgram({GatewayMount::Program(), below.Mount(), gateway_.Mount(), "-o",
                                      "lease=none,cache_dir=" + gateway_.cache_dir() + ",log=" + Log()});
  ASSERT_EQ(mounted.exit_code, 0) << mounted.err;
  int late = 0;
  for (int attempt = 1; attempt <= 3 && late == attempt - 1; ++attempt) {
    ASSERT_TRUE(Eventually([&] { return ReadFile(gateway_.Mount("file")) == Pattern(kBytes, 1); }));
    const InUse file(gateway_.Mount("file"));
    ASSERT_TRUE(file.map.ok());
    const pid_t pid = gateway_.pid();
    ASSERT_TRUE(Stop(below.pid()));
    Fork reader([&] {
      signal(SIGBUS, SIG_DFL);
      return file.map.data()[0] == Pattern(1, 1)[0] ? 0 : 1;
    });
    EXPECT_TRUE(Eventually([&] { return IsIn(pid, SYS_pread64); }));
    kill(pid, SIGKILL);
    EXPECT_EQ(reader.Wait(), 128 + SIGBUS);
    kill(below.pid(), SIGCONT);
    ASSERT_TRUE(Eventually([&] { return Logged("taken back from the kernel") == attempt; }));
    late = Logged("NOT ALL OF THEM");
    ASSERT_TRUE(Eventually([&] { return gateway_.pid() != 0 && gateway_.pid() != pid; }));
  }
  EXPECT_LT(late, 3);
  ASSERT_TRUE(Eventually([&] { return ReadFile(gateway_.Mount("file")).has_value(); }));
  EXPECT_TRUE(gateway_.Unmount());
}

TEST_F(GuardianTest, WithoutItsGuardianTheGatewayLeaves) {
  ASSERT_NO_FATAL_FAILURE(Start());
  const pid_t pid = gateway_.pid();
  const pid_t guardian = gateway_.guardian();
  ASSERT_EQ(kill(guardian, SIGKILL), 0);
  EXPECT_EQ(WaitForChild(guardian), 128 + SIGKILL);
  EXPECT_EQ(WaitForChild(pid), 4);
  EXPECT_FALSE(gateway_.mounted());
  ChangeFiles();
  ExpectNothingOld();
}

TEST_F(GuardianTest, MountStoppedInUseLeavesNothingOld) {
  for (const bool to_guardian : {false, true}) {
    ASSERT_NO_FATAL_FAILURE(Start());
    const pid_t guardian = gateway_.guardian();
    ASSERT_EQ(kill(to_guardian ? guardian : gateway_.pid(), SIGTERM), 0);
    EXPECT_EQ(WaitForChild(guardian), 0);
    EXPECT_FALSE(gateway_.mounted());
    ChangeFiles();
    ExpectNothingOld();
  }
}

TEST_F(GuardianTest, StopIsHeardWhileThereIsNoGateway) {
  ASSERT_NO_FATAL_FAILURE(Start());
  const pid_t guardian = gateway_.guardian();
  ASSERT_EQ(kill(gateway_.pid(), SIGKILL), 0);
  ASSERT_EQ(kill(guardian, SIGTERM), 0);
  EXPECT_NE(WaitForChild(guardian), -1);
  EXPECT_EQ(gateway_.pid(), 0);
  EXPECT_FALSE(gateway_.mounted());
}

TEST_F(GuardianTest, SourceThatIsGoneIsTriedAgainAndTheDeadMountStaysMeanwhile) {
  ASSERT_NO_FATAL_FAILURE(Start("log=" + Log()));
  in_use_.clear();
  const std::string away = gateway_.Beside("away");
  std::filesystem::rename(gateway_.Source(), away);
  ASSERT_EQ(kill(gateway_.pid(), SIGKILL), 0);
  ASSERT_TRUE(Eventually([&] { return Logged("starting the gateway") >= 3; }));
  EXPECT_EQ(ReadFile(gateway_.Mount(Name(0))), std::nullopt);
  EXPECT_EQ(errno, ENOTCONN) << "what is below the mount must not be seen";
  std::filesystem::rename(away, gateway_.Source());
  ASSERT_TRUE(Eventually([&] { return ReadFile(gateway_.Mount(Name(0))).has_value(); }));
  EXPECT_GE(gateway_.Ctl("status").value("restarts", 0), 3);
  EXPECT_TRUE(gateway_.Unmount());
  EXPECT_FALSE(gateway_.mounted()) << "the dead mount is still there, below";
}

// Neither threads to take everything back nor memory to share can be had for a while. Not where the sanitizer
// itself dies of that.
#if !defined(__has_feature) || !__has_feature(address_sanitizer)
TEST_F(GuardianTest, AGuardianThatIsShortOfMemoryTriesAgain) {
  ASSERT_NO_FATAL_FAILURE(Start("log=" + Log()));
  const pid_t guardian = gateway_.guardian(), pid = gateway_.pid();
  rlimit little{}, before{};
  ASSERT_EQ(prlimit(guardian, RLIMIT_AS, nullptr, &before), 0);
  little = before;
  little.rlim_cur = 1 << 20;  // less than it has: nothing more
  ASSERT_EQ(prlimit(guardian, RLIMIT_AS, &little, nullptr), 0);
  ASSERT_EQ(kill(pid, SIGKILL), 0);
  EXPECT_TRUE(Eventually([&] { return Logged("memory to share with the gateway") >= 2; }))
      << ReadFile(Log()).value_or("");
  EXPECT_EQ(gateway_.guardian(), guardian);
  ASSERT_EQ(prlimit(guardian, RLIMIT_AS, &before, nullptr), 0);
  ChangeFiles();
  EXPECT_TRUE(
      Eventually([&] { return gateway_.pid() != 0 && ReadFile(gateway_.Mount(Name(0))).has_value(); }));
  EXPECT_TRUE(ReadFile(gateway_.Mount(Name(0))) == ReadFile(gateway_.Source(Name(0))));
  in_use_.clear();
  EXPECT_TRUE(gateway_.Unmount());
}
#endif

TEST_F(GuardianTest, MountOverTheSourceIsReplaced) {
  gateway_.set_mountpoint(gateway_.Source());
  const std::string data = Pattern(kBytes, 0);
  ASSERT_TRUE(gateway_.Start());
  const pid_t pid = gateway_.pid();
  ASSERT_EQ(ReadFile(gateway_.Mount(Name(0))), data);
  ASSERT_EQ(kill(pid, SIGKILL), 0);
  ASSERT_TRUE(Eventually([&] {
    return gateway_.pid() != 0 && gateway_.pid() != pid && gateway_.mounted() &&
           ReadFile(gateway_.Mount(Name(0))) == data;
  }));
  EXPECT_TRUE(gateway_.Unmount());
  EXPECT_FALSE(gateway_.mounted());
}

TEST_F(GuardianTest, CanBeDoneWithout) {
  ASSERT_TRUE(gateway_.Start("guardian=0"));
  EXPECT_EQ(gateway_.guardian(), 0);
  EXPECT_EQ(gateway_.Ctl("status").value("guardian", -1), 0);
  const pid_t pid = gateway_.pid();
  ASSERT_EQ(kill(pid, SIGKILL), 0);
  EXPECT_EQ(WaitForChild(pid), 128 + SIGKILL);
  EXPECT_EQ(ReadFile(gateway_.Mount(Name(0))), std::nullopt);
  EXPECT_EQ(errno, ENOTCONN);
}

}  // namespace
}  // namespace ocfsgw::mounttest
