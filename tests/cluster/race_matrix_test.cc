// Every kind of look against every kind of change by every kind of writer. In each cell a look through the
// gateway of node 2 is repeated while the change is made; the first look that starts after the change has
// returned must show what OCFS2 itself shows on node 1.
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <memory>
#include <string>
#include <thread>
#include <tuple>

#include "tests/cluster/gateway.h"
#include "tests/cluster/soak/node_line.h"

namespace ocfsgw::cluster {
namespace {

/// Files f and g are in a directory of the cell's own; x is not there.
struct Look {
  const char* name;
  const char* operation;
  const char* file;
  const char* arguments;
  bool fill = false;  ///< The file has never been read here when the change starts.
};

const Look kLooks[] = {
    {"open", "open", "f", ""},
    {"read", "read", "f", ""},
    {"held_read", "held_read", "f", " 4096"},
    {"mmap_read", "load", "f", " 4096"},
    {"readdir", "list", "", ""},
    {"stat", "stat_all", "f", ""},
    {"xattr", "getxattr", "f", ""},
    {"negative_lookup", "stat_all", "x", ""},
    {"fill_in_flight", "read", "f", "", true},
};

struct Change {
  const char* name;
  const char* operation;
  const char* file;
  const char* arguments;  ///< "@NAME": that file at the writer's place.
  const char* unseen_by;  ///< Looks that cannot tell: what they show is not touched.
};

const Change kChanges[] = {
    {"write", "pwrite", "f", "4096 7", "readdir xattr negative_lookup"},
    {"truncate", "truncate", "f", "5000", "readdir xattr negative_lookup"},
    {"mmap_write", "store", "f", "4096 8", "readdir xattr negative_lookup"},
    // A descriptor that is held keeps showing the file that has gone.
    {"unlink", "unlink", "f", "", "negative_lookup held_read"},
    {"rename_over", "rename", "g", "@f", "negative_lookup held_read"},
    {"create", "rename", "g", "@x", "open read held_read mmap_read stat xattr fill_in_flight"},
    {"punch", "punch", "f", "4096 4096", "readdir xattr negative_lookup"},
    {"chmod", "chmod", "f", "384", "read held_read mmap_read readdir xattr negative_lookup fill_in_flight"},
    {"setxattr", "setxattr", "f", "new", "read held_read mmap_read readdir negative_lookup fill_in_flight"},
};

struct Writer {
  const char* name;
  int node;
  const char* mount;
  bool company;  ///< While node 1 writes to the file, too.
};

const Writer kWriters[] = {
    {"other_gateway", 1, kGateway, false},
    {"other_mount", 1, kShared, false},
    {"own_mount", 2, kShared, false},
    {"own_gateway", 2, kGateway, false},
    {"own_gateway_and_another_node", 2, kGateway, true},
};

using Cell = std::tuple<Look, Change, Writer>;

std::string NameOf(const Cell& cell) {
  return std::string(std::get<0>(cell).name) + "_" + std::get<1>(cell).name + "_by_" + std::get<2>(cell).name;
}

/// The cells in which the look shows what the change changes.
std::vector<Cell> Cells() {
  std::vector<Cell> cells;
  for (const Look& look : kLooks) {
    for (const Change& change : kChanges) {
      if ((" " + std::string(change.unseen_by) + " ").find(" " + std::string(look.name) + " ") !=
          std::string::npos) {
        continue;
      }
      for (const Writer& writer : kWriters) cells.emplace_back(look, change, writer);
    }
  }
  return cells;
}

/// Lanes of the workers.
enum Lane { kChanger, kRacer, kLooker, kCompany, kLanes };

NodeLine* Line(int node) {
  static std::unique_ptr<NodeLine> lines[3];
  if (!lines[node]) {
    const char* lab = std::getenv("OCFSGW_LAB");
    lines[node] = std::make_unique<NodeLine>(
        node, std::string(lab == nullptr ? "/tmp/ocfsgw-lab" : lab) + "/node" + std::to_string(node));
  }
  return lines[node].get();
}

std::string Show(const Answer& answer) {
  std::string text = answer.ok() ? "ok" : "error " + std::to_string(answer.error);
  for (const auto& word : answer.results) text += " " + word;
  return text;
}

class RaceMatrix : public testing::TestWithParam<Cell> {
 public:
  static void SetUpTestSuite() {
    top_ = "matrix-" + std::to_string(NowNs());
    for (const int node : {1, 2}) {
      ASSERT_TRUE(Line(node)->Start(kLanes));
      ASSERT_TRUE(Gateway(node).Unmount().ok());
      const Outcome mounted = Gateway(node).Mount(/*fresh=*/false, "names=all");
      ASSERT_TRUE(mounted.ok()) << mounted.output;
    }
    Must(1, "mkdir " + Path(kShared, ""));
    // All of them first: a change in the tick of its file's making would leave no new time.
    for (const auto& cell : Cells()) {
      const std::string directory = Path(kShared, NameOf(cell));
      Must(1, "mkdir " + directory);
      Must(1, "create " + directory + "/f 20000 1");
      Must(1, "create " + directory + "/g 9000 2");
      Must(1, "setxattr " + directory + "/f old");
    }
  }
  static void TearDownTestSuite() {
    for (const int node : {1, 2}) {
      Lab().On(node, "pkill -x soak_worker");  // it keeps the mount busy
      EXPECT_TRUE(Gateway(node).Unmount().ok());
    }
  }

 protected:
  static std::string Path(const std::string& mount, const std::string& name) {
    return mount + "/" + top_ + (name.empty() ? "" : "/" + name);
  }
  static void Must(int node, const std::string& request) {
    const Answer answer = Line(node)->Ask(kChanger, request);
    ASSERT_TRUE(answer.ok()) << request << ": " << Show(answer);
  }
  /// Repeats a request in a thread of its own until told to stop.
  class Repeater {
   public:
    Repeater(int node, Lane lane, std::string request)
        : thread_([this, node, lane, request = std::move(request)] {
            while (!stop_) {
              Line(node)->Ask(lane, request);
              ++done_;
            }
          }) {}
    ~Repeater() { Stop(); }
    void AwaitOne() const {
      while (done_ == 0) std::this_thread::yield();
    }
    void Stop() {
      stop_ = true;
      if (thread_.joinable()) thread_.join();
    }

   private:
    std::atomic<bool> stop_{false};
    std::atomic<int> done_{0};
    std::thread thread_;
  };

  static std::string top_;
};
std::string RaceMatrix::top_;

TEST_P(RaceMatrix, TheFirstLookAfterTheChangeShowsIt) {
  const Look& look = std::get<Look>(GetParam());
  const Change& change = std::get<Change>(GetParam());
  const Writer& writer = std::get<Writer>(GetParam());
  const std::string cell = NameOf(GetParam());
  const auto at = [&](const std::string& mount, const std::string& file) {
    return Path(mount, cell) + (file.empty() ? "" : "/" + file);
  };
  const auto request = [&](const std::string& mount) {
    return std::string(look.operation) + " " + at(mount, look.file) + look.arguments;
  };
  const std::string before = Show(Line(1)->Ask(kLooker, request(kShared)));
  if (!look.fill) {  // twice, so that it is cached under leases
    for (int i = 0; i < 2; ++i) ASSERT_EQ(Show(Line(2)->Ask(kLooker, request(kGateway))), before);
  }
  std::string arguments = change.arguments;
  if (arguments.starts_with("@")) arguments = at(writer.mount, arguments.substr(1));
  {
    std::unique_ptr<Repeater> company;
    if (writer.company) {
      company = std::make_unique<Repeater>(1, kCompany, "pwrite " + at(kShared, "f") + " 0 9");
      company->AwaitOne();
    }
    Repeater racer(2, kRacer, request(kGateway));
    if (!look.fill) racer.AwaitOne();
    Must(writer.node, std::string(change.operation) + " " + at(writer.mount, change.file) + " " + arguments);
    // What node 1 shows must not change any more.
    if (company) company->Stop();
    const std::string seen = Show(Line(2)->Ask(kLooker, request(kGateway)));
    const std::string real = Show(Line(1)->Ask(kLooker, request(kShared)));
    EXPECT_EQ(seen, real) << "before: " << before;
    if (!writer.company) EXPECT_NE(real, before) << "the change cannot be seen by this look";
  }
}

INSTANTIATE_TEST_SUITE_P(Cells, RaceMatrix, testing::ValuesIn(Cells()),
                         [](const auto& test) { return NameOf(test.param); });

}  // namespace
}  // namespace ocfsgw::cluster
