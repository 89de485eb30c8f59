#include "fusefs/fuse_control.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <string>

namespace ocfsgw::fusefs {
namespace {

/// A FUSE mount that nobody serves.
class FuseControlTest : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_NE(mkdtemp(directory_.data()), nullptr);
    device_ = UniqueFd(open("/dev/fuse", O_RDWR | O_CLOEXEC | O_NONBLOCK));
    const std::string options = fmt::format("fd={},rootmode=40000,user_id=0,group_id=0", device_.get());
    ASSERT_EQ(mount("test", directory_.c_str(), "fuse", 0, options.c_str()), 0);
    struct statx stx {};
    ASSERT_EQ(statx(AT_FDCWD, directory_.c_str(), AT_STATX_DONT_SYNC, 0, &stx), 0);
    minor_ = stx.stx_dev_minor;
  }
  void TearDown() override {
    umount2(directory_.c_str(), MNT_DETACH);
    rmdir(directory_.c_str());
  }
  bool Connected() const {
    pollfd device{device_.get(), 0, 0};
    return poll(&device, 1, 0) == 0;
  }

  std::string directory_ = "/tmp/ocfsgw-control-XXXXXX";
  UniqueFd device_;
  uint32_t minor_ = 0;
};

TEST_F(FuseControlTest, KnowsWhatWaitsAndCutsWhereItIsNotMounted) {
  const FuseControl control;
  const auto waiting = control.Waiting(minor_);
  ASSERT_TRUE(waiting.has_value());
  EXPECT_GE(*waiting, 1u) << "INIT";
  EXPECT_EQ(control.Waiting(0), std::nullopt);
  constexpr uint32_t kNone = 0xfffff;
  EXPECT_EQ(control.Waiting(kNone), std::nullopt);
  EXPECT_TRUE(Connected());
  control.Abort(kNone);
  EXPECT_TRUE(Connected());
  control.Abort(minor_);
  EXPECT_FALSE(Connected());
}

}  // namespace
}  // namespace ocfsgw::fusefs
