#include "docker/injector/bounded_json.h"

#include <gmock/gmock.h>

namespace ocfsgw::injector {
namespace {

using ::testing::HasSubstr;

std::string Refusal(const std::string& text) {
  const auto json = ParseBounded(text);
  EXPECT_FALSE(json.ok()) << text.substr(0, 100);
  const std::string message = json.status().ToString();
  EXPECT_EQ(message.find('\n'), std::string::npos) << message;
  EXPECT_LT(message.size(), 300u);
  EXPECT_NO_THROW((void)Json(message).dump()) << "not UTF-8";
  return message;
}

std::string Nested(size_t depth) { return std::string(depth, '[') + std::string(depth, ']'); }

TEST(ParseBounded, TakesJson) {
  EXPECT_EQ(*ParseBounded(R"({"a":[1,2,{"b":"]}\"["}]})"), Json({{"a", {1, 2, {{"b", "]}\"["}}}}}));
  EXPECT_EQ(*ParseBounded(" null "), Json());
}

TEST(ParseBounded, RefusesWhatIsNone) {
  for (const char* text : {"", "{", "}", "[1,]", "{\"a\":}", "nul", "\"", "\"\\", "{} {}", "\xff", "\"\xff\"",
                           "\"\n\"", "\"\\ud800\"", "[1e999999]", "{\"a\" 1}", "'a'"}) {
    EXPECT_THAT(Refusal(text), HasSubstr("not JSON")) << text;
  }
}

TEST(ParseBounded, Depth) {
  EXPECT_TRUE(ParseBounded(Nested(kJsonDepthMax)).ok());
  EXPECT_THAT(Refusal(Nested(kJsonDepthMax + 1)), HasSubstr("nested"));
  EXPECT_THAT(Refusal(std::string(4 << 20, '[')), HasSubstr("nested"));
  std::string objects;
  for (int i = 0; i < 200; ++i) objects += R"({"a":)";
  EXPECT_THAT(Refusal(objects), HasSubstr("nested"));
  EXPECT_TRUE(ParseBounded("\"" + std::string(1000, '[') + "\\\"" + std::string(1000, '{') + "\"").ok());
}

TEST(ParseBounded, Values) {
  std::string list = "[0";
  for (size_t i = 0; i < kJsonValuesMax - 2; ++i) list += ",0";
  EXPECT_TRUE(ParseBounded(list + "]").ok());
  EXPECT_THAT(Refusal(list + ",0]"), HasSubstr("values"));
}

}  // namespace
}  // namespace ocfsgw::injector
