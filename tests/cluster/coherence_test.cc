// Every kind of change, by every kind of writer: the reader's first look after the writer returned must show
// what OCFS2 itself shows on node 1. The reader is always the gateway of node 2, and holds what will change
// in its caches, under leases, when the writer starts.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <map>
#include <sstream>
#include <string>
#include <tuple>
#include <vector>

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

struct Writer {
  const char* name;
  View view;
};

void PrintTo(const Change& change, std::ostream* out) { *out << change.name; }
void PrintTo(const Writer& writer, std::ostream* out) { *out << writer.name; }

/// The command for every round, its output headed by a line "== ROUND".
std::string EveryRound(const std::string& command) {
  return "b=$d\nfor ((i = 0; i < " + std::to_string(kRounds) + "; i++)); do d=$b/$i; echo \"== $i\"\n{ " +
         command + "\n} 2>&1\ndone";
}

/// Output under each line "== TITLE".
std::map<std::string, std::string> Sections(const std::string& output) {
  std::map<std::string, std::string> sections;
  std::istringstream lines(output);
  std::string title;
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("== ")) {
      title = line.substr(3);
    } else {
      sections[title] += line + "\n";
    }
  }
  return sections;
}

/// Sets up, lets the readers look until it is all under leases; then changes and, from the writer's node and
/// as fast as it can ask them, lets each reader look once, and node 1 look at OCFS2 itself.
void Check(const Change& change, const View& writer, const std::vector<Gateway>& readers,
           const std::string& name) {
  const View truth{1, kShared};
  const std::string look = EveryRound(change.look);
  std::vector<uint64_t> held;
  for (const Gateway& reader : readers) {
    held.push_back(reader.Metric(kLeasesHeld));
  }
  const Outcome before =
      In(truth, name,
         EveryRound("mkdir -p $d && { " + std::string(change.setup) + "; } >/dev/null") + "\nd=$b\n" + look);
  for (size_t i = 0; i < readers.size(); ++i) {
    const Outcome cached = readers[i].LookUntilLeased(name, look, held[i], kRounds * change.leases);
    ASSERT_EQ(Sections(cached.output), Sections(before.output)) << cached.output;
  }

  std::string asks;
  const auto ask = [&](const std::string& title, const View& view) {
    asks += "echo \"== $i " + title + "\"; ask " + std::to_string(view.node) + " \"d=" + view.mount + "/" +
            name + "/$i i=$i; { $look; } 2>&1\"\n";
  };
  for (const Gateway& reader : readers) {
    ask("node " + std::to_string(reader.node()), reader.view());
  }
  ask("truth", truth);
  const Outcome changes = In(writer, name,
                             kAsk + ("look='" + std::string(change.look) + "'\n") +
                                 EveryRound(std::string(change.change) + " || exit 1\n" + asks));
  ASSERT_TRUE(changes.ok()) << changes.output;
  auto was = Sections(before.output);
  auto seen = Sections(changes.output);
  for (int i = 0; i < kRounds; ++i) {
    const std::string round = std::to_string(i), real = seen[round + " truth"];
    ASSERT_NE(real, "");
    ASSERT_NE(real, was[round]) << "the writer changed nothing";
    for (const Gateway& reader : readers) {
      const std::string node = "node " + std::to_string(reader.node());
      EXPECT_EQ(seen[round + " " + node], real) << "first look after the change, " << node << ", round " << i;
    }
  }
}

/// Unique in the lab's life: the volume outlives a test run.
std::string FreshName(const std::string& test) {
  return test + "-" + std::to_string(std::chrono::system_clock::now().time_since_epoch().count());
}

class OneGateway : public testing::TestWithParam<std::tuple<Change, Writer>> {
 public:
  static void SetUpTestSuite() {
    ASSERT_TRUE(ServeLooks(1).ok() && ServeLooks(2).ok());
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
      ASSERT_TRUE(ServeLooks(node).ok());
      const Outcome mounted = Gateway(node).Mount();
      ASSERT_TRUE(mounted.ok()) << mounted.output;
      ASSERT_EQ(Gateway(node).LeaseProvider(), "o2dlm");
    }
  }
  static void TearDownTestSuite() { EXPECT_TRUE(Gateway(1).Unmount().ok()); }
};

TEST_P(OneGateway, FirstLookAfterTheChangeShowsIt) {
  const auto& [change, writer] = GetParam();
  Check(change, writer.view, {Gateway(2)}, FreshName(std::string(change.name) + "-" + writer.name));
}

// The writer's own gateway caches what it changes, too.
TEST_P(TwoGateways, FirstLookAfterAChangeThroughTheOtherGatewayShowsIt) {
  const Change& change = GetParam();
  Check(change, Gateway(1).view(), {Gateway(2), Gateway(1)},
        FreshName(std::string(change.name) + "-other_gateway"));
}

INSTANTIATE_TEST_SUITE_P(Changes, OneGateway,
                         testing::Combine(testing::ValuesIn(kChanges),
                                          testing::Values(Writer{"other_node", {1, kShared}},
                                                          Writer{"same_node", {2, kShared}},
                                                          Writer{"same_gateway", {2, kGateway}})),
                         [](const auto& test) {
                           return std::string(std::get<0>(test.param).name) + "_by_" +
                                  std::get<1>(test.param).name;
                         });

INSTANTIATE_TEST_SUITE_P(Changes, TwoGateways, testing::ValuesIn(kChanges),
                         [](const auto& test) { return std::string(test.param.name); });

}  // namespace
}  // namespace ocfsgw::cluster
