#include "cache/write_queue.h"

#include "tests/unit/cache/store_test_util.h"

namespace ocfsgw::cache {
namespace {

QueuedWrite Write(Sequence sequence, size_t bytes) {
  return {sequence, Block(1, sequence), StampHash(1), std::make_shared<const std::string>(bytes, 'x')};
}

QueuedWrite Tombstone(Sequence sequence) { return {sequence, Block(1, 0), StampHash(1), nullptr}; }

TEST(WriteQueue, IsBoundedInBytesAndRecords) {
  WriteQueue queue(100, 3);
  EXPECT_TRUE(queue.HasRoom(100));
  EXPECT_FALSE(queue.HasRoom(101));
  queue.Add(Write(1, 60));
  EXPECT_FALSE(queue.HasRoom(41));
  queue.Add(Write(2, 0));
  queue.Add(Tombstone(3));
  EXPECT_TRUE(queue.HasRoom(40));
  queue.Add(Write(4, 0));
  EXPECT_FALSE(queue.HasRoom(0));
  queue.Remove(1);
  queue.Remove(1);
  EXPECT_TRUE(queue.HasRoom(100));
}

TEST(WriteQueue, TakesTheOldestAndKeepsThemUntilTheyAreWritten) {
  WriteQueue queue(1000, 10);
  queue.Add(Write(1, 60));
  queue.Add(Tombstone(2));
  queue.Add(Write(3, 60));
  const auto taken = queue.Take(100);
  ASSERT_EQ(taken.size(), 2U);
  EXPECT_EQ(taken[0].sequence, 1U);
  EXPECT_EQ(taken[1].sequence, 2U);
  ASSERT_NE(queue.Find(1), nullptr);
  EXPECT_TRUE(queue.Find(1)->in_flight);
  EXPECT_FALSE(queue.Find(3)->in_flight);
  queue.Remove(1);
  EXPECT_EQ(queue.first(), 2U);
}

TEST(WriteQueue, TakesOneRecordHoweverBig) {
  WriteQueue queue(1000, 10);
  queue.Add(Write(1, 600));
  EXPECT_EQ(queue.Take(100).size(), 1U);
}

TEST(WriteQueue, GivesUpRecordsButNotTombstones) {
  WriteQueue queue(1000, 10);
  queue.Add(Write(1, 600));
  queue.Add(Tombstone(2));
  (void)queue.Take(1000);
  const auto records = queue.TakeRecordsOut();
  ASSERT_EQ(records.size(), 1U);
  EXPECT_TRUE(records[0].in_flight);
  EXPECT_TRUE(queue.HasRoom(1000));
  EXPECT_EQ(queue.first(), 2U);
  EXPECT_FALSE(queue.Find(2)->in_flight);
}

}  // namespace
}  // namespace ocfsgw::cache
