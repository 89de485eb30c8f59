#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <vector>

#include "tests/posix/differential/step.h"

namespace ocfsgw::posixdiff {

/// Makes a sequence from a seed: the same on every machine.
class Maker {
 public:
  explicit Maker(uint64_t seed) : state_(seed) {}

  std::vector<Step> Sequence(size_t steps);

  uint64_t Next();
  int64_t Below(int64_t limit) { return static_cast<int64_t>(Next() % static_cast<uint64_t>(limit)); }
  bool OneIn(int64_t n) { return Below(n) == 0; }
  template <typename T>
  T Of(std::initializer_list<T> values) {
    return values.begin()[Below(static_cast<int64_t>(values.size()))];
  }

  /// Root more often than others: more of what it tries works.
  int SomeActor() { return static_cast<int>(Below(4) % 3); }
  /// Of the fixture, and most likely still there.
  std::string Existing();
  std::string Target() { return OneIn(2) ? Existing() : Path(); }
  /// Mostly of something in the fixture, now and then of what no file system should accept.
  std::string Path();
  std::string DirectoryPath();
  std::string Name();
  int64_t Offset();
  int64_t Length();
  int64_t Mode();

  /// A slot for a descriptor, which later steps will use.
  void Open(Step& step);
  /// Actor and slot of something opened by an earlier step, if there is one.
  void UseOpen(Step& step);

 private:
  std::string StrangePath();
  struct Slot {
    int actor;
    int fd;
  };
  uint64_t state_;
  std::vector<Slot> open_;
};

/// Every call there is, in a fixed order; the first opens a file in the most usual way.
const std::vector<Call>& AllCalls();
std::vector<Call> OpenCalls();
std::vector<Call> DataCalls();
std::vector<Call> SpaceCalls();
std::vector<Call> MapCalls();
std::vector<Call> NameCalls();
std::vector<Call> AttributeCalls();
std::vector<Call> StatCalls();
std::vector<Call> XattrCalls();
std::vector<Call> DirectoryCalls();
std::vector<Call> LockCalls();

}  // namespace ocfsgw::posixdiff
