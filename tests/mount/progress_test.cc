// Deadlock rules on a real mount: everything at once, through the mount and behind it, and everybody makes
// progress.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstdio>
#include <functional>
#include <random>
#include <thread>

#include "tests/mount/files.h"
#include "tests/mount/gateway_mount.h"

namespace ocfsgw::mounttest {
namespace {

constexpr int kFiles = 8;
constexpr size_t kBytes = 300'000;
constexpr Milliseconds kDuration(8000);
/// No operation may take longer: recalls end within 1 s, and a few of them may come one after the other.
constexpr Milliseconds kOperationMax(6000);

class Progress : public testing::Test {
 protected:
  struct Worker {
    const char* name;
    std::function<void(const std::string& at, std::mt19937_64& random)> step;
    bool behind;
    std::atomic<uint64_t> steps{0};
    std::atomic<int64_t> longest_ms{0};
  };
  static std::string FileName(std::mt19937_64& random) {
    return "/dir/f" + std::to_string(random() % kFiles);
  }

  static void ReadStep(const std::string& at, std::mt19937_64& random) {
    const Descriptor fd(open((at + FileName(random)).c_str(), O_RDONLY | O_CLOEXEC));
    ReadAt(fd.get(), 100'000, static_cast<off_t>(random() % kBytes));
    struct stat st {};
    fstat(fd.get(), &st);
  }
  static void WriteStep(const std::string& at, std::mt19937_64& random) {
    const int mode = random() % 2 == 0 ? O_RDWR : O_WRONLY;
    const Descriptor fd(open((at + FileName(random)).c_str(), mode | O_CLOEXEC));
    const std::string data = Pattern(1 + random() % 20'000, random());
    if (pwrite(fd.get(), data.data(), data.size(), static_cast<off_t>(random() % kBytes)) < 0) return;
  }
  static void MapStep(const std::string& at, std::mt19937_64& random) {
    const Descriptor fd(open((at + FileName(random)).c_str(), O_RDONLY | O_CLOEXEC));
    const Mapping map(fd.get(), 4096, 1 /* PROT_READ */, 1 /* MAP_SHARED */);
    if (map.ok() && map.data()[random() % 4096] == '\0') return;
  }
  static void NamesStep(const std::string& at, std::mt19937_64& random) {
    const std::string name = at + "/dir/n" + std::to_string(random() % 20);
    const std::string other = at + "/dir/n" + std::to_string(random() % 20);
    switch (random() % 5) {
      case 0:
        WriteFile(name, "name");
        break;
      case 1:
        unlink(name.c_str());
        break;
      case 2:
        rename(name.c_str(), other.c_str());
        break;
      case 3:
        mkdir((name + "d").c_str(), 0755);
        break;
      default:
        rmdir((name + "d").c_str());
    }
  }
  static void LookStep(const std::string& at, std::mt19937_64& random) {
    if (random() % 4 == 0) List(at + "/dir");
    Describe(at + "/dir/n" + std::to_string(random() % 20));
    Describe(at + FileName(random));
  }
  static void AttrStep(const std::string& at, std::mt19937_64& random) {
    const std::string file = at + FileName(random);
    if (random() % 2 == 0) {
      chmod(file.c_str(), 0600 + random() % 64);
    } else {
      if (truncate(file.c_str(), static_cast<off_t>(kBytes + random() % 1000)) != 0) return;
    }
  }

  GatewayMount gateway_{Milliseconds(40'000)};  // then its stacks are printed, and it is killed
};

TEST_F(Progress, EverythingAtOnce) {
  ASSERT_EQ(geteuid(), 0U) << "this test mounts: run it as root";
  const uint64_t seed = TestSeed();
  ASSERT_EQ(mkdir(gateway_.Source("dir").c_str(), 0755), 0);
  for (int i = 0; i < kFiles; ++i) {
    ASSERT_TRUE(WriteFile(gateway_.Source("dir/f" + std::to_string(i)), Pattern(kBytes, i)));
  }
  ASSERT_TRUE(gateway_.Start("recall_deadline_ms=1000,max_leases=12"));

  std::array<Worker, 14> workers{{{"read", ReadStep, false},
                                  {"read", ReadStep, false},
                                  {"read", ReadStep, false},
                                  {"read", ReadStep, false},
                                  {"map", MapStep, false},
                                  {"map", MapStep, false},
                                  {"write", WriteStep, false},
                                  {"names", NamesStep, false},
                                  {"look", LookStep, false},
                                  {"look", LookStep, false},
                                  {"attributes", AttrStep, false},
                                  {"write", WriteStep, true},
                                  {"names", NamesStep, true},
                                  {"attributes", AttrStep, true}}};
  std::atomic<bool> stop{false};
  std::vector<std::thread> threads;
  for (Worker& worker : workers) {
    threads.emplace_back([this, &worker, &stop, seed, number = threads.size()] {
      std::mt19937_64 random(seed + number);
      const std::string at = worker.behind ? gateway_.Source() : gateway_.Mount();
      while (!stop) {
        const auto begin = std::chrono::steady_clock::now();
        worker.step(at, random);
        const auto took =
            std::chrono::duration_cast<Milliseconds>(std::chrono::steady_clock::now() - begin).count();
        worker.longest_ms = std::max<int64_t>(worker.longest_ms, took);
        ++worker.steps;
      }
    });
  }
  const auto end = std::chrono::steady_clock::now() + kDuration;
  Eventually([&] { return std::chrono::steady_clock::now() >= end; }, kDuration + kSoon);
  stop = true;
  for (std::thread& thread : threads) thread.join();

  for (const Worker& worker : workers) {
    std::printf("%-10s %-7s %7lu steps, longest %5ld ms\n", worker.name, worker.behind ? "behind" : "through",
                worker.steps.load(), worker.longest_ms.load());
    EXPECT_GT(worker.steps, 10U) << worker.name;
    EXPECT_LT(worker.longest_ms, kOperationMax.count()) << worker.name;
  }
  gateway_.Barrier();
  const auto stats = gateway_.Ctl("stats");
  for (const char* name :
       {"ocfsgw_recalls_total", "ocfsgw_forced_releases_total", "ocfsgw_timer_releases_total",
        "ocfsgw_idle_releases_total", "ocfsgw_read_retries_total", "ocfsgw_unleased_reads_total",
        "ocfsgw_settle_timeouts_total"}) {
    std::printf("%s %.0f\n", name, stats.value(name, -1.0));
  }
  EXPECT_EQ(List(gateway_.Mount("dir")), List(gateway_.Source("dir")));
  for (int i = 0; i < kFiles; ++i) {
    const std::string name = "dir/f" + std::to_string(i);
    EXPECT_TRUE(ReadFile(gateway_.Mount(name)) == ReadFile(gateway_.Source(name))) << name;
    EXPECT_EQ(Describe(gateway_.Mount(name)), Describe(gateway_.Source(name))) << name;
  }
}

}  // namespace
}  // namespace ocfsgw::mounttest
