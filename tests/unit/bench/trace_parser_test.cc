#include "bench/trace_parser.h"

#include <gmock/gmock.h>

namespace ocfsgw::bench {
namespace {

using ::testing::ElementsAre;

Result<Trace> Parse(TraceFormat format, std::string_view bytes, const TraceLimits& limits = {}) {
  TraceParser parser(format, limits);
  OCFSGW_RETURN_IF_ERROR(parser.Feed(bytes));
  return parser.Finish();
}

std::string Record(uint32_t time, uint64_t id, uint32_t size, int64_t next) {
  std::string out;
  const auto append = [&out](uint64_t value, size_t bytes) {
    for (size_t i = 0; i < bytes; ++i) out += static_cast<char>(value >> (8 * i));
  };
  append(time, 4);
  append(id, 8);
  append(size, 4);
  append(static_cast<uint64_t>(next), 8);
  return out;
}

TEST(TraceParser, Ids) {
  const auto trace = Parse(TraceFormat::kIds, "7\n 18446744073709551615\r\n\n7\t\n0");
  ASSERT_TRUE(trace.ok()) << trace.status().ToString();
  EXPECT_THAT(trace->requests, ElementsAre(0, 1, 0, 2));
  EXPECT_THAT(trace->object_bytes, ElementsAre(kObjectBytes, kObjectBytes, kObjectBytes));
  EXPECT_EQ(trace->format, "ids");
}

TEST(TraceParser, LirsSkipsMarks) {
  const auto trace = Parse(TraceFormat::kLirs, "# two passes\n1\n2\n*\n1\n * \n");
  ASSERT_TRUE(trace.ok()) << trace.status().ToString();
  EXPECT_THAT(trace->requests, ElementsAre(0, 1, 0));
}

TEST(TraceParser, CsvWithAndWithoutHeader) {
  for (const char* const header : {"", "timestamp,object,bytes,op\n"}) {
    const auto trace =
        Parse(TraceFormat::kCsv, std::string(header) + "0.5,a/b,100,get\n1, 17 ,200\n-2,a/b,300,set,x\n");
    ASSERT_TRUE(trace.ok()) << trace.status().ToString();
    EXPECT_THAT(trace->requests, ElementsAre(0, 1, 0));
    EXPECT_THAT(trace->object_bytes, ElementsAre(100, 200));  // the first size counts
  }
}

TEST(TraceParser, CsvTellsTextFromNumbers) {
  const auto trace = Parse(TraceFormat::kCsv, "1,7,1\n2,07,1\n3,7x,1\n4,7x,1\n");
  ASSERT_TRUE(trace.ok());
  EXPECT_THAT(trace->requests, ElementsAre(0, 0, 1, 1));
}

TEST(TraceParser, ArcExpandsBlocks) {
  const auto trace = Parse(TraceFormat::kArc, "10 3 0 1\n12 2 0 2\n");
  ASSERT_TRUE(trace.ok());
  EXPECT_THAT(trace->requests, ElementsAre(0, 1, 2, 2, 3));
}

TEST(TraceParser, OracleGeneral) {
  const auto trace =
      Parse(TraceFormat::kOracleGeneral, Record(1, 0x1122334455667788, 4096, 2) + Record(2, 5, 1, -1) +
                                             Record(3, 0x1122334455667788, 4096, -1));
  ASSERT_TRUE(trace.ok());
  EXPECT_THAT(trace->requests, ElementsAre(0, 1, 0));
  EXPECT_THAT(trace->object_bytes, ElementsAre(4096, 1));
}

TEST(TraceParser, PiecesOfAnySize) {
  const std::string texts[] = {"1,a,5\n22,bb,6\r\n333,a,7",
                               Record(1, 9, 8, 0) + Record(2, 3, 4, 0) + Record(3, 9, 8, 0)};
  for (const std::string& text : texts) {
    const auto format = &text == texts ? TraceFormat::kCsv : TraceFormat::kOracleGeneral;
    for (size_t size = 1; size <= text.size(); ++size) {
      TraceParser parser(format);
      for (size_t at = 0; at < text.size(); at += size) ASSERT_TRUE(parser.Feed(text.substr(at, size)).ok());
      const auto trace = parser.Finish();
      ASSERT_TRUE(trace.ok());
      ASSERT_THAT(trace->requests, ElementsAre(0, 1, 0));
    }
  }
}

struct Malformed {
  TraceFormat format;
  std::string bytes;
  std::string message;
};

TEST(TraceParser, MalformedInputNamesTheLine) {
  const Malformed cases[] = {
      {TraceFormat::kIds, "", "no requests"},
      {TraceFormat::kIds, "\n\n", "no requests"},
      {TraceFormat::kIds, "1\nx2\n", "line 2: not an object id: 'x2'"},
      {TraceFormat::kIds, "1\n\n-2", "line 3: not an object id: '-2'"},
      {TraceFormat::kIds, "18446744073709551616\n", "line 1: not an object id: '18446744073709551616'"},
      {TraceFormat::kIds, "1 2\n", "line 1: not an object id: '1 2'"},
      {TraceFormat::kIds, std::string("1\n\0\x1b[2J\n", 8), "line 2: not an object id: '??[2J'"},
      {TraceFormat::kIds, "*\n", "line 1: not an object id: '*'"},
      {TraceFormat::kIds, "1\n" + std::string(5000, '1') + "\n", "line 2: longer than 4096 bytes"},
      {TraceFormat::kIds, std::string(5000, '1'), "line 1: longer than 4096 bytes"},
      {TraceFormat::kIds, std::string(50, 'x'),
       "line 1: not an object id: '" + std::string(40, 'x') + "...'"},
      {TraceFormat::kLirs, "*\n#\n", "no requests"},
      {TraceFormat::kLirs, "*\n+\n", "line 2: not an object id: '+'"},
      {TraceFormat::kCsv, "time,id,size\n", "no requests"},
      {TraceFormat::kCsv, "time,id,size\ntime,id,size\n", "line 2: not a time: 'time'"},
      {TraceFormat::kCsv, "1,2,3\nnan,2,3\n", "line 2: not a time: 'nan'"},
      {TraceFormat::kCsv, "1,2,3\n1.,2,3\n", "line 2: not a time: '1.'"},
      {TraceFormat::kCsv, "1,2,3\n-,2,3\n", "line 2: not a time: '-'"},
      {TraceFormat::kCsv, "1,2\n", "line 1: not time,id,size: '1,2'"},
      {TraceFormat::kCsv, "1,,3\n", "line 1: not time,id,size: '1,,3'"},
      {TraceFormat::kCsv, "1,2,-3\n", "line 1: not time,id,size: '1,2,-3'"},
      {TraceFormat::kCsv, "1,2,3\n1,2,\n", "line 2: not time,id,size: '1,2,'"},
      {TraceFormat::kArc, "1 2 3\n", "line 1: not four numbers: '1 2 3'"},
      {TraceFormat::kArc, "1 1 0 0\n1 1 0 0 0\n", "line 2: not four numbers: '1 1 0 0 0'"},
      {TraceFormat::kArc, "1 0 0 0\n", "line 1: a count of 0, not 1 to 1048576"},
      {TraceFormat::kArc, "1 1048577 0 0\n", "line 1: a count of 1048577, not 1 to 1048576"},
      {TraceFormat::kArc, "18446744073709551615 2 0 0\n", "line 1: blocks beyond 64 bits"},
      {TraceFormat::kOracleGeneral, "", "no requests"},
      {TraceFormat::kOracleGeneral, Record(1, 2, 3, 4) + "12345", "record 2: 5 bytes instead of 24"},
  };
  for (const Malformed& c : cases) {
    const auto trace = Parse(c.format, c.bytes);
    EXPECT_EQ(trace.status().ToString(), c.message);
    EXPECT_TRUE(trace.status().Is(StatusCode::kInvalidArgument));
  }
}

TEST(TraceParser, Limits) {
  EXPECT_EQ(Parse(TraceFormat::kIds, "1\n1\n1\n", {.requests_max = 2}).status().ToString(),
            "line 3: more than 2 requests");
  EXPECT_EQ(Parse(TraceFormat::kArc, "1 3 0 0\n", {.requests_max = 2}).status().ToString(),
            "line 1: more than 2 requests");
  EXPECT_EQ(Parse(TraceFormat::kIds, "1\n2\n1\n3\n", {.objects_max = 2}).status().ToString(),
            "line 4: more than 2 objects");
}

TEST(TraceParser, Guesses) {
  EXPECT_EQ(GuessTraceFormat("1\n2\n"), TraceFormat::kLirs);
  EXPECT_EQ(GuessTraceFormat(""), TraceFormat::kLirs);
  EXPECT_EQ(GuessTraceFormat("\r\n*\n1,2,3\n"), TraceFormat::kLirs);
  EXPECT_EQ(GuessTraceFormat("1 2 0 4\n"), TraceFormat::kArc);
  EXPECT_EQ(GuessTraceFormat("time,id,size\n"), TraceFormat::kCsv);
  EXPECT_EQ(GuessTraceFormat("1,\xc3\xa4,3\n"), TraceFormat::kCsv);
  EXPECT_EQ(GuessTraceFormat(Record(1, 2, 3, 4)), TraceFormat::kOracleGeneral);
}

TEST(TraceParser, FormatNames) {
  for (const char* const name : {"ids", "csv", "oracle-general", "lirs", "arc"}) {
    ASSERT_TRUE(TraceFormatOf(name)) << name;
    EXPECT_EQ(TraceFormatName(*TraceFormatOf(name)), name);
  }
  EXPECT_FALSE(TraceFormatOf("auto"));
}

}  // namespace
}  // namespace ocfsgw::bench
