// What could make two versions of a file look like one: clocks that are apart, times that are set back, inode
// numbers that come back, writers that leave the times to chance. And what must not be kept from OCFS2: the
// space of a deleted file.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <chrono>
#include <set>
#include <sstream>
#include <string>
#include <thread>

#include "tests/cluster/content.h"
#include "tests/cluster/gateway.h"

namespace ocfsgw::cluster {
namespace {

using std::chrono::seconds;

constexpr size_t kBytes = 4096;  // of the file $d/f; one block, as O_DIRECT wants it

/// What `fsop read` prints of a file with the content of this seed.
std::string Line(uint64_t seed) {
  const auto bytes = Pattern(kBytes, seed);
  return fmt::format("{} {:016x}", bytes.size(), Hash(bytes.data(), bytes.size()));
}

class Stamps : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    ASSERT_TRUE(ServeLooks(2).ok());
    ASSERT_TRUE(Gateway(2).Unmount().ok());  // whatever another test has left
  }
  void SetUp() override {
    const Outcome mounted = gateway_.Mount();
    ASSERT_TRUE(mounted.ok()) << mounted.output;
    name_ = "stamp-" + std::to_string(std::chrono::system_clock::now().time_since_epoch().count());
    SetWritersClock(-30);  // so that the stamps of what is made now have settled
    Write("mkdir $d && fsop create $d/f 4096 0");
    SetWritersClock(0);
  }
  void TearDown() override { SetWritersClock(0); }

  /// Each node has a clock of its own: that of node 1 against the host's.
  static void SetWritersClock(int ahead) {
    const auto now = std::chrono::system_clock::now().time_since_epoch() + seconds(ahead);
    const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(now).count();
    ASSERT_TRUE(Lab().On(1, fmt::format("date -s @{}.{:03}", ms / 1000, ms % 1000)).ok());
  }
  std::string Write(const std::string& command) const {
    const Outcome written = In(writer_, name_, command);
    EXPECT_TRUE(written.ok()) << written.output;
    return written.output;
  }
  std::string Look(const std::string& command = "fsop read $d/f") const {
    std::string seen = In(gateway_.view(), name_, command).output;
    return seen.substr(0, seen.find('\n'));
  }
  /// `look` in a command of the writer's: node 2 looks through its gateway.
  std::string AskLook() const {
    return kAsk + fmt::format("look() {{ ask 2 'fsop read {}/{}/f'; }}\n", kGateway, name_);
  }
  void Restart() const {
    ASSERT_TRUE(gateway_.Unmount().ok());
    ASSERT_TRUE(gateway_.Mount().ok());
  }
  /// Reads the file of that seed until it is in the page store, and checks that a restarted gateway has it
  /// from there.
  void Warm(uint64_t seed) const {
    ASSERT_EQ(Look(), Line(seed));
    Restart();
    const uint64_t before = gateway_.Metric(kBackendReads);
    ASSERT_EQ(Look(), Line(seed));
    ASSERT_EQ(gateway_.Metric(kBackendReads), before)
        << "the page store is cold, and the test proves nothing";
  }

  const Gateway gateway_{2};
  const View writer_{1, kShared};
  std::string name_;
};

class ClocksApart : public Stamps, public testing::WithParamInterface<int> {};

// Changes of the same size, as fast as a look can be had after each.
TEST_P(ClocksApart, EveryLookAfterAnAnnouncedWriteShowsIt) {
  SetWritersClock(GetParam());
  uint64_t seed = 0;
  for (int round = 0; round < 2; ++round) {
    std::istringstream seen(
        Write(AskLook() + fmt::format("for i in {{{}..{}}}; do "
                                      "fsop overwrite $d/f 0 4096 $i >/dev/null; look; done",
                                      seed + 1, seed + 6)));
    for (std::string line; std::getline(seen, line);) EXPECT_EQ(line, Line(++seed)) << "write " << seed;
    EXPECT_EQ(seed, 6U * (round + 1));
    Restart();
    EXPECT_EQ(Look(), Line(seed)) << "after a restart";
  }
}

INSTANTIATE_TEST_SUITE_P(WriterAheadBySeconds, ClocksApart, testing::Values(5, -5),
                         [](const auto& test) { return test.param < 0 ? "minus_5" : "plus_5"; });

// The writer's clock is set back to the very moment of its last write, again and again: some writes get the
// times of the one before.
TEST_F(Stamps, AClockThatIsSetBackBetweenTwoWrites) {
  const std::string lines =
      Write(AskLook() +
            "t=$EPOCHREALTIME; for i in {1..8}; do date -s @$t >/dev/null; fsop overwrite $d/f 0 4096 $i "
            ">/dev/null; look; stat -c %.Z $d/f; done");
  std::istringstream words(lines);
  std::set<std::string> times;
  for (uint64_t seed = 1; seed <= 8; ++seed) {
    std::string seen, time;
    ASSERT_TRUE(std::getline(words, seen) && std::getline(words, time)) << lines;
    EXPECT_EQ(seen, Line(seed)) << "write " << seed << " at " << time;
    times.insert(time);
  }
  RecordProperty("writes", 8);
  RecordProperty("times", static_cast<int>(times.size()));
  Restart();
  EXPECT_EQ(Look(), Line(8)) << "after a restart";
}

TEST_F(Stamps, TimesSetBackAfterAChange) {
  constexpr const char* kOldTimes = "fsop utimes $d/f 1000000000 >/dev/null";
  SetWritersClock(-30);
  Write(kOldTimes);
  SetWritersClock(0);
  Warm(0);
  Write(std::string("fsop overwrite $d/f 0 4096 1 && ") + kOldTimes);
  EXPECT_EQ(Look(), Line(1));
  ASSERT_TRUE(gateway_.Unmount().ok());
  Write(std::string("fsop overwrite $d/f 0 4096 2 && ") + kOldTimes);
  ASSERT_TRUE(gateway_.Mount().ok());
  EXPECT_EQ(Look(), Line(2)) << "changed while the gateway was down";
}

// Deletes the file and makes others until one has its inode number, with the same size and times.
TEST_F(Stamps, AnInodeNumberThatComesBack) {
  const auto replace = [&](uint64_t seed) {
    const Outcome made = In(
        writer_, name_,
        fmt::format(
            "old=$(stat -c %i $d/f); rm $d/f; for n in {{1..200}}; do fsop create $d/$n 4096 {} >/dev/null; "
            "if [ $(stat -c %i $d/$n) = $old ]; then mv $d/$n $d/f && fsop utimes $d/f 1000000000; exit; "
            "fi; done; exit 1",
            seed));
    ASSERT_TRUE(made.ok()) << "the number did not come back: " << made.output;
  };
  SetWritersClock(-30);
  Write("fsop utimes $d/f 1000000000 >/dev/null");
  SetWritersClock(0);
  Warm(0);
  ASSERT_NO_FATAL_FAILURE(replace(1));
  EXPECT_EQ(Look(), Line(1));
  ASSERT_TRUE(gateway_.Unmount().ok());
  ASSERT_NO_FATAL_FAILURE(replace(2));
  ASSERT_TRUE(gateway_.Mount().ok());
  EXPECT_EQ(Look(), Line(2)) << "replaced while the gateway was down";
}

// The node must not keep the open lock of what a gateway has read: see open_pins.h.
TEST_F(Stamps, TheSpaceOfADeletedFileIsFreed) {
  Write("for i in here there; do fsop create $d/$i 4096000 1; done");
  const uint64_t before = std::stoull(Write("sync; stat -f -c %f $d"));
  EXPECT_TRUE(
      In(gateway_.view(), name_, "fsop read $d/here && fsop read $d/there && fsop unlink $d/here").ok());
  Write("fsop unlink $d/there");
  for (const int blocks : {1000, 2000}) {  // within seconds: a node may drop an inode a moment later
    Write(
        fmt::format("for i in {{1..50}}; do sync; [ $(stat -f -c %f $d) -lt {} ] || exit 0; done; stat -f -c "
                    "%f $d; exit 1",
                    before + blocks));
  }
}

// The last name of a file that is open through the gateway goes away on the other node.
TEST_F(Stamps, AnOpenFileThatIsDeletedElsewhereStaysReadable) {
  ASSERT_TRUE(ServeLooks(1).ok());
  std::istringstream seen(
      In(gateway_.view(), name_,
         kAsk + fmt::format("exec 3<$d/f 4<$d/f; md5sum <&3; ask 1 'rm {0}/{1}/f; ls {0}/{1} | wc -l'; "
                            "md5sum <&4",
                            kShared, name_))
          .output);
  std::string before, names, after;
  std::getline(seen, before) && std::getline(seen, names) && std::getline(seen, after);
  EXPECT_EQ(names, "0") << before;
  EXPECT_EQ(after, before);
}

}  // namespace
}  // namespace ocfsgw::cluster
