// Reading again through a descriptor that was opened, and through a mapping that was made, before the change.
#include <gtest/gtest.h>

#include <chrono>
#include <sstream>
#include <string>

#include "tests/cluster/gateway.h"

namespace ocfsgw::cluster {
namespace {

struct Change {
  const char* name;
  const char* change;  ///< Of the file $d/f, 100000 bytes long.
};

void PrintTo(const Change& change, std::ostream* out) { *out << change.name; }

class OpenFile : public testing::TestWithParam<Change> {
 protected:
  void SetUp() override {
    const Outcome mounted = gateway_.Mount();
    ASSERT_TRUE(mounted.ok()) << mounted.output;
  }
  const Gateway gateway_{2};
};

// One job in node 2 holds the file; each look is one line into its FIFO.
constexpr const char* kHold =
    "rm -f /tmp/h /tmp/h.out; mkfifo /tmp/h /tmp/h.out; { fsop hold $d/f /tmp/h >/tmp/hold.log 2>&1 & }; cat "
    "/tmp/h.out";
constexpr const char* kLookAgain = "echo look >/tmp/h; cat /tmp/h.out";
constexpr const char* kEnd = "echo end >/tmp/h; cat /tmp/hold.log";

TEST_P(OpenFile, DescriptorAndMappingShowTheChange) {
  const std::string name = std::string("open-") + GetParam().name + "-" +
                           std::to_string(std::chrono::system_clock::now().time_since_epoch().count());
  const View truth{1, kShared};
  ASSERT_TRUE(In(truth, name, "mkdir $d && fsop create $d/f 100000 1").ok());
  const uint64_t held = gateway_.Metric(kLeasesHeld);
  const Outcome cached = gateway_.LookUntilLeased(name, "fsop read $d/f", held, 2);
  ASSERT_TRUE(cached.ok()) << cached.output;
  const std::string before = cached.output.substr(0, cached.output.size() - 1);
  const std::string attributes = In(truth, name, "fsop stat $d/f").output;
  const Outcome first = In(gateway_.view(), name, kHold);
  const std::string line = before + " " + before + " " + attributes;
  EXPECT_EQ(first.output, line);
  EXPECT_EQ(In(gateway_.view(), name, kLookAgain).output, line) << "nothing has changed";

  const Outcome changed = In(truth, name, GetParam().change);
  ASSERT_TRUE(changed.ok()) << changed.output;
  const Outcome again = In(gateway_.view(), name, kLookAgain);
  const Outcome real = In(truth, name, "fsop stat $d/f && fsop read $d/f");
  ASSERT_NE(real.output, attributes + cached.output) << "the writer changed nothing";
  std::string size, hash, mapped_size, mapped_hash, attr;
  std::istringstream words(again.output);
  std::getline(words >> size >> hash >> mapped_size >> mapped_hash >> std::ws, attr);
  EXPECT_EQ(attr + "\n" + size + " " + hash + "\n", real.output) << "through the open descriptor";
  const Outcome mapped = In(truth, name, "head -c 100000 $d/f >/tmp/head && fsop read /tmp/head");
  EXPECT_EQ(mapped_size + " " + mapped_hash + "\n", mapped.output) << "through the mapping";
  EXPECT_EQ(In(gateway_.view(), name, kEnd).output, "");
}

INSTANTIATE_TEST_SUITE_P(
    Changes, OpenFile,
    testing::Values(Change{"overwrite", "fsop overwrite $d/f 50001 700 7"},
                    Change{"append", "fsop append $d/f 5000 7"},
                    Change{"direct_overwrite", "fsop direct_overwrite $d/f 8192 4096 7"},
                    Change{"mmap_store", "fsop mmap_store $d/f 70000 10 7"},
                    Change{"truncate", "fsop truncate $d/f 12345"}, Change{"chmod", "chmod 0601 $d/f"},
                    Change{"chown", "chown 7:8 $d/f"}, Change{"utimes", "fsop utimes $d/f 1000000000"},
                    Change{"link", "ln $d/f $d/g"}, Change{"punch", "fsop punch $d/f 20000 30000"}),
    [](const auto& test) { return std::string(test.param.name); });

// flock(2) through the gateway is OCFS2's own: it excludes other nodes, waits for them, and dies with its
// holder.
TEST(Flock, ExcludesOtherNodes) {
  const Gateway gateway{2};
  ASSERT_TRUE(gateway.Mount().ok());
  const std::string name =
      "flock-" + std::to_string(std::chrono::system_clock::now().time_since_epoch().count());
  const View truth{1, kShared};
  ASSERT_TRUE(In(truth, name, "mkdir $d && touch $d/f").ok());
  // A holder is a shell with descriptor 9 on the file; it ends when its FIFO is written to.
  const std::string hold =
      "rm -f /tmp/l /tmp/l.out; mkfifo /tmp/l /tmp/l.out; { exec 9<>$d/f; flock -x 9; echo held >/tmp/l.out; "
      "read -r _ </tmp/l; } >/dev/null 2>&1 & echo $! >/tmp/l.pid; cat /tmp/l.out";
  const std::string free = "flock -n $d/f true && echo free || echo taken";
  for (const auto& [holder, other] : {std::pair(gateway.view(), truth), std::pair(truth, gateway.view())}) {
    EXPECT_EQ(In(other, name, free).output, "free\n");
    ASSERT_EQ(In(holder, name, hold).output, "held\n");
    EXPECT_EQ(In(other, name, free).output, "taken\n");
    EXPECT_EQ(In(other, name, "timeout 1 flock -x $d/f true; echo $?").output, "124\n") << "it can be ended";
    EXPECT_EQ(In(other, name, "{ flock -x $d/f touch /tmp/got & } >/dev/null 2>&1; rm -f /tmp/got").output,
              "");
    EXPECT_TRUE(In(holder, name, "kill -9 $(cat /tmp/l.pid)").ok());
    EXPECT_TRUE(In(other, name, "until [ -e /tmp/got ]; do sleep 0.05; done").ok());
    EXPECT_EQ(In(holder, name, free).output, "free\n");
  }
}

}  // namespace
}  // namespace ocfsgw::cluster
