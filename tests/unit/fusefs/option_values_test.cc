#include "fusefs/option_values.h"

#include <gmock/gmock.h>

namespace ocfsgw::fusefs {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(SplitOptionList, KnowsEscapes) {
  EXPECT_THAT(*SplitOptionList(""), IsEmpty());
  EXPECT_THAT(*SplitOptionList(",,"), IsEmpty());
  EXPECT_THAT(*SplitOptionList("a,,b=c,"), ElementsAre("a", "b=c"));
  EXPECT_THAT(*SplitOptionList(R"(log=/a\,b,c=\\)"), ElementsAre("log=/a,b", R"(c=\)"));
  EXPECT_EQ(SplitOptionList(R"(log=/a\040b)").status().ToString(),
            R"(-o log=/a\040b: a backslash stands only before a comma, a colon or a backslash)");
  EXPECT_EQ(SplitOptionList(R"(ro\)").status().ToString(),
            R"(-o ro\: a backslash stands only before a comma, a colon or a backslash)");
}

TEST(SplitOptionList, UndoesEscapeOption) {
  const std::string element = R"(fsname=/a,b\c\\,,d)";
  EXPECT_THAT(*SplitOptionList(EscapeOption(element) + ",ro"), ElementsAre(element, "ro"));
}

TEST(ParseSize, TakesSuffixes) {
  EXPECT_EQ(*ParseSize("s", "1048576", 1), 1U << 20);
  EXPECT_EQ(*ParseSize("s", "3K", 1), 3U << 10);
  EXPECT_EQ(*ParseSize("s", "3k", 1), 3U << 10);
  EXPECT_EQ(*ParseSize("s", "16M", 16 << 20), 16U << 20);
  EXPECT_EQ(*ParseSize("s", "16m", 1), 16U << 20);
  EXPECT_EQ(*ParseSize("s", "5G", 1), 5ULL << 30);
  EXPECT_EQ(*ParseSize("s", "2T", 1), 2ULL << 40);
  EXPECT_EQ(*ParseSize("s", "16777215T", 1), 16777215ULL << 40);
}

TEST(ParseSize, RefusesWithOneLine) {
  for (const std::string text : {"", "G", "-1", "+1", "1.5G", "1 G", " 1G", "1GB", "0x10", "1P", "16777216T",
                                 "18446744073709551616", "K1"}) {
    EXPECT_EQ(ParseSize("s", text, 1).status().ToString(),
              "s=" + text + ": not a size (a whole number of bytes, or one with K, M, G or T behind it)");
  }
  EXPECT_EQ(ParseSize("s", "16777215", 16 << 20).status().ToString(),
            "s=16777215: too small, the least is 16M");
}

TEST(ParseNumber, TakesBounds) {
  EXPECT_EQ(*ParseNumber("n", "1", 1, 9), 1U);
  EXPECT_EQ(*ParseNumber("n", "9", 1, 9), 9U);
  for (const std::string text : {"", "0", "10", "-1", "5x", "5 ", "99999999999999999999"}) {
    EXPECT_EQ(ParseNumber("n", text, 1, 9).status().ToString(),
              "n=" + text + ": not a whole number from 1 to 9");
  }
}

TEST(ParseListenAddress, TakesThreeForms) {
  EXPECT_EQ(*ParseListenAddress("m", "127.0.0.1:9100"), "127.0.0.1:9100");
  EXPECT_EQ(*ParseListenAddress("m", "localhost:1"), "127.0.0.1:1");
  EXPECT_EQ(*ParseListenAddress("m", "[::1]:65535"), "[::1]:65535");
  EXPECT_EQ(*ParseListenAddress("m", "[::]:09"), "[::]:9");
}

TEST(ParseListenAddress, RefusesWithOneLine) {
  for (const std::string text : {"", "9100", ":9100", "host:9100", "::1:9100", "[127.0.0.1]:9100", "[]:9100",
                                 "127.0.0:9100", "[::1]", "127.0.0.1", "+9100"}) {
    EXPECT_EQ(ParseListenAddress("m", text).status().ToString(),
              "m=" + text + ": not ADDR:PORT with an IPv4 address, an [IPv6] address or localhost");
  }
  for (const std::string port : {"", "0", "65536", "-1", "80s", "80,81", "http"}) {
    EXPECT_EQ(ParseListenAddress("m", "127.0.0.1:" + port).status().ToString(),
              "m=127.0.0.1:" + port + ": the port is not a whole number from 1 to 65535");
  }
}

}  // namespace
}  // namespace ocfsgw::fusefs
