#include "base/path.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <string>

namespace ocfsgw {
namespace {

namespace fs = std::filesystem;

class PathTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = (fs::temp_directory_path() / "ocfsgw-path-test-XXXXXX").string();
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    directory_ = fs::canonical(name);
  }
  void TearDown() override { fs::remove_all(directory_); }

  fs::path directory_;
};

TEST_F(PathTest, CanonicalPathResolvesSymlinksAndDots) {
  fs::create_directories(directory_ / "a/b");
  fs::create_symlink("a", directory_ / "link");
  EXPECT_EQ(CanonicalPath(directory_ / "link/./b/../b"), directory_ / "a/b");
  EXPECT_EQ(CanonicalPath(directory_.string() + "//a/"), directory_ / "a");
}

TEST_F(PathTest, CanonicalPathOfWhatDoesNotExist) {
  fs::create_directory(directory_ / "a");
  fs::create_symlink("a", directory_ / "link");
  EXPECT_EQ(CanonicalPath(directory_ / "link/missing"), directory_ / "a/missing");
}

TEST(IsInsideTest, WholeComponentsOnly) {
  EXPECT_TRUE(IsInside("/a/b", "/a/b"));
  EXPECT_TRUE(IsInside("/a/b/c", "/a/b"));
  EXPECT_FALSE(IsInside("/a/bc", "/a/b"));
  EXPECT_FALSE(IsInside("/a", "/a/b"));
  EXPECT_TRUE(IsInside("/a", "/"));
}

TEST(HashedNameTest, SixteenHexDigits) {
  EXPECT_EQ(HashedName(""), "2d06800538d394c2");  // XXH3 of nothing
  EXPECT_NE(HashedName("/a"), HashedName("/b"));
}

}  // namespace
}  // namespace ocfsgw
