#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "tests/posix/differential/deviations.h"
#include "tests/posix/differential/step.h"

namespace ocfsgw::posixdiff {

/// Where two executions of a sequence differ: after which step, or in the trees they leave (`step` is their
/// number).
struct Difference {
  size_t step = 0;
  std::string bare;
  std::string gateway;

  /// Equal for differences that are most likely the same fault.
  std::string Kind(const std::vector<Step>& steps) const;
};

/// Executes sequences on both file systems.
class Comparison {
 public:
  /// Throws std::runtime_error if one of the directories cannot be used.
  Comparison(const std::string& bare, const std::string& gateway, bool watch_ctimes);
  ~Comparison();
  Comparison(const Comparison&) = delete;
  Comparison& operator=(const Comparison&) = delete;

  /// The first difference that is not known.
  std::optional<Difference> Run(const std::vector<Step>& steps, bool watch);
  /// Steps that are needed for a difference of that kind; leaves only those.
  Difference Shrink(std::vector<Step>& steps, std::vector<size_t>& kept, Difference difference, bool watch);

  const std::map<std::string, uint64_t>& seen() const { return seen_; }
  uint64_t steps() const { return steps_; }
  /// How often each call worked and failed, on the bare file system.
  struct Count {
    uint64_t worked = 0;
    uint64_t failed = 0;
  };
  const std::map<std::string, Count>& counts() const { return counts_; }

 private:
  /// Whether the sequence can go on; sets `found` if the deviation is not known.
  bool Judge(const Step& step, Difference difference, std::optional<Difference>& found);

  const std::string bare_;
  const std::string gateway_;
  const bool watch_ctimes_;
  std::map<std::string, uint64_t> seen_;
  std::map<std::string, Count> counts_;
  uint64_t steps_ = 0;
};

}  // namespace ocfsgw::posixdiff
