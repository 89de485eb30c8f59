#pragma once

#include <gtest/gtest.h>
#include <sys/types.h>

#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <vector>

#include "tests/mount/janitor.h"
#include "tests/mount/process.h"

namespace ocfsgw::mounttest {

/// A gateway with its guardian over a temporary source directory. Whatever the test does, the destructor
/// unmounts, ends the gateway and removes the directories; a gateway that lives longer than the time limit is
/// taken for hung: its stacks are printed, it is killed, and the test fails. Not thread-safe, except for the
/// paths.
class GatewayMount {
 public:
  explicit GatewayMount(Milliseconds time_limit = Milliseconds(60'000));
  ~GatewayMount();
  GatewayMount(const GatewayMount&) = delete;
  GatewayMount& operator=(const GatewayMount&) = delete;

  static std::string Program();
  static std::string ControlProgram();

  /// A path below the source, below the mount, or beside both.
  std::string Source(const std::string& path = {}) const { return Join(directory_ + "/source", path); }
  std::string Mount(const std::string& path = {}) const { return Join(mountpoint_, path); }
  std::string Beside(const std::string& path) const { return Join(directory_, path); }
  std::string cache_dir() const { return directory_ + "/cache"; }
  void set_mountpoint(const std::string& path) { mountpoint_ = path; }

  /// lease=local, passthrough=off as on OCFS2 (unless `more` has it), the cache directory, `more`, and those
  /// of OCFSGW_GATEWAY_OPTIONS in the environment.
  std::string Options(const std::string& more = {}) const;
  /// Mounts in the background; the options as for Options().
  testing::AssertionResult Start(const std::string& more = {});
  /// Runs `ocfsgw SOURCE MOUNTPOINT` with all of its options given.
  Outcome Mounting(const std::string& all_options);
  /// Unmounts by umount(2) and waits for the gateway to end with 0.
  testing::AssertionResult Unmount();
  testing::AssertionResult Restart(const std::string& more = {});
  /// kill -9 of gateway and guardian at once, and waits until they are gone. The dead mount stays.
  void Kill();

  /// The gateway's process, 0 if there is none; its guardian's.
  pid_t pid() const;
  pid_t guardian() const;
  bool mounted() const;

  /// What `ocfsgwctl --json COMMAND` prints; null and a failure if it does not work.
  nlohmann::json Ctl(const std::string& command);
  double Metric(const std::string& name);
  /// Returns when all changes made to the source so far have been noticed.
  void Barrier();

 private:
  static std::string Join(const std::string& base, const std::string& path) {
    return path.empty() ? base : base + "/" + path;
  }
  void Watch(Milliseconds limit);
  /// The guardian first: it would start the gateway again.
  std::vector<pid_t> Processes() const;

  std::string directory_;
  std::string mountpoint_;
  std::unique_ptr<Janitor> janitor_;

  std::mutex mutex_;
  std::condition_variable ended_;
  bool end_ = false;
  std::thread watchdog_;
};

/// Where a random test starts: OCFSGW_TEST_SEED, or a new one. Prints it with the command that replays it.
uint64_t TestSeed();

/// Fails, rather than skips, where mounting is not possible.
class MountTest : public testing::Test {
 protected:
  void SetUp() override;
  GatewayMount gateway_;
};

}  // namespace ocfsgw::mounttest
