#include "coherence/request_recorder.h"

#include <gtest/gtest.h>

#include <map>
#include <thread>

namespace ocfsgw::coherence {
namespace {

using namespace std::chrono_literals;

class RequestRecorderTest : public ::testing::Test {
 protected:
  void Note(uint64_t ino, uint64_t index = 0) {
    recorder_.Note(InodeId{ino, 1}, BlockIndex(index), 10 * ino);
  }
  RequestBatch Take() {
    RequestBatch batch;
    recorder_.Take(batch);
    return batch;
  }

  SimClock clock_;
  RequestRecorder recorder_{clock_, 3};
};

TEST_F(RequestRecorderTest, KeepsNothingUnlessRecording) {
  Note(1);
  EXPECT_TRUE(Take().requests.empty());
  ASSERT_TRUE(recorder_.Start().ok());
  Note(2);
  recorder_.Stop();
  Note(3);
  EXPECT_TRUE(Take().requests.empty());
  ASSERT_TRUE(recorder_.Start().ok());
  EXPECT_TRUE(Take().requests.empty()) << "what another recording has left";
}

TEST_F(RequestRecorderTest, GivesWhatWasNotedInOrderAndOnce) {
  clock_.Advance(1s);
  ASSERT_TRUE(recorder_.Start().ok());
  clock_.Advance(5ns);
  Note(7, 3);
  clock_.Advance(2ns);
  Note(6);
  const RequestBatch batch = Take();
  ASSERT_EQ(batch.requests.size(), 2U);
  EXPECT_EQ(batch.requests[0].at, 5ns);
  EXPECT_EQ(batch.requests[0].inode, (InodeId{7, 1}));
  EXPECT_EQ(batch.requests[0].index, BlockIndex(3));
  EXPECT_EQ(batch.requests[0].bytes, 70U);
  EXPECT_EQ(batch.requests[1].at, 7ns);
  EXPECT_EQ(batch.requests[1].inode, (InodeId{6, 1}));
  EXPECT_EQ(batch.dropped, 0U);
  EXPECT_TRUE(Take().requests.empty());
}

TEST_F(RequestRecorderTest, DropsAndCountsWhatFindsNoRoom) {
  ASSERT_TRUE(recorder_.Start().ok());
  for (uint64_t ino = 1; ino <= 5; ++ino) Note(ino);
  RequestBatch batch = Take();
  ASSERT_EQ(batch.requests.size(), 3U);
  EXPECT_EQ(batch.requests.back().inode.ino, 3U) << "the first ones are kept";
  EXPECT_EQ(batch.dropped, 2U);
  Note(6);
  recorder_.Take(batch);
  ASSERT_EQ(batch.requests.size(), 1U);
  EXPECT_EQ(batch.requests[0].inode.ino, 6U);
  EXPECT_EQ(batch.dropped, 0U) << "counted once";
  for (int i = 0; i < 4; ++i) Note(7);
  recorder_.Stop();
  ASSERT_TRUE(recorder_.Start().ok());
  EXPECT_EQ(Take().dropped, 0U) << "those of another recording";
}

TEST_F(RequestRecorderTest, OneRecordingAtATime) {
  ASSERT_TRUE(recorder_.Start().ok());
  Note(1);
  const Status second = recorder_.Start();
  EXPECT_TRUE(second.Is(StatusCode::kBusy));
  EXPECT_EQ(second.ToString(), "somebody is recording this mount already");
  EXPECT_EQ(Take().requests.size(), 1U) << "the first one goes on";
  recorder_.Stop();
  EXPECT_TRUE(recorder_.Start().ok());
}

// Threads note numbered requests while one takes them: none is lost without being counted, none comes twice,
// and those of a thread keep their order. Sanitizers look on.
TEST(RequestRecorderThreads, LoseNothingUncounted) {
  constexpr uint64_t kThreads = 4;
  constexpr uint64_t kEach = 20'000;
  const RealClock clock;
  RequestRecorder recorder(clock, 64);
  ASSERT_TRUE(recorder.Start().ok());
  std::atomic<uint64_t> running{kThreads};
  std::vector<std::thread> threads;
  for (uint64_t thread = 0; thread < kThreads; ++thread) {
    threads.emplace_back([&, thread] {
      for (uint64_t i = 0; i < kEach; ++i) recorder.Note(InodeId{thread, 0}, BlockIndex(i), 1);
      --running;
    });
  }
  uint64_t taken = 0;
  uint64_t dropped = 0;
  Duration last{};
  std::map<uint64_t, uint64_t> next;  // by thread, the least index that may come
  RequestBatch batch;
  for (bool more = true; more;) {
    more = running > 0;
    recorder.Take(batch);
    EXPECT_LE(batch.requests.size(), 64U);
    for (const BlockRequest& request : batch.requests) {
      EXPECT_GE(request.at, last);
      EXPECT_GE(request.index.value, next[request.inode.ino]);
      last = request.at;
      next[request.inode.ino] = request.index.value + 1;
    }
    taken += batch.requests.size();
    dropped += batch.dropped;
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(taken + dropped, kThreads * kEach);
  EXPECT_GT(taken, 0U);
}

}  // namespace
}  // namespace ocfsgw::coherence
