#include "base/log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <regex>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

namespace ocfsgw::log {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::Not;

class LogTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = (fs::temp_directory_path() / "ocfsgw-log-test-XXXXXX").string();
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    directory_ = name;
  }
  void TearDown() override {
    EXPECT_TRUE(Configure({}).ok());
    fs::remove_all(directory_);
  }
  std::string File(const std::string& name) const { return directory_ / name; }
  static std::string Content(const std::string& path) {
    std::ostringstream content;
    content << std::ifstream(path).rdbuf();
    return content.str();
  }

  fs::path directory_;
};

TEST_F(LogTest, ParseLevel) {
  EXPECT_EQ(*ParseLevel("debug"), Level::kDebug);
  EXPECT_EQ(*ParseLevel("info"), Level::kInfo);
  EXPECT_EQ(*ParseLevel("warning"), Level::kWarning);
  EXPECT_EQ(*ParseLevel("error"), Level::kError);
  EXPECT_TRUE(ParseLevel("loud").status().Is(StatusCode::kInvalidArgument));
  EXPECT_THAT(ParseLevel("loud").status().ToString(), HasSubstr("'loud'"));
}

TEST_F(LogTest, FileGetsLinesOfTheLevelAndAbove) {
  ASSERT_TRUE(Configure({.level = Level::kWarning, .file = File("log")}).ok());
  Debug("not {}", 1);
  Info("not {}", 2);
  Warning("yes {}", 3);
  Error("yes {}", 4);
  Write(Level::kInfo, "not 5");
  const std::string content = Content(File("log"));
  EXPECT_THAT(content, HasSubstr("warning: yes 3\n"));
  EXPECT_THAT(content, HasSubstr("error: yes 4\n"));
  EXPECT_THAT(content, Not(HasSubstr("not")));
}

TEST_F(LogTest, LineHasUtcTimeNameAndPid) {
  ASSERT_TRUE(Configure({.file = File("log")}).ok());
  Info("mounted");
  EXPECT_TRUE(std::regex_match(Content(File("log")),
                               std::regex("\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d\\.\\d{3}Z ocfsgw\\[" +
                                          std::to_string(getpid()) + "\\] info: mounted\n")));
}

TEST_F(LogTest, AppendsToAnExistingFile) {
  std::ofstream(File("log")) << "before\n";
  ASSERT_TRUE(Configure({.file = File("log")}).ok());
  Info("after");
  EXPECT_THAT(Content(File("log")), testing::StartsWith("before\n"));
  EXPECT_THAT(Content(File("log")), HasSubstr("after\n"));
}

TEST_F(LogTest, UnwritableFileLeavesTheLogAsItWas) {
  ASSERT_TRUE(Configure({.level = Level::kError, .file = File("log")}).ok());
  const Status status = Configure({.level = Level::kDebug, .file = directory_.string()});
  EXPECT_TRUE(status.Is(StatusCode::kInvalidArgument));
  EXPECT_THAT(status.ToString(), HasSubstr(directory_.string()));
  Info("filtered");
  Error("kept");
  EXPECT_THAT(Content(File("log")), HasSubstr("kept"));
  EXPECT_THAT(Content(File("log")), Not(HasSubstr("filtered")));
}

TEST_F(LogTest, OneMessageIsOneLine) {
  ASSERT_TRUE(Configure({.file = File("log")}).ok());
  Info("file '{}'", "a\nerror: forged\x1B[0m \xC3\xA4");
  const std::string content = Content(File("log"));
  EXPECT_EQ(std::count(content.begin(), content.end(), '\n'), 1);
  EXPECT_THAT(content, HasSubstr("file 'a?error: forged?[0m \xC3\xA4'"));
}

struct CountsFormatting {
  int* times;
};

}  // namespace
}  // namespace ocfsgw::log

template <>
struct fmt::formatter<ocfsgw::log::CountsFormatting> : fmt::formatter<int> {
  template <typename Context>
  auto format(const ocfsgw::log::CountsFormatting& counts, Context& context) const {
    return fmt::formatter<int>::format(++*counts.times, context);
  }
};

namespace ocfsgw::log {
namespace {

TEST_F(LogTest, SuppressedLinesAreNotFormatted) {
  ASSERT_TRUE(Configure({.level = Level::kInfo, .file = File("log")}).ok());
  int times = 0;
  Debug("{}", CountsFormatting{&times});
  EXPECT_EQ(times, 0);
  Info("{}", CountsFormatting{&times});
  EXPECT_EQ(times, 1);
}

TEST_F(LogTest, ReconfiguringWhileOthersWrite) {
  ASSERT_TRUE(Configure({.file = File("0")}).ok());
  std::vector<std::thread> writers;
  for (int t = 0; t < 3; ++t) {
    writers.emplace_back([] {
      for (int i = 0; i < 300; ++i) {
        Info("line {}", i);
      }
    });
  }
  for (int i = 1; i < 10; ++i) {
    EXPECT_TRUE(Configure({.file = File(std::to_string(i))}).ok());
  }
  for (auto& writer : writers) {
    writer.join();
  }
  size_t lines = 0;
  for (int i = 0; i < 10; ++i) {
    const std::string content = Content(File(std::to_string(i)));
    lines += static_cast<size_t>(std::count(content.begin(), content.end(), '\n'));
  }
  EXPECT_EQ(lines, 900U);
}

}  // namespace
}  // namespace ocfsgw::log
