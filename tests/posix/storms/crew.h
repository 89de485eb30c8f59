#pragma once

#include <pthread.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <random>
#include <string>
#include <vector>

namespace ocfsgw::storms {

/// Where a storm takes place and how hard it blows.
struct Scene {
  std::vector<std::string>
      ways;  ///< Paths of one directory: through the gateway, behind it. Processes take them in turn.
  uint64_t seed = 1;
  int processes = 4;
  int rounds = 100;
  bool late =
      false;  ///< Changes of names by one way may be seen late by another, until `settle` has been run.
  std::string settle;  ///< A shell command.
  bool stale = false;  ///< Opening a file that is being replaced may fail with ESTALE or ENOMEM.
};

/// What all processes of a storm share. Counters mean what the storm says.
struct Shared {
  static constexpr int kCounters = 64;
  pthread_barrier_t barrier;
  std::array<std::atomic<int64_t>, kCounters> counter;
};

/// One process of a storm.
class Member {
 public:
  Member(const Scene& scene, Shared& shared, const std::string& top, int id);

  int id() const { return id_; }
  /// The storm's directory by this process's way.
  const std::string& top() const { return top_; }
  std::string At(const std::string& name) const { return top_ + "/" + name; }
  std::atomic<int64_t>& counter(int i) { return shared_.counter[static_cast<size_t>(i)]; }
  /// Returns when all processes have come here.
  void Meet() { pthread_barrier_wait(&shared_.barrier); }
  uint64_t Below(uint64_t n) { return random_() % n; }
  /// Ends the storm. The text says what was seen and what should have been.
  [[noreturn]] void Fail(const std::string& what) const;
  /// Fails with errno unless `good`.
  void Must(bool good, const std::string& what) const;

 private:
  Shared& shared_;
  const std::string top_;
  const int id_;
  std::mt19937_64 random_;
};

/// Makes an empty directory NAME, runs `body` in scene.processes processes at once, waits for all of them.
/// False if one failed; the others are killed then.
bool Run(const Scene& scene, const std::string& name, const std::function<void(Member&)>& body);

/// Everything below `directory`, sorted: relative paths, of directories with a slash at the end.
std::vector<std::string> Tree(const std::string& directory);
/// Has every way show what has been done by the others.
void Settle(const Scene& scene);
/// Whether all ways show this below NAME; says so if not. Removes it all, by the first way.
bool LeavesOnly(const Scene& scene, const std::string& name, const std::vector<std::string>& expected);

/// All of a file. `where`: the call that failed.
std::string ReadAll(const std::string& path, int* error, const char** where = nullptr);

}  // namespace ocfsgw::storms
