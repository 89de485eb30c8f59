// The protocol as a table: each test is one row or one chain of rows of docs/COHERENCE.md.

#include "coherence/lease_state.h"

#include <gtest/gtest.h>

#include "coherence/hold_off.h"

namespace ocfsgw::coherence {
namespace {

constexpr TimePoint kNow = TimePoint(std::chrono::seconds(100));
constexpr TimePoint kLater = kNow + std::chrono::seconds(1);

LeaseState Held() {
  LeaseState state;
  EXPECT_TRUE(state.OnWant(false, kNow).acquire);
  state.OnGranted();
  EXPECT_TRUE(state.held());
  return state;
}

/// Held, and the kernel has pages.
LeaseState HeldWithPages() {
  LeaseState state = Held();
  EXPECT_TRUE(state.BeginReply(state.epoch()));
  state.EndReply();
  return state;
}

TEST(LeaseState, WhereStalenessIsAllowedARecallReleasesAtOnceAndServingGoesOn) {
  LeaseState state = HeldWithPages();
  const uint32_t epoch = state.epoch();
  const LeaseActions recall = state.OnRecallThatMayWait();
  EXPECT_TRUE(recall.release);
  EXPECT_TRUE(recall.start_stale_timer);
  EXPECT_FALSE(recall.invalidate);
  EXPECT_FALSE(state.held());
  EXPECT_TRUE(state.serving());
  EXPECT_TRUE(state.BeginReply(epoch));
  state.EndReply();
  EXPECT_FALSE(state.OnWant(true, kLater).acquire) << "one acquisition per interval at most";

  const LeaseActions end = state.OnStaleEnd(epoch);
  EXPECT_TRUE(end.invalidate);
  EXPECT_FALSE(state.serving());
  EXPECT_FALSE(state.BeginReply(epoch));
  EXPECT_TRUE(state.suspect()) << "attributes wait until the pages are gone";
  EXPECT_TRUE(state.OnWant(false, kNow).acquire) << "no hold-off on top";
}

TEST(LeaseState, ALossTakesAttributesBackAlthoughAnOlderInvalidationIsStuck) {
  LeaseState state = HeldWithPages();
  const LeaseActions stuck = state.OnRecall(kNow);
  EXPECT_TRUE(state.OnWant(true, kNow).acquire);  // by force: another invalidation takes back what is suspect
  state.OnGranted();
  const LeaseActions second = state.OnRecall(kNow);
  EXPECT_TRUE(second.release) << "nothing is covered";
  state.OnInvalidated({stuck.marks.covered, state.suspect_mark()});
  EXPECT_TRUE(state.OnWant(false, kLater).acquire);
  state.OnGranted();
  LeaseState older = state;
  ASSERT_TRUE(older.Trust(older.epoch()));
  const LeaseActions lost = older.OnLost();
  EXPECT_TRUE(lost.invalidate);
  EXPECT_FALSE(lost.distrust);
}

TEST(LeaseState, AnOwnChangeOrALossEndsStalenessAtOnce) {
  LeaseState changed = HeldWithPages();
  changed.Trust(changed.epoch());
  changed.OnRecallThatMayWait();
  LeaseState lost = changed;
  const uint32_t epoch = changed.epoch();
  EXPECT_TRUE(changed.OnMutationBegin().distrust);
  EXPECT_FALSE(changed.serving());
  EXPECT_FALSE(changed.OnStaleEnd(epoch).invalidate) << "the timer of what is over";
  EXPECT_TRUE(lost.OnLost().invalidate);
  EXPECT_FALSE(lost.serving());
}

uint64_t BeginUncovered(LeaseState& state) {
  LeaseActions actions;
  return state.BeginUncovered(actions);
}

LeaseState HeldAndTrusted() {
  LeaseState state = Held();
  EXPECT_TRUE(state.Trust(state.epoch()));
  return state;
}

TEST(LeaseState, WantAcquiresOnceAndIsServedWhenGranted) {
  LeaseState state;
  EXPECT_TRUE(state.OnWant(false, kNow).acquire);
  EXPECT_FALSE(state.OnWant(true, kNow).acquire) << "one acquisition at a time";
  const uint32_t before = state.epoch();
  state.OnGranted();
  EXPECT_TRUE(state.held());
  EXPECT_NE(state.epoch(), before);
}

TEST(LeaseState, RecallWithoutPagesReleasesAtOnce) {
  LeaseState state = Held();
  const LeaseActions actions = state.OnRecall(kLater);
  EXPECT_TRUE(actions.release);
  EXPECT_FALSE(actions.forced);
  EXPECT_FALSE(actions.start_timer);
  EXPECT_EQ(state.phase(), LeasePhase::kNone);
}

TEST(LeaseState, RecallTakesPagesBackBeforeItReleases) {
  LeaseState state = HeldWithPages();
  const LeaseActions recall = state.OnRecall(kLater);
  EXPECT_TRUE(recall.invalidate);
  EXPECT_TRUE(recall.start_timer);
  EXPECT_FALSE(recall.release);
  EXPECT_EQ(state.phase(), LeasePhase::kRecalled);
  const LeaseActions done = state.OnInvalidated(recall.marks);
  EXPECT_TRUE(done.release);
  EXPECT_FALSE(done.forced);
  EXPECT_FALSE(state.suspect());
}

TEST(LeaseState, NoAnswerUnderAnOldEpoch) {
  LeaseState state = HeldWithPages();
  const uint32_t epoch = state.epoch();
  const LeaseActions recall = state.OnRecall(kNow);
  EXPECT_FALSE(state.BeginReply(epoch)) << "recalled";
  state.OnInvalidated(recall.marks);
  state.OnWant(true, kNow);
  state.OnGranted();
  EXPECT_FALSE(state.BeginReply(epoch)) << "held again, but what was read belongs to the lease before";
  EXPECT_TRUE(state.BeginReply(state.epoch()));
}

TEST(LeaseState, RecallWaitsForAnswersBeingSent) {
  LeaseState state = Held();
  ASSERT_TRUE(state.BeginReply(state.epoch()));
  const LeaseActions recall = state.OnRecall(kLater);
  EXPECT_FALSE(recall.invalidate) << "the answer may reach the kernel after the invalidation";
  EXPECT_FALSE(recall.release);
  const LeaseActions sent = state.EndReply();
  EXPECT_TRUE(sent.invalidate);
  EXPECT_TRUE(state.OnInvalidated(sent.marks).release);
}

TEST(LeaseState, RecallDuringAcquisitionGivesTheGrantBack) {
  LeaseState state;
  state.OnWant(false, kNow);
  EXPECT_TRUE(state.OnRecall(kLater).release) << "by the key that the recall brings";
  EXPECT_TRUE(state.OnGranted().release);
  EXPECT_EQ(state.phase(), LeasePhase::kNone);
}

TEST(LeaseState, HoldOffKeepsMetadataAwayButNotPages) {
  LeaseState state = Held();
  state.OnRecall(kLater);
  EXPECT_FALSE(state.OnWant(false, kNow).acquire);
  LeaseState urgent = state;
  EXPECT_TRUE(urgent.OnWant(true, kNow).acquire);
  EXPECT_TRUE(state.OnWant(false, kLater).acquire);
}

TEST(LeaseState, ReadsOfAContendedInodeHoldOffTooButForceTheRelease) {
  LeaseState state = HeldWithPages();
  const LeaseActions recall = state.OnRecall(kLater);
  const LeaseActions want = state.OnWant(true, kNow, true);
  EXPECT_TRUE(want.forced) << "the recall may be waiting for the very page";
  EXPECT_FALSE(want.acquire);
  state.OnInvalidated(recall.marks);
  EXPECT_TRUE(state.OnWant(true, kLater, true).acquire);
}

TEST(HoldOff, GrowsWhileLeasesDoNotLastAndStartsAnewWhenOneDoes) {
  constexpr HoldOff::Limits kLimits{std::chrono::milliseconds(500), std::chrono::seconds(30)};
  HoldOff hold_off;
  TimePoint now = kNow;
  const auto taken_after = [&](Duration lasted) {
    hold_off.OnGranted(now);
    now += lasted;
    hold_off.OnTaken(now, kLimits);
    const Duration length = hold_off.End(now, kLimits) - now;
    now += length;
    return length;
  };
  constexpr auto kQuick = std::chrono::milliseconds(50);
  EXPECT_EQ(taken_after(kQuick), kLimits.first);
  EXPECT_EQ(taken_after(kQuick), 2 * kLimits.first);
  EXPECT_FALSE(hold_off.contended(kLimits));
  EXPECT_EQ(taken_after(kQuick), 4 * kLimits.first);
  EXPECT_TRUE(hold_off.contended(kLimits));
  for (int i = 0; i < 10; ++i) taken_after(kQuick);
  EXPECT_EQ(taken_after(kQuick), kLimits.most);
  EXPECT_EQ(taken_after(2 * kLimits.most), kLimits.first);
  EXPECT_FALSE(hold_off.contended(kLimits));
}

TEST(LeaseState, ARefusalHoldsOffToo) {
  LeaseState state;
  state.OnWant(false, kNow);
  state.OnRefused(kLater);
  EXPECT_FALSE(state.OnWant(false, kNow).acquire);
  EXPECT_TRUE(state.OnWant(false, kLater).acquire);
}

TEST(LeaseState, AReadThatNeedsPagesForcesTheReleaseOfARecalledLease) {
  LeaseState state = HeldWithPages();
  const LeaseActions recall = state.OnRecall(kLater);
  const LeaseActions want = state.OnWant(true, kNow);
  EXPECT_TRUE(want.release);
  EXPECT_TRUE(want.forced);
  EXPECT_TRUE(want.acquire);
  EXPECT_TRUE(state.suspect()) << "pages of the old lease are still being taken back";
  const LeaseActions again = state.OnInvalidated(recall.marks);
  EXPECT_FALSE(again.release) << "released already";
  EXPECT_TRUE(again.invalidate) << "what came under the old lease is suspect now, and taken back as such";
  state.OnInvalidated(again.marks);
  EXPECT_FALSE(state.suspect());
}

TEST(LeaseState, MetadataDoesNotForce) {
  LeaseState state = HeldWithPages();
  state.OnRecall(kLater);
  const LeaseActions want = state.OnWant(false, kLater);
  EXPECT_FALSE(want.release);
  EXPECT_FALSE(want.acquire);
}

TEST(LeaseState, TheTimerForcesARecallThatTheKernelDoesNotAnswer) {
  LeaseState state = HeldWithPages();
  const LeaseActions recall = state.OnRecall(kLater);
  const LeaseActions timer = state.OnTimer(state.epoch());
  EXPECT_TRUE(timer.release);
  EXPECT_TRUE(timer.forced);
  EXPECT_TRUE(state.suspect());
  const LeaseActions again = state.OnInvalidated(recall.marks);
  EXPECT_FALSE(again.release);
  state.OnInvalidated(again.marks);
  EXPECT_FALSE(state.suspect());
}

TEST(LeaseState, ATimerOfAnEarlierRecallDoesNothing) {
  LeaseState state = HeldWithPages();
  const LeaseActions recall = state.OnRecall(kNow);
  const uint32_t epoch = state.epoch();
  state.OnInvalidated(recall.marks);
  state.OnWant(true, kNow);
  state.OnGranted();
  ASSERT_TRUE(state.BeginReply(state.epoch()));
  state.EndReply();
  state.OnRecall(kLater);
  EXPECT_FALSE(state.OnTimer(epoch).release);
}

TEST(LeaseState, AChangeOfOurOwnReleasesFirstAndItsPagesAreSuspectUntilTheyAreTakenBackAfterTheAnswer) {
  LeaseState state = HeldWithPages();
  const uint64_t ticket = BeginUncovered(state);
  const LeaseActions begin = state.OnMutationBegin();
  EXPECT_TRUE(begin.release);
  EXPECT_TRUE(state.suspect());
  EXPECT_FALSE(state.OnWant(true, kLater).acquire) << "no lease while the change is under way";
  EXPECT_FALSE(begin.invalidate) << "pages of the old lease may be in the range that the WRITE has locked";
  state.OnMutationEnd(kLater);
  const LeaseActions end = state.EndUncovered(ticket);
  EXPECT_TRUE(end.invalidate) << "what was written is in the kernel's pages, and no lease covers it";
  EXPECT_TRUE(state.suspect());
  state.OnInvalidated(end.marks);
  EXPECT_FALSE(state.suspect());
  EXPECT_TRUE(state.idle());
}

TEST(LeaseState, AChangeWithoutPagesTakesBackWhatTheLeaseCovered) {
  LeaseState state = HeldWithPages();
  const LeaseActions begin = state.OnMutationBegin();
  EXPECT_TRUE(begin.release);
  EXPECT_TRUE(begin.invalidate);
  EXPECT_TRUE(state.suspect());
  state.OnInvalidated(begin.marks);
  EXPECT_FALSE(state.suspect());
  state.OnMutationEnd(kLater);
  EXPECT_TRUE(state.idle());
}

TEST(LeaseState, AnAnswerBeingPreparedWithoutALeaseIsSuspectFromTheStart) {
  LeaseState state;
  const uint64_t first = BeginUncovered(state);
  EXPECT_TRUE(state.suspect()) << "another reader may wait for the very page";
  const uint64_t mark = state.suspect_mark();
  const uint64_t second = BeginUncovered(state);
  const LeaseActions end = state.EndUncovered(first);
  EXPECT_TRUE(end.invalidate);
  state.OnInvalidated(end.marks);
  EXPECT_TRUE(state.SettledUpTo(mark)) << "who came before the second need not wait for it";
  EXPECT_TRUE(state.suspect());
  state.OnInvalidated(state.EndUncovered(second).marks);
  EXPECT_FALSE(state.suspect());
}

TEST(LeaseState, AGrantDuringAChangeIsGivenBack) {
  LeaseState state;
  state.OnWant(false, kNow);
  state.OnMutationBegin();
  EXPECT_TRUE(state.OnGranted().release);
  EXPECT_FALSE(state.held());
}

TEST(LeaseState, UncoveredAnswersAreTakenBackOneInvalidationAfterTheOther) {
  LeaseState state;
  const LeaseActions first = state.EndUncovered(BeginUncovered(state));
  EXPECT_TRUE(first.invalidate);
  EXPECT_FALSE(state.EndUncovered(BeginUncovered(state)).invalidate) << "one at a time";
  const LeaseActions again = state.OnInvalidated(first.marks);
  EXPECT_TRUE(again.invalidate) << "the second answer came after the first invalidation had begun";
  EXPECT_TRUE(state.suspect());
  state.OnInvalidated(again.marks);
  EXPECT_FALSE(state.suspect());
}

// Found by the cluster simulation: the older invalidation waits for a page of a READ, which waits in the
// backend behind the writer, which waits for this lease. Only an invalidation that leaves that READ out gets
// the lease released.
TEST(LeaseState, ARecallDoesNotWaitForAnOlderInvalidation) {
  LeaseState state;
  const LeaseActions older = state.EndUncovered(BeginUncovered(state));
  ASSERT_TRUE(older.invalidate);
  state.OnWant(true, kNow);
  state.OnGranted();
  ASSERT_TRUE(state.BeginReply(state.epoch()));
  state.EndReply();
  const LeaseActions recall = state.OnRecall(kLater);
  EXPECT_TRUE(recall.invalidate);
  EXPECT_TRUE(state.OnInvalidated(recall.marks).release);
  EXPECT_FALSE(state.OnInvalidated(older.marks).release);
  EXPECT_TRUE(state.idle());
}

TEST(LeaseState, ARecallDoesNotWaitForUncoveredAnswers) {
  LeaseState state = HeldWithPages();
  const uint64_t ticket = BeginUncovered(state);
  const LeaseActions recall = state.OnRecall(kLater);
  EXPECT_TRUE(state.OnInvalidated(recall.marks).release)
      << "the ticket's READ may wait for the writer behind it";
  EXPECT_TRUE(state.suspect());
  state.OnInvalidated(state.EndUncovered(ticket).marks);
  EXPECT_TRUE(state.idle());
}

// Found by the exploration: a page came without a lease, a remote writer changed it, a WRITE of our own took
// it to change another part of it. An invalidation that starts now leaves it out, so it must not count as
// gone: a reader that asks for attributes would be let through to what is in the rest of it.
TEST(LeaseState, AnOlderPageThatAWriteInFlightHasIsNotTakenBackBesideIt) {
  LeaseState state;
  const uint64_t read = BeginUncovered(state);
  const uint64_t mark = state.suspect_mark();
  const uint64_t write = BeginUncovered(state);
  state.OnMutationBegin();
  const LeaseActions beside = state.EndUncovered(read);
  if (beside.invalidate) state.OnInvalidated(beside.marks);
  EXPECT_FALSE(state.SettledUpTo(mark));
  state.OnMutationEnd(kLater);
  const LeaseActions after = state.EndUncovered(write);
  ASSERT_TRUE(after.invalidate);
  state.OnInvalidated(after.marks);
  EXPECT_TRUE(state.SettledUpTo(mark));
  EXPECT_TRUE(state.idle());
}

TEST(LeaseState, LostLeasesAreVoidAtOnceAndTheirPagesTakenBack) {
  LeaseState state = HeldWithPages();
  const uint32_t epoch = state.epoch();
  const LeaseActions lost = state.OnLost();
  EXPECT_TRUE(lost.release);
  EXPECT_TRUE(lost.invalidate);
  EXPECT_TRUE(state.suspect());
  EXPECT_FALSE(state.BeginReply(epoch));
}

TEST(LeaseState, TrustedAttributesAreTakenBackBeforeARecallReleases) {
  LeaseState state = HeldAndTrusted();
  const LeaseActions recall = state.OnRecall(kLater);
  EXPECT_TRUE(recall.invalidate);
  EXPECT_FALSE(recall.release);
  EXPECT_TRUE(state.OnInvalidated(recall.marks).release);
}

TEST(LeaseState, AttributesAreTrustedOnlyUnderTheLeaseTheyCameFrom) {
  LeaseState state = Held();
  const uint32_t epoch = state.epoch();
  state.OnRecall(kNow);
  EXPECT_FALSE(state.Trust(epoch));
  state.OnWant(false, kLater);
  state.OnGranted();
  EXPECT_FALSE(state.Trust(epoch));
  EXPECT_TRUE(state.Trust(state.epoch()));
}

TEST(LeaseState, ALocalChangeAndAForcedReleaseDistrustFirst) {
  LeaseState changed = HeldAndTrusted();
  LeaseState read = changed;
  const LeaseActions begin = changed.OnMutationBegin();
  EXPECT_TRUE(begin.distrust);
  EXPECT_TRUE(begin.release);
  read.OnRecall(kNow);
  const LeaseActions want = read.OnWant(true, kNow);
  EXPECT_TRUE(want.distrust);
  EXPECT_TRUE(want.forced);
}

TEST(LeaseState, TheTimerDoesNotWaitForTheKernelAgain) {
  LeaseState state = HeldAndTrusted();
  state.OnRecall(kLater);
  const LeaseActions timer = state.OnTimer(state.epoch());
  EXPECT_TRUE(timer.release);
  EXPECT_FALSE(timer.distrust);
  EXPECT_TRUE(state.suspect()) << "they have not been taken back";
}

TEST(LeaseState, NothingIsTrustedWhilePagesAreSuspect) {
  LeaseState state = HeldAndTrusted();
  LeaseActions actions;
  const uint64_t ticket = state.BeginUncovered(actions);
  EXPECT_TRUE(actions.distrust) << "a read would use the page without asking";
  EXPECT_FALSE(state.Trust(state.epoch()));
  EXPECT_FALSE(state.MayKeepPages());
  const LeaseActions end = state.EndUncovered(ticket);
  EXPECT_FALSE(state.Trust(state.epoch()));
  state.OnInvalidated(end.marks);
  EXPECT_TRUE(state.Trust(state.epoch()));
  EXPECT_TRUE(state.MayKeepPages());
}

TEST(LeaseState, WhatIsTrustedIsDistrustedOnce) {
  LeaseState state = HeldAndTrusted();
  EXPECT_TRUE(state.Trust(state.epoch()));
  EXPECT_TRUE(state.OnMutationBegin().distrust);
  EXPECT_FALSE(state.OnMutationBegin().distrust);
}

}  // namespace
}  // namespace ocfsgw::coherence
