#pragma once

#include "tests/mount/files.h"
#include "tests/mount/gateway_mount.h"

namespace ocfsgw::mounttest {

/// A mount on which every operation is compared with the source.
class OperationsTest : public MountTest {
 protected:
  void SetUp() override {
    MountTest::SetUp();
    ASSERT_TRUE(gateway_.Start("allow_other,dev,suid"));
  }
  std::string Source(const std::string& path = {}) const { return gateway_.Source(path); }
  std::string Mount(const std::string& path = {}) const { return gateway_.Mount(path); }
  /// All attributes, by either way. Local changes are visible at once, those made to the source after
  /// Barrier().
  void ExpectSameAttributes(const std::string& path) {
    EXPECT_EQ(Describe(Mount(path)), Describe(Source(path))) << path;
  }
  void ExpectSameContents(const std::string& path) {
    EXPECT_TRUE(ReadFile(Mount(path)) == ReadFile(Source(path))) << path;
  }
};

}  // namespace ocfsgw::mounttest
