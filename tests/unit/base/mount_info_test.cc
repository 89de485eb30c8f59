#include "base/mount_info.h"

#include <gtest/gtest.h>
#include <sys/sysmacros.h>

#include <algorithm>

namespace ocfsgw {
namespace {

TEST(MountInfo, FieldsOfALine) {
  const auto mounts = ParseMountInfo(
      "27 20 98:3 /a\\040b /mnt/two\\040words\\134 rw,noatime shared:1 master:2 - fuse.x /dev/ubda rw,acl\n");
  ASSERT_EQ(mounts.size(), 1u);
  EXPECT_EQ(mounts[0].id, 27u);
  EXPECT_EQ(mounts[0].device, makedev(98, 3));
  EXPECT_EQ(mounts[0].root, "/a\\040b");
  EXPECT_EQ(mounts[0].path, "/mnt/two words\\");
  EXPECT_EQ(mounts[0].options, (std::vector<std::string>{"rw,noatime", "shared:1", "master:2"}));
  EXPECT_EQ(mounts[0].type, "fuse.x");
  EXPECT_EQ(mounts[0].super_options, "rw,acl");
}

TEST(MountInfo, WhatIsNoLineIsLeftOut) {
  EXPECT_EQ(
      ParseMountInfo("garbage\n\n - \n27 20 98 / /mnt rw - ext4 /dev/a rw\n27 20 98:0 / /mnt rw\n").size(),
      0u);
  EXPECT_EQ(ParseMountInfo("1 0 8:1 / / rw - ext4 /dev/a rw\nx\n2 1 0:5 / /p rw - proc proc rw").size(), 2u);
}

TEST(MountInfo, OfThisProcess) {
  const auto mounts = ParseMountInfo(ReadMountInfo());
  EXPECT_TRUE(
      std::any_of(mounts.begin(), mounts.end(), [](const auto& mount) { return mount.type == "proc"; }));
}

}  // namespace
}  // namespace ocfsgw
