// What the page store is for: after a restart of the gateway, unchanged files are read without the shared
// disk.
#include <gtest/gtest.h>

#include <chrono>
#include <string>

#include "tests/cluster/gateway.h"

namespace ocfsgw::cluster {
namespace {

constexpr std::chrono::seconds kPatience{300};
constexpr uint64_t kColdSectorsMin = 28 << 11;  // 28 MiB; the tree holds 30

// 1500 files of 10 kB in 15 directories, and 4 of 4 MiB: 31 MB.
constexpr const char* kMakeTree =
    "mkdir -p $d/large && cd $d || exit 1\n"
    "for i in {0..14}; do mkdir $i && head -c 1000000 /dev/urandom | split -b 10000 -a 2 -d - $i/ || exit 1; "
    "done\n"
    "for i in {1..4}; do head -c 4M /dev/urandom >large/$i || exit 1; done\n"
    "sync; sleep 6";  // what is younger than the clock skew allowed may not survive a lease
constexpr const char* kReadTree = "cd $d && find . -type f -print0 | sort -z | xargs -0 sha1sum | sha1sum";

TEST(Restart, ReadsAWarmTreeWithoutTheSharedDisk) {
  const Gateway gateway(2);
  const std::string name =
      "restart-" + std::to_string(std::chrono::system_clock::now().time_since_epoch().count());
  ASSERT_TRUE(gateway.Unmount().ok());
  const Outcome mounted = gateway.Mount(/*fresh=*/true);
  ASSERT_TRUE(mounted.ok()) << mounted.output;
  const Outcome made = In({1, kShared}, name, kMakeTree, kPatience);
  ASSERT_TRUE(made.ok()) << made.output;
  const Outcome real = In({1, kShared}, name, kReadTree, kPatience);

  ASSERT_TRUE(Lab().DropCaches(2).ok());
  uint64_t at = Lab().Reads(2).sectors;
  EXPECT_EQ(In(gateway.view(), name, kReadTree, kPatience).output, real.output);
  const uint64_t cold = Lab().Reads(2).sectors - at;
  ASSERT_GE(cold, kColdSectorsMin) << "the first run was not cold";

  ASSERT_TRUE(gateway.Unmount().ok());
  ASSERT_TRUE(Lab().DropCaches(2).ok());
  const Outcome again = gateway.Mount();
  ASSERT_TRUE(again.ok()) << again.output;
  at = Lab().Reads(2).sectors;
  EXPECT_EQ(In(gateway.view(), name, kReadTree, kPatience).output, real.output);
  const uint64_t warm = Lab().Reads(2).sectors - at;
  RecordProperty("cold_sectors", static_cast<int>(cold));
  RecordProperty("warm_sectors", static_cast<int>(warm));
  EXPECT_LE(warm, cold / 20) << "sectors read from the shared disk, warm and cold";
}

}  // namespace
}  // namespace ocfsgw::cluster
