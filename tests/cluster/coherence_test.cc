// Every kind of change, by every kind of writer: the reader's first look after the writer returned must show
// what OCFS2 itself shows on node 1. The reader is always the gateway of node 2, and holds what will change
// in its caches, under leases, when the writer starts.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <tuple>

#include "tests/cluster/gateway.h"

namespace ocfsgw::cluster {
namespace {

constexpr int kRounds = 3;  // of each change, on files and offsets of their own

/// Shell commands that run with $d, a directory of this round, and $i, the number of the round.
struct Change {
  const char* name;
  const char* setup;  ///< In the empty directory, straight on OCFS2.
  const char* change;
  const char* look;  ///< What may have changed, and must look the same everywhere.
  uint64_t leases;   ///< That the gateway needs for the look, before the change.
};

constexpr const char* kFile = "fsop create $d/f 100000 $i";
constexpr const char* kFileLook = "fsop stat $d/f; fsop read $d/f";

const Change kChanges[] = {
    {"append", kFile, "fsop append $d/f $((i * 50000 + 777)) 9", kFileLook, 2},
    {"overwrite", kFile, "fsop overwrite $d/f $((i * 30000 + 17)) 5000 7", kFileLook, 2},
    {"direct_overwrite", kFile, "fsop direct_overwrite $d/f $((i * 8192)) 4096 5", kFileLook, 2},
    {"mmap_store", kFile, "fsop mmap_store $d/f $((i * 40000 + 3)) 100 3", kFileLook, 2},
    {"truncate", kFile, "fsop truncate $d/f $((i * 40000))", kFileLook, 2},
    {"extend", kFile, "fsop truncate $d/f $((i * 40000 + 200000))", kFileLook, 2},
    {"punch", kFile, "fsop punch $d/f $((i * 16384 + 100)) 20000", kFileLook, 2},
    {"chmod", kFile, "fsop chmod $d/f $((600 + i * 2))", kFileLook, 2},
    {"utimes", kFile, "fsop utimes $d/f $((1000000000 + i))", kFileLook, 2},
    {"setxattr", kFile, "fsop setxattr $d/f user.t v$i", "fsop getxattr $d/f user.t; fsop stat $d/f", 2},
    {"change_xattr", "fsop create $d/f 10 $i; fsop setxattr $d/f user.t old", "fsop setxattr $d/f user.t v$i",
     "fsop getxattr $d/f user.t; fsop stat $d/f", 2},
    {"link", kFile, "fsop link $d/f $d/l", "fsop stat $d/f; fsop exists $d/l; fsop ls $d; fsop stat $d", 2},
    {"rename_over", "fsop create $d/f 100000 $i; fsop create $d/g 9000 7", "fsop rename_over $d/g $d/f",
     "fsop exists $d/g; fsop stat $d/f; fsop read $d/f; fsop ls $d; fsop stat $d", 3},
    {"unlink_recreate", kFile, "fsop unlink_recreate $d/f 100000 $((i + 50))",
     "fsop stat $d/f; fsop read $d/f; fsop ls $d; fsop stat $d", 2},
    {"unlink", kFile, "fsop unlink $d/f", "fsop exists $d/f; fsop ls $d; fsop stat $d", 2},
    {"create", kFile, "fsop create $d/n$i 5000 $i", "fsop ls $d; fsop stat $d", 1},
    {"negative_name_becomes_real", kFile, "fsop create $d/n 5000 $i",
     "[ $(fsop exists $d/n) = no ] || { fsop stat $d/n; fsop read $d/n; }", 1},
};

void PrintTo(const Change& change, std::ostream* out) { *out << change.name; }

/// Sets up, lets the readers look until it is all under leases, changes, and looks.
void Check(const Change& change, const View& writer, std::initializer_list<Gateway> readers,
           const std::string& name) {
  const View truth{1, kShared};
  for (int round = 0; round < kRounds; ++round) {
    const std::string dir = name + "/" + std::to_string(round);
    const std::string with_round = "i=" + std::to_string(round) + "\n";
    const std::string look = with_round + "{ " + change.look + "; } 2>&1";
    SCOPED_TRACE("round " + std::to_string(round) + " in " + dir);

    std::vector<uint64_t> held;
    for (const Gateway& reader : readers) {
      held.push_back(reader.Metric(kLeasesHeld));
    }
    const Outcome setup = In(truth, dir, with_round + "mkdir -p $d && { " + change.setup + "; }");
    ASSERT_TRUE(setup.ok()) << setup.output;
    const Outcome before = In(truth, dir, look);
    size_t at = 0;
    for (const Gateway& reader : readers) {
      const Outcome cached = reader.LookUntilLeased(dir, look, held[at++], change.leases);
      ASSERT_EQ(cached.output, before.output) << "before the change, in node " << reader.node();
    }

    const Outcome changed = In(writer, dir, with_round + change.change);
    ASSERT_TRUE(changed.ok()) << changed.output;
    for (const Gateway& reader : readers) {
      const Outcome seen = In(reader.view(), dir, look);
      const Outcome real = In(truth, dir, look);
      ASSERT_NE(real.output, before.output) << "the writer changed nothing";
      EXPECT_EQ(seen.output, real.output) << "first look after the change, in node " << reader.node();
    }
  }
}

/// Unique in the lab's life: the volume outlives a test run.
std::string FreshName(const std::string& test) {
  return test + "-" + std::to_string(std::chrono::system_clock::now().time_since_epoch().count());
}

class OneGateway : public testing::TestWithParam<std::tuple<Change, std::pair<const char*, View>>> {
 public:
  static void SetUpTestSuite() {
    ASSERT_TRUE(Gateway(1).Unmount().ok());
    const Outcome mounted = Gateway(2).Mount();
    ASSERT_TRUE(mounted.ok()) << mounted.output;
    ASSERT_EQ(Gateway(2).LeaseProvider(), "o2dlm");
  }
};

class TwoGateways : public testing::TestWithParam<Change> {
 public:
  static void SetUpTestSuite() {
    for (int node : {1, 2}) {
      const Outcome mounted = Gateway(node).Mount();
      ASSERT_TRUE(mounted.ok()) << mounted.output;
      ASSERT_EQ(Gateway(node).LeaseProvider(), "o2dlm");
    }
  }
  static void TearDownTestSuite() { EXPECT_TRUE(Gateway(1).Unmount().ok()); }
};

TEST_P(OneGateway, FirstLookAfterTheChangeShowsIt) {
  const auto& [change, writer] = GetParam();
  Check(change, writer.second, {Gateway(2)}, FreshName(std::string(change.name) + "-" + writer.first));
}

// The writer's own gateway caches what it changes, too.
TEST_P(TwoGateways, FirstLookAfterAChangeThroughTheOtherGatewayShowsIt) {
  const Change& change = GetParam();
  Check(change, Gateway(1).view(), {Gateway(2), Gateway(1)},
        FreshName(std::string(change.name) + "-other_gateway"));
}

INSTANTIATE_TEST_SUITE_P(
    Changes, OneGateway,
    testing::Combine(testing::ValuesIn(kChanges),
                     testing::Values(std::pair<const char*, View>("other_node", {1, kShared}),
                                     std::pair<const char*, View>("same_node", {2, kShared}),
                                     std::pair<const char*, View>("same_gateway", {2, kGateway}))),
    [](const auto& test) {
      return std::string(std::get<0>(test.param).name) + "_by_" + std::get<1>(test.param).first;
    });

INSTANTIATE_TEST_SUITE_P(Changes, TwoGateways, testing::ValuesIn(kChanges),
                         [](const auto& test) { return std::string(test.param.name); });

}  // namespace
}  // namespace ocfsgw::cluster
