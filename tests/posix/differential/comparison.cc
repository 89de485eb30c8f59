#include "tests/posix/differential/comparison.h"

#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <sstream>

#include "tests/posix/differential/fixture.h"
#include "tests/posix/differential/world.h"

namespace ocfsgw::posixdiff {
namespace {

/// The pairs of lines that are not the same. Where one tree has more names, the first of them and no other.
std::vector<std::pair<std::string, std::string>> DifferingLines(const std::string& bare,
                                                                const std::string& gateway) {
  const auto names = [](const std::string& line) { return line.substr(0, line.find(": ")); };
  std::istringstream left(bare), right(gateway);
  std::vector<std::pair<std::string, std::string>> pairs;
  std::string here, there;
  for (;;) {
    const bool more_here = static_cast<bool>(std::getline(left, here));
    const bool more_there = static_cast<bool>(std::getline(right, there));
    if (!more_here && !more_there) return pairs;
    if (!more_here) here = "(no more)";
    if (!more_there) there = "(no more)";
    if (here == there) continue;
    if (names(here) != names(there)) return {{here, there}};
    pairs.emplace_back(here, there);
  }
}

/// For a tree's line and a step's result: the words in which they differ, without names and numbers.
std::string DifferingWords(const std::string& bare, const std::string& gateway) {
  std::istringstream left(bare), right(gateway);
  std::string here, there, before, words;
  while (left >> here && right >> there) {
    if (here != there) {
      const bool error = here.starts_with("-E") || there.starts_with("-E");
      words += " " + before + (error ? here + "/" + there : "");
      if (error) break;
    }
    before = here;
  }
  return words;
}

}  // namespace

std::string Difference::Kind(const std::vector<Step>& steps) const {
  return (step < steps.size() ? steps[step].call->name : std::string("tree")) + DifferingWords(bare, gateway);
}

Comparison::Comparison(const std::string& bare, const std::string& gateway, bool watch_ctimes)
    : bare_(bare + "/posix_diff." + std::to_string(getpid())),
      gateway_(gateway + "/posix_diff." + std::to_string(getpid())),
      watch_ctimes_(watch_ctimes) {
  for (const std::string& path : {bare_, gateway_}) std::filesystem::create_directory(path);
}

Comparison::~Comparison() {
  RemoveTree(bare_);
  RemoveTree(gateway_);
}

bool Comparison::Judge(const Step& step, Difference difference, std::optional<Difference>& found) {
  for (const Deviation& known : KnownDeviations()) {
    if (!known.matches(step, difference.bare, difference.gateway)) continue;
    ++seen_[known.name];
    return known.after == Deviation::After::kGoOn;
  }
  found = std::move(difference);
  return false;
}

std::optional<Difference> Comparison::Run(const std::vector<Step>& steps, bool watch) {
  static uint64_t number = 0;
  const std::string name = "/" + std::to_string(number++);
  const Watching watching{.steps = watch, .ctimes = watch_ctimes_};
  World bare(bare_ + name, steps, watching);
  World gateway(gateway_ + name, steps, watching);
  std::optional<Difference> found;
  for (size_t i = 0; i < steps.size(); ++i) {
    Difference difference{i, bare.Do(i), gateway.Do(i)};
    ++steps_;
    Count& count = counts_[steps[i].call->name];
    ++(difference.bare.starts_with("-") ? count.failed : count.worked);
    if (difference.bare != difference.gateway && !Judge(steps[i], std::move(difference), found)) return found;
  }
  static const Call kTree{"tree", "", 0, nullptr, nullptr};
  static const Step kTreeStep{.call = &kTree, .path = {}, .path2 = {}, .text = {}};
  for (auto& [here, there] : DifferingLines(bare.Tree(), gateway.Tree())) {
    if (!found) Judge(kTreeStep, {steps.size(), std::move(here), std::move(there)}, found);
  }
  return found;
}

Difference Comparison::Shrink(std::vector<Step>& steps, std::vector<size_t>& kept, Difference difference,
                              bool watch) {
  const std::string kind = difference.Kind(steps);
  const auto cut = [](auto& list, size_t from, size_t count) {
    list.erase(list.begin() + static_cast<std::ptrdiff_t>(from),
               list.begin() + static_cast<std::ptrdiff_t>(from + count));
  };
  if (difference.step + 1 < steps.size()) {
    kept.resize(difference.step + 1);
    steps.resize(difference.step + 1);
  }
  for (size_t chunk = std::max<size_t>(steps.size() / 2, 1);; chunk /= 2) {
    for (size_t end = steps.size(); end > 0; end -= std::min(end, chunk)) {
      const size_t from = end - std::min(end, chunk);
      std::vector<Step> fewer = steps;
      if (end > fewer.size()) continue;
      cut(fewer, from, end - from);
      auto again = Run(fewer, watch);
      if (!again || again->Kind(fewer) != kind) continue;
      cut(kept, from, end - from);
      steps = std::move(fewer);
      difference = std::move(*again);
    }
    if (chunk <= 1) return difference;
  }
}

}  // namespace ocfsgw::posixdiff
