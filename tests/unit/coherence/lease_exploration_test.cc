// All interleavings of small worlds around real LeaseState objects (lease_world.h). Bounds, per test: which
// operations there are (one each), two grants at most unless stated, a READ asks for a lease twice at
// most: 1.6 million states in all, 0.4 million in builds that are not optimized. Within them the exploration
// is complete: every state is visited once, states are compared as a whole.

#include <gtest/gtest.h>

#include <iostream>
#include <unordered_set>

#include "tests/unit/coherence/lease_world.h"

namespace ocfsgw::coherence {
namespace {

struct Exploration {
  size_t states = 0;
  uint32_t seen = 0;
  std::string violation;  ///< With the steps that lead there; empty if there is none.
};

/// Depth first.
Exploration Explore(const Scenario& scenario, size_t states_max = 3'000'000) {
  struct Frame {
    World world;
    std::vector<World::Step> steps;
    size_t next = 0;
    bool moved = false;
    std::string how;
  };
  Exploration result;
  std::unordered_set<std::string> visited;
  std::vector<Frame> path;
  const auto fail = [&](const std::string& what) {
    result.violation = what + "\n";
    for (const Frame& frame : path) result.violation += "  " + frame.how + "\n";
  };
  const auto enter = [&](World world, std::string how) {
    result.seen |= world.seen();
    auto steps = world.Candidates();
    path.push_back({std::move(world), std::move(steps), 0, false, std::move(how)});
  };
  World first(scenario);
  visited.insert(first.Signature());
  enter(std::move(first), "start");
  while (!path.empty()) {
    Frame& frame = path.back();
    if (frame.next == frame.steps.size()) {
      if (!frame.moved && !frame.world.Finished()) {
        fail("stuck");
        break;
      }
      path.pop_back();
      continue;
    }
    const World::Step step = frame.steps[frame.next++];
    World world = frame.world;
    if (!world.Do(step)) continue;
    frame.moved = true;
    const bool wrong = !world.violation().empty();
    if (!wrong && !visited.insert(world.Signature()).second) continue;
    enter(world, frame.world.Describe(step));
    if (wrong || visited.size() > states_max) {
      fail(wrong ? world.violation() : "more states than expected");
      break;
    }
  }
  result.states = visited.size();
  return result;
}

void ExpectCorrect(const char* what, const Scenario& scenario, uint32_t must_see) {
  const Exploration result = Explore(scenario);
  std::cout << "explored " << what << ": " << result.states << " states\n";
  EXPECT_EQ(result.violation, "");
  EXPECT_EQ(result.seen & must_see, must_see) << "the exploration misses what it is for";
}

void ExpectViolation(const char* what, Scenario scenario, Mistake mistake, const std::string& kind) {
  scenario.mistake = mistake;
  const Exploration result = Explore(scenario);
  std::cout << what << ": found after " << result.states << " states\n";
  EXPECT_NE(result.violation.find(kind), std::string::npos) << result.violation;
}

#ifdef NDEBUG
constexpr bool kAll = true;
#else
constexpr bool kAll = false;  // the larger worlds take minutes where nothing is optimized
#endif

/// As ExpectCorrect, in optimized builds.
void ExpectCorrectIfFast(const char* what, const Scenario& scenario, uint32_t must_see) {
  if (kAll) ExpectCorrect(what, scenario, must_see);
}

constexpr Job kReader{Role::kReader};
constexpr Job kStat{Role::kStat};
constexpr Job kCached{Role::kCachedWriter};
constexpr Job kDirect{Role::kDirectWriter};
constexpr Job kRemote{Role::kRemoteWriter};

TEST(LeaseExploration, ReadersAndARemoteWriter) {
  ExpectCorrect("reader, stat, a remote writer", {.jobs = {kReader, kStat, kRemote}},
                World::kTrusted | World::kCancelled | World::kReadAgain | World::kUncovered);
  ExpectCorrectIfFast("the same, from the page store", {.jobs = {kReader, kStat, kRemote}, .stored = true},
                      World::kForced);
  ExpectCorrectIfFast("two readers, a remote writer", {.jobs = {kReader, kReader, kRemote}},
                      World::kForced | World::kHit);
}

TEST(LeaseExploration, RecallsThatReleaseAtOnce) {
  ExpectCorrect("reader, stat, a remote writer", {.jobs = {kReader, kStat, kRemote}, .at_once = true},
                World::kTrusted | World::kReadAgain);
  ExpectCorrect("reader, writer, a remote writer, one lease",
                {.jobs = {kReader, kCached, kRemote}, .acquisitions = 1, .at_once = true}, World::kUncovered);
  ExpectCorrectIfFast("two readers, a remote writer", {.jobs = {kReader, kReader, kRemote}, .at_once = true},
                      World::kHit);
}

TEST(LeaseExploration, AWriterOfTheSameNode) {
  ExpectCorrectIfFast("reader, stat, write through the page cache", {.jobs = {kReader, kStat, kCached}},
                      World::kHit);
  ExpectCorrect("reader, stat, direct write", {.jobs = {kReader, kStat, kDirect}}, World::kTrusted);
}

TEST(LeaseExploration, WritersOfBothKinds) {
  ExpectCorrect("reader, writer, a remote writer, one lease",
                {.jobs = {kReader, kCached, kRemote}, .acquisitions = 1}, World::kUncovered);
  ExpectCorrect("two readers, writer, a remote writer, no lease",
                {.jobs = {kReader, kReader, kCached, kRemote}, .acquisitions = 0},
                World::kUncovered | World::kHit);
}

TEST(LeaseExploration, TwoNodes) {
  ExpectCorrectIfFast("reader and stat on two nodes, a remote writer",
                      {.nodes = 2, .jobs = {kReader, {Role::kStat, 1}, kRemote}, .acquisitions = 2},
                      World::kForced | World::kCancelled);
  ExpectCorrect("stat on one node, direct writers on both",
                {.nodes = 2, .jobs = {kStat, kDirect, {Role::kDirectWriter, 1}}}, World::kCancelled);
}

TEST(LeaseExploration, TimersLossesRefusalsAndCrashes) {
  ExpectCorrectIfFast("reader, stat, a remote writer, timers",
                      {.jobs = {kReader, kStat, kRemote}, .acquisitions = 1, .timers = true},
                      World::kTimerFired);
  ExpectCorrect("reader, a remote writer, a loss", {.jobs = {kReader, kRemote, {Role::kLoss}}}, World::kLost);
  ExpectCorrectIfFast("reader, stat, a remote writer, a refusal",
                      {.jobs = {kReader, kStat, kRemote}, .acquisitions = 1, .refusals = 1}, World::kRefused);
  ExpectCorrectIfFast("reader, stat, a remote writer, a crash",
                      {.jobs = {kReader, kStat, kRemote, {Role::kCrash}}, .acquisitions = 1},
                      World::kCrashed);
}

TEST(LeaseExploration, FindsWhatADriverDoesWrong) {
  const Scenario readers{.jobs = {kReader, kReader, kRemote}};
  const Scenario unleased{.jobs = {kReader, kReader, kRemote}, .acquisitions = 0};
  const Scenario writers{.jobs = {kReader, kStat, kCached, kRemote}};
  ExpectViolation("ignores distrust", writers, Mistake::kIgnoresDistrust, "stale");
  ExpectViolation("answers although BeginReply said no", readers, Mistake::kAnswersAnyway, "invariant 3");
  ExpectViolation("invalidates pages in flight", readers, Mistake::kInvalidatesPagesInFlight, "stuck");
  ExpectViolation("draws tickets too late", unleased, Mistake::kTicketsTooLate, "stale");
  ExpectViolation("answers while pages are suspect", unleased, Mistake::kAnswersWhileSuspect, "stale");
  ExpectViolation("forgets to invalidate", readers, Mistake::kForgetsToInvalidate, "invariant 3");
}

}  // namespace
}  // namespace ocfsgw::coherence
