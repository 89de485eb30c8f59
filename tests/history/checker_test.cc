// Histories as text (history.h says what a line is): legal ones pass, each kind of violation is found.
#include "tests/history/checker.h"

#include <gtest/gtest.h>

#include <random>
#include <sstream>

namespace ocfsgw::history {
namespace {

std::vector<Operation> History(const std::string& text) {
  std::istringstream in(text);
  auto history = Parse(in);
  EXPECT_TRUE(history.ok()) << history.status().ToString();
  return std::move(history).value();
}

/// The rules that the history breaks, in the order of the registers and reads.
std::vector<Rule> Broken(const std::string& text, const CheckOptions& options = {}) {
  std::vector<Rule> rules;
  const auto history = History(text);
  for (const auto& violation : Check(history, options).violations) {
    rules.push_back(violation.rule);
    EXPECT_NE(Describe(violation, history), "");
  }
  return rules;
}

using Rules = std::vector<Rule>;
constexpr const char* kTwoWrites = "1 1 0 10 w x a\n1 1 20 30 w x b\n";

TEST(LegalRead, WhatWasThereBeforeOrWhatIsBeingWritten) {
  EXPECT_EQ(Broken(kTwoWrites + std::string("2 2 11 19 r x a\n3 2 15 25 r x b\n4 3 24 40 r x a\n")), Rules{});
}

TEST(LegalRead, AWriteThatNeverReturnedMayBeSeenOrNotAtAnyTime) {
  EXPECT_EQ(Broken("1 1 0 10 w x a\n2 1 20 - w x b\n3 2 50 60 r x a\n3 2 70 80 r x b\n"), Rules{});
}

TEST(LegalRead, SeveralValuesWhileTheLaterIsWritten) {
  EXPECT_EQ(Broken(kTwoWrites + std::string("2 2 25 35 r x a b\n")), Rules{});
}

TEST(LegalRead, WhatIsThereOnTheWayOnlyWhileTheWriteIsInFlight) {
  EXPECT_EQ(Broken("1 1 0 10 w x a\n1 1 20 30 w x empty b\n2 2 25 35 r x empty\n"), Rules{});
  EXPECT_EQ(Broken("1 1 0 10 w x a\n1 1 20 30 w x empty b\n2 2 31 35 r x empty\n"), Rules{Rule::kStale});
  EXPECT_EQ(Broken("1 1 0 10 w x a\n1 1 20 30 w x * b\n2 2 25 35 r x odd\n"), Rules{});
  EXPECT_EQ(Broken("1 1 0 10 w x a\n1 1 20 30 w x * b\n2 2 31 35 r x odd\n"), Rules{Rule::kNeverWritten});
}

TEST(LegalRead, ANumberUsedBeforeOnlyWhileAWriteThatMayTakeItIsInFlight) {
  const std::string before = "1 1 0 10 w x 7\n1 1 20 30 w x absent\n";
  EXPECT_EQ(Broken(before + "1 1 40 50 w x ** absent\n2 2 45 48 r x 7\n"), Rules{});
  EXPECT_EQ(Broken(before + "1 1 40 50 w x ** absent\n2 2 31 35 r x 7\n"), Rules{Rule::kStale});
  EXPECT_EQ(Broken(before + "1 1 40 50 w x ** absent\n2 2 51 55 r x 7\n"), Rules{Rule::kStale});
  EXPECT_EQ(Broken(before + "1 1 40 50 w x * absent\n2 2 45 48 r x 7\n"), Rules{Rule::kStale});
}

TEST(LegalRead, AValueThatWasWrittenAgain) {
  EXPECT_EQ(Broken(kTwoWrites + std::string("1 1 40 50 w x a\n2 2 60 70 r x a\n2 2 71 72 r x a\n")), Rules{});
}

TEST(LegalRead, AFailedLookClaimsNothing) {
  EXPECT_EQ(Broken(kTwoWrites + std::string("2 2 60 70 f x ENOTCONN\n")), Rules{});
}

TEST(IllegalRead, Stale) {
  EXPECT_EQ(Broken(kTwoWrites + std::string("2 2 31 40 r x a\n")), Rules{Rule::kStale});
}

TEST(IllegalRead, StaleInTheOrderOfOneProcessWhereTheTimesOverlap) {
  EXPECT_EQ(Broken("1 1 0 10 w x a\n2 1 20 30 w x b\n2 1 25 35 r x a\n"), Rules{Rule::kStale});
  EXPECT_EQ(Broken("1 1 0 10 w x a\n1 1 5 15 w x b\n2 2 16 17 r x a\n"), Rules{Rule::kStale});
  EXPECT_EQ(Broken("1 1 0 10 w x a\n1 1 5 15 w x b\n1 1 14 17 r x a\n"), Rules{Rule::kStale});
}

TEST(IllegalRead, LostUpdate) {
  EXPECT_EQ(Broken("1 1 0 10 w x a\n1 1 20 30 w x b\n2 2 40 50 w x c\n3 3 60 70 r x b\n"),
            Rules{Rule::kStale});
}

TEST(IllegalRead, GoingBackBetweenTwoReaders) {
  const std::string text = kTwoWrites + std::string("2 2 21 22 r x b\n3 3 23 24 r x a\n");
  EXPECT_EQ(Broken(text), Rules{Rule::kBackwards});
  EXPECT_EQ(Broken(text, {.backwards_between_places = false}), Rules{});
  EXPECT_EQ(Broken(kTwoWrites + std::string("2 2 21 22 r x b\n3 2 23 24 r x a\n"),
                   {.backwards_between_places = false}),
            Rules{Rule::kBackwards});
}

TEST(IllegalRead, GoingBackInOneProcessWhereTheTimesOverlap) {
  EXPECT_EQ(Broken(kTwoWrites + std::string("2 2 21 25 r x b\n2 2 23 27 r x a\n")), Rules{Rule::kBackwards});
}

TEST(IllegalRead, TornBlock) {
  EXPECT_EQ(Broken(kTwoWrites + std::string("2 2 40 50 r x b a\n")), Rules{Rule::kTorn});
}

TEST(IllegalRead, NeverWrittenAndFromTheFuture) {
  EXPECT_EQ(Broken(kTwoWrites + std::string("2 2 40 50 r x c\n")), Rules{Rule::kNeverWritten});
  EXPECT_EQ(Broken(kTwoWrites + std::string("2 2 15 19 r x b\n")), Rules{Rule::kFuture});
}

constexpr const char* kNames =
    "1 1 0 1 w name:d/kept present\n1 1 2 3 w name:d/gone present\n1 1 4 5 w name:d/new absent\n"
    "1 1 10 20 w name:d/gone absent\n1 1 30 40 w name:d/new present\n";

TEST(Names, ListingsThatOverlapAChangeShowEither) {
  EXPECT_EQ(
      Broken(kNames + std::string("2 2 15 18 l d gone kept\n2 2 19 29 l d kept\n3 3 35 45 l d kept new\n")),
      Rules{});
}

TEST(Names, NameThatCameBack) {
  EXPECT_EQ(Broken(kNames + std::string("2 2 21 29 l d gone kept\n")), Rules{Rule::kStale});
  EXPECT_EQ(Broken(kNames + std::string("2 2 15 16 l d kept\n2 2 17 18 l d gone kept\n")),
            Rules{Rule::kBackwards});
}

TEST(Names, NameMissingFromAListing) {
  EXPECT_EQ(Broken(kNames + std::string("2 2 41 50 l d new\n")),
            Rules{Rule::kNeverWritten} /* kept was never absent */);
  EXPECT_EQ(Broken(kNames + std::string("2 2 41 50 l d kept\n")), Rules{Rule::kStale});
}

TEST(Names, StaleNegativeEntry) {
  EXPECT_EQ(Broken(kNames + std::string("2 2 41 50 r name:d/new absent\n")), Rules{Rule::kStale});
}

TEST(Format, LinesSurvive) {
  const std::string line = "12 2 100 - w data/f:3 a b";
  EXPECT_EQ(Format(History("# header\n\n" + line).at(0)), line);
  for (const char* bad : {"1 1 0 w x a", "1 1 0 10 z x a", "1 1 10 0 w x a", "1 1 0 10 r x", "x"}) {
    std::istringstream in{bad};
    EXPECT_FALSE(Parse(in).ok()) << bad;
  }
}

// What a correct register does, under load: the value of a read is what it holds at a moment of its own.
// Then one read in a thousand is given the value before: each of those that no overlap excuses is found.
TEST(Load, EveryPlantedViolationAndNothingElse) {
  constexpr int kRegisters = 20, kPerRegister = 5'000;
  const uint64_t seed = 7;
  std::mt19937_64 random(seed);
  std::vector<Operation> history;
  size_t planted = 0;
  for (const bool plant : {false, true}) {
    history.clear();
    for (int r = 0; r < kRegisters; ++r) {
      int64_t now = 0, write_end = 0;
      uint64_t version = 0;
      for (int i = 0; i < kPerRegister; ++i) {
        now += 100;
        Operation op{.start = now, .end = now + 50, .object = "r" + std::to_string(r)};
        if (i == 0 || random() % 8 == 0) {
          op.kind = Operation::Kind::kWrite;
          op.process = 1, op.place = 1;
          op.values = {std::to_string(++version)};
          write_end = op.end;
        } else {
          op.process = op.place = 2 + static_cast<uint32_t>(random() % 3);
          const bool old = plant && version > 1 && random() % 1000 == 0;
          planted += old;
          op.values = {std::to_string(old ? version - 1 : version)};
          // Starts before the write that it sees has returned.
          if (!old && random() % 4 == 0) op.start = std::min(op.start, write_end);
        }
        history.push_back(std::move(op));
      }
    }
    EXPECT_EQ(Check(history).violations.size(), planted);
  }
  EXPECT_GT(planted, 50u);
}

}  // namespace
}  // namespace ocfsgw::history
