#include "fusefs/request_stream.h"

#include <gtest/gtest.h>

namespace ocfsgw::fusefs {
namespace {

using namespace std::chrono_literals;

TEST(RequestStream, SaysWhatWasNotedAndWhatWasDropped) {
  SimClock clock;
  coherence::RequestRecorder recorder(clock, 2);
  const auto stream = RequestStream::Start(recorder).value();
  EXPECT_EQ(stream->Next(), "");
  clock.Advance(5us);
  for (uint64_t ino : {7, 8, 9, 9}) recorder.Note(InodeId{ino, 1}, BlockIndex(3), 10 * ino);
  EXPECT_EQ(stream->Next(), "{\"requests\":[[5000,7,1,3,70],[5000,8,1,3,80]],\"dropped\":2}\n");
  EXPECT_EQ(stream->Next(), "");
}

TEST(RequestStream, IsTheRecording) {
  const SimClock clock;
  coherence::RequestRecorder recorder(clock);
  {
    const auto stream = RequestStream::Start(recorder);
    ASSERT_TRUE(stream.ok());
    EXPECT_TRUE(RequestStream::Start(recorder).status().Is(StatusCode::kBusy));
  }
  EXPECT_TRUE(RequestStream::Start(recorder).ok());
}

}  // namespace
}  // namespace ocfsgw::fusefs
