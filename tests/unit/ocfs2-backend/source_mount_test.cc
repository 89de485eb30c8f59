#include "ocfs2-backend/source_mount.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "tests/unit/ocfs2-backend/temp_dir.h"

namespace ocfsgw::ocfs2 {
namespace {

TEST(SourceMount, OnlyDirectories) {
  const TempDir dir("/tmp");
  dir.WriteFile("file", "");
  for (const std::string& path : {dir / "file", dir / "missing", std::string()}) {
    const auto source = SourceMount::Open(path);
    EXPECT_TRUE(source.status().Is(StatusCode::kInvalidArgument)) << path;
    EXPECT_EQ(source.status().ToString().find('\n'), std::string::npos);
  }
}

TEST(SourceMount, ReadingLeavesAccessTimesAlone) {
  const TempDir dir("/tmp");
  dir.WriteFile("file", "content");
  // Older than mtime: relatime would update it.
  const struct timespec old[2] = {{1000, 0}, {2000, 0}};
  ASSERT_EQ(::utimensat(AT_FDCWD, (dir / "file").c_str(), old, 0), 0);
  const auto source = SourceMount::Open(dir.path());
  ASSERT_TRUE(source.ok());
  if (!(*source)->is_private()) GTEST_SKIP() << "private mounts are not permitted here";

  auto backend = OpenBackend(dir.path());
  const auto found = backend->Lookup(backend->Root(), "file");
  auto file = backend->Open(found->node, O_RDONLY);
  std::array<std::byte, 16> bytes;
  ASSERT_EQ(*(*file)->Read(0, bytes), 7U);
  EXPECT_EQ((*file)->Stat()->atime.sec, 1000);
}

TEST(SourceMount, VolumesAreToldApart) {
  const TempDir ext4("/tmp"), shm("/dev/shm"), again("/tmp");
  const auto volume = [](const TempDir& dir) { return (*SourceMount::Open(dir.path()))->volume(); };
  EXPECT_EQ(volume(ext4), volume(again));
  EXPECT_NE(volume(ext4), volume(shm));
}

TEST(SourceMount, ClusterLeasesNeedOcfs2) {
  const TempDir dir("/tmp");
  EXPECT_TRUE((*SourceMount::Open(dir.path()))->CheckClusterLeases().Is(StatusCode::kUnsupported));
}

TEST(SourceMount, SuperOptions) {
  const std::string mountinfo =
      "26 20 0:21 / /mnt/dlm rw,relatime - ocfs2_dlmfs dlm rw\n"
      "27 20 98:0 / /mnt/sh rw,noatime shared:1 master:2 - ocfs2 /dev/ubda rw,coherency=buffered,acl\n";
  EXPECT_EQ(FindSuperOptions(mountinfo, makedev(98, 0)), "rw,coherency=buffered,acl");
  EXPECT_EQ(FindSuperOptions(mountinfo, makedev(0, 21)), "rw");
  EXPECT_EQ(FindSuperOptions(mountinfo, makedev(8, 0)), "");
  EXPECT_EQ(FindSuperOptions("garbage\n\n - \n", makedev(8, 0)), "");
}

TEST(SourceMount, RootMounts) {
  const std::string mountinfo =
      "26 20 98:0 /sub /mnt/sub rw - ocfs2 /dev/ubda rw\n"
      "27 20 98:0 / /mnt/a\\040\\134b rw,noatime shared:1 - ocfs2 /dev/ubda rw\n"
      "28 20 98:1 / /mnt/other rw - ocfs2 /dev/ubdb rw\n"
      "29 20 98:0 / /mnt/second rw - ocfs2 /dev/ubda rw\n";
  EXPECT_EQ(FindRootMounts(mountinfo, makedev(98, 0)),
            (std::vector<std::string>{"/mnt/a \\b", "/mnt/second"}));
  EXPECT_TRUE(FindRootMounts("garbage\n\n", makedev(98, 0)).empty());
}

}  // namespace
}  // namespace ocfsgw::ocfs2
