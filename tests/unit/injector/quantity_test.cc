#include "docker/injector/quantity.h"

#include <gmock/gmock.h>

namespace ocfsgw::injector {
namespace {

TEST(ParseQuantity, TakesWhatKubernetesWrites) {
  const std::pair<const char*, long double> cases[] = {{"0", 0},
                                                       {"2", 2},
                                                       {"1.5", 1.5L},
                                                       {".5", 0.5L},
                                                       {"1k", 1e3L},
                                                       {"512Mi", 0x1p29L},
                                                       {"1.5Gi", 1.5L * 0x1p30L},
                                                       {"10G", 1e10L},
                                                       {"2e3", 2000},
                                                       {"2E3", 2000},
                                                       {"1e+2", 100},
                                                       {"5e-1", 0.5L},
                                                       {"1Ei", 0x1p60L},
                                                       {"9E", 9e18L},
                                                       {"1Ki", 1024},
                                                       {"007", 7},
                                                       {"1Ti", 0x1p40L},
                                                       {"1P", 1e15L},
                                                       {"8.", 8}};
  for (const auto& [text, value] : cases) {
    const auto quantity = ParseQuantity("x", text);
    ASSERT_TRUE(quantity.ok()) << text << ": " << quantity.status().ToString();
    EXPECT_EQ(quantity->value, value) << text;
    EXPECT_EQ(quantity->text, text);
  }
  EXPECT_NEAR(static_cast<double>(ParseQuantity("x", "250m")->value), 0.25, 1e-12);
  EXPECT_NEAR(static_cast<double>(ParseQuantity("x", "3u")->value), 3e-6, 1e-12);
}

TEST(ParseQuantity, RefusesTheRest) {
  for (const char* text : {"",
                           "-1",
                           "+1",
                           "Gi",
                           "1 Gi",
                           "1Gib",
                           "1gi",
                           "1K",
                           "two",
                           "1.2.3",
                           "1e",
                           "1e19",
                           "1e-",
                           "0x10",
                           "8Ei",
                           "9223372036854775808",
                           "99999999999999999999999999999999",
                           "1Gi ",
                           "\n",
                           "1e99999999999",
                           "000000000000000000000000000000001",
                           "1e+-2",
                           "inf",
                           "nan",
                           "1\xff"}) {
    const auto quantity = ParseQuantity("annotation a", text);
    ASSERT_FALSE(quantity.ok()) << text;
    EXPECT_TRUE(quantity.status().Is(StatusCode::kInvalidArgument));
    EXPECT_THAT(quantity.status().ToString(), ::testing::StartsWith("annotation a: "));
  }
}

TEST(MebibytesUp, RoundsUp) {
  EXPECT_EQ(MebibytesUp(0), "0Mi");
  EXPECT_EQ(MebibytesUp(1), "1Mi");
  EXPECT_EQ(MebibytesUp(1 << 20), "1Mi");
  EXPECT_EQ(MebibytesUp((1 << 20) + 1), "2Mi");
}

}  // namespace
}  // namespace ocfsgw::injector
