#include "tests/history/old_page.h"

#include <gtest/gtest.h>

#include <sstream>

namespace ocfsgw::history {
namespace {

// Places 2 and 3 are node 1's, 4 and 5 are node 2's; odd values were written past the page caches.
const Pages kPages{.is_direct = [](const Operation& o) { return (o.values.back().back() - '0') % 2 == 1; },
                   .node = [](uint32_t place) { return place / 2; },
                   .file = [](const std::string& object) { return object.substr(0, object.find('@')); }};

constexpr const char* kWrites = "1 4 0 10 w f@0 2\n1 4 20 30 w f@0 5\n";
constexpr const char* kReadMeanwhile = "2 2 25 28 r f@1 8\n";
constexpr const char* kOldRead = "3 3 50 60 r f@0 2\n";

/// Whether the one illegal read of f@0 may be an old page.
bool IsOldPage(const std::string& text) {
  std::istringstream in(text + "9 9 0 1 w f@1 8\n");
  const auto history = Parse(in);
  EXPECT_TRUE(history.ok());
  const auto report = Check(*history);
  EXPECT_EQ(report.violations.size(), 1u) << text;
  return report.violations.size() == 1 && MayBeOldPage(report.violations[0], *history, kPages);
}

TEST(OldPage, ReadOnTheSameNodeDuringTheDirectWrite) {
  EXPECT_TRUE(IsOldPage(std::string(kWrites) + kReadMeanwhile + kOldRead));
}

TEST(OldPage, NobodyReadTheFileOnThatNodeMeanwhile) {
  EXPECT_FALSE(IsOldPage(std::string(kWrites) + kOldRead));
  EXPECT_FALSE(IsOldPage(std::string(kWrites) + "2 4 25 28 r f@1 8\n" + kOldRead)) << "another node";
  EXPECT_FALSE(IsOldPage(std::string(kWrites) + "2 2 31 32 r f@1 8\n" + kOldRead)) << "after the write";
  EXPECT_FALSE(IsOldPage(std::string(kWrites) + "9 9 0 1 w g 6\n2 2 25 28 r g 6\n" + kOldRead))
      << "another file";
}

TEST(OldPage, AWriteThroughThePageCacheMakesOthersForget) {
  EXPECT_FALSE(IsOldPage(std::string("1 4 0 10 w f@0 2\n1 4 20 30 w f@0 4\n") + kReadMeanwhile + kOldRead));
}

TEST(OldPage, TheNextWriteDoes) {
  EXPECT_FALSE(IsOldPage(std::string(kWrites) + "1 4 35 40 w f@0 7\n" + kReadMeanwhile + kOldRead));
}

}  // namespace
}  // namespace ocfsgw::history
