// Sealed trees: one lease for thousands of files, as coherent as thousands of leases.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <string>

#include "tests/cluster/gateway.h"

namespace ocfsgw::cluster {
namespace {

constexpr int kFiles = 150;
constexpr uint64_t kInodes = kFiles + 4;  // with the root and its three directories
constexpr const char* kSealedHeld = "ocfsgw_sealed_leases_held";
/// Of the tree as a whole, however large it is: what the root, the mount point and the way between cost.
constexpr uint64_t kMessagesMax = 40;
constexpr uint64_t kHeartbeatReadsMax = 15;  // as in validation_test

constexpr const char* kMake =
    "mkdir $d $d/0 $d/1 $d/2 && for i in {1..150}; do echo \"$i $d\" >$d/$((i % 3))/$i || exit 1; done && "
    "ln -s 0/3 $d/link";
/// All that can be seen of it: names, types, attributes, targets, content.
constexpr const char* kLook =
    "cd $d && find . -printf '%p %y %m %s %n %T@ %C@ %l\\n' | sort | md5sum && find . -type f | sort | "
    "xargs cat | md5sum";

class SealedTree : public testing::Test {
 protected:
  void SetUp() override {
    for (const Gateway* const gateway : {&writer_, &reader_}) {
      ASSERT_TRUE(gateway->Unmount().ok());
      const Outcome mounted = gateway->Mount(/*fresh=*/true);
      ASSERT_TRUE(mounted.ok()) << mounted.output;
    }
    name_ = "sealed-" + std::to_string(std::chrono::system_clock::now().time_since_epoch().count());
    const Outcome made = In(truth_, name_, kMake);
    ASSERT_TRUE(made.ok()) << made.output;
  }
  void TearDown() override { EXPECT_TRUE(In(truth_, name_, "chattr -Rf -i $d; rm -rf $d").ok()); }

  void Seal() {
    const Outcome sealed = In(writer_.view(), name_, "ocfsgwctl seal $d");
    ASSERT_TRUE(sealed.ok()) << sealed.output;
    EXPECT_NE(sealed.output.find(fmt::format(": sealed, {} files and directories", kInodes)),
              std::string::npos)
        << sealed.output;
  }
  std::string Truth() const { return In(truth_, name_, kLook).output; }
  /// The reader sees what is there, and has it leased by the tree.
  void LookUntilSealed() {
    const std::string truth = Truth();
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    do {
      ASSERT_EQ(In(reader_.view(), name_, kLook).output, truth);
    } while (reader_.Metric(kSealedHeld) < kInodes - 1 && std::chrono::steady_clock::now() < until);
    // All but the root, whose lease is its own.
    EXPECT_EQ(reader_.Metric(kSealedHeld), kInodes - 1);
    EXPECT_LT(reader_.Metric(kLeasesHeld), 10u);
  }
  /// Locks that were given up are purged 8 to 12 s later (DLM_PURGE_INTERVAL_MS, and a turn of o2dlm's
  /// thread).
  void AwaitPurge() const {
    ASSERT_TRUE(Lab().On(2, "sleep 13").ok());
    for (int tries = 0; tries < 30 && Lab().Messages(2, "sleep 2") > 0; ++tries) {
    }
  }

  const View truth_{1, kShared};
  const Gateway writer_{1}, reader_{2};
  std::string name_;
};

TEST_F(SealedTree, ARestartIsValidatedByOneLease) {
  ASSERT_NO_FATAL_FAILURE(Seal());
  // A stamp younger than 5 s proves nothing later.
  ASSERT_TRUE(Lab().On(2, "sleep 6").ok());
  ASSERT_NO_FATAL_FAILURE(LookUntilSealed());
  ASSERT_TRUE(reader_.Unmount().ok());
  ASSERT_TRUE(Lab().DropCaches(2).ok());
  ASSERT_NO_FATAL_FAILURE(AwaitPurge());
  ASSERT_TRUE(reader_.Mount().ok());
  const std::string truth = Truth();
  const uint64_t reads = Lab().Reads(2).requests;
  const std::string look = std::string("d=") + kGateway + "/" + name_ + "; " + kLook;
  const uint64_t messages =
      Lab().Messages(2, "[ \"$(" + look + ")\" = \"" + truth.substr(0, truth.size() - 1) + "\" ]");
  const uint64_t disk_reads = Lab().Reads(2).requests - reads;
  fmt::print("{} messages and {} reads of the shared disk for {} files and directories\n", messages,
             disk_reads, kInodes);
  EXPECT_LE(messages, kMessagesMax);
  EXPECT_LE(disk_reads, kHeartbeatReadsMax);
  EXPECT_EQ(reader_.Metric(kSealedHeld), kInodes - 1);
  EXPECT_EQ(reader_.Metric(kBackendReads), 0u);
}

TEST_F(SealedTree, ChangesAreRefusedByWhicheverWay) {
  ASSERT_NO_FATAL_FAILURE(Seal());
  ASSERT_NO_FATAL_FAILURE(LookUntilSealed());
  const std::string truth = Truth();
  const std::string changes =
      "for change in 'touch $d/new' 'mkdir $d/0/new' 'echo x >>$d/0/3' 'echo x >$d/0/3' 'rm $d/0/3' 'rmdir "
      "$d/1' "
      "'mv $d/0/3 $d/1/' 'mv $d/0 $d-other' 'ln $d/0/3 $d-link' 'chmod 600 $d/0/3' 'chown 1 $d/0' "
      "'touch $d/0/3' 'setfattr -n user.a -v b $d/0/3' 'truncate -s 1 $d/0/3' 'ln -s a $d/2/b' 'rm $d/link'; "
      "do "
      "said=$( (eval \"$change\") 2>&1); case $said in *'Operation not permitted'*) ;; *) echo \"$change: "
      "$said\";; esac; done";
  for (const View& view : {truth_, writer_.view(), reader_.view()}) {
    EXPECT_EQ(In(view, name_, changes).output, "") << view.mount;
  }
  // By hand a flag is taken away only beside the gateway: it would not be seen.
  for (const Gateway* const gateway : {&writer_, &reader_}) {
    EXPECT_FALSE(In(gateway->view(), name_, "chattr -i $d/0/3").ok());
    EXPECT_FALSE(In(gateway->view(), name_, "chattr -i $d").ok());
  }
  EXPECT_EQ(Truth(), truth);
  EXPECT_EQ(In(reader_.view(), name_, kLook).output, truth);
  EXPECT_EQ(reader_.Metric(kSealedHeld), kInodes - 1) << "no attempt has cost a lease";
}

TEST_F(SealedTree, ItsEndIsSeenAtOnce) {
  for (int round = 0; round < 2; ++round) {
    ASSERT_NO_FATAL_FAILURE(Seal());
    ASSERT_NO_FATAL_FAILURE(LookUntilSealed());
    const Outcome unsealed = In(writer_.view(), name_, "ocfsgwctl unseal $d");
    ASSERT_TRUE(unsealed.ok()) << unsealed.output;
    const Outcome changed =
        In(truth_, name_,
           fmt::format("echo changed {0} >$d/0/3; echo more >>$d/1/4; chmod 60{0} $d/2/2; touch $d/2/new{0}; "
                       "mv $d/2/new{0} $d/2/renamed{0}; rm $d/2/renamed{0}; mkdir $d/dir && rmdir $d/dir",
                       round));
    ASSERT_TRUE(changed.ok()) << changed.output;
    EXPECT_EQ(In(reader_.view(), name_, kLook).output, Truth()) << "round " << round;
    EXPECT_EQ(reader_.Metric(kSealedHeld), 0u);
  }
}

// `chattr -i` of the root is what unseal does first, and whoever does it by hand is seen.
TEST_F(SealedTree, TheRootsFlagTakenAwayByHandEndsIt) {
  ASSERT_NO_FATAL_FAILURE(Seal());
  ASSERT_NO_FATAL_FAILURE(LookUntilSealed());
  const Outcome changed =
      In(truth_, name_, "chattr -i $d $d/0 $d/0/3 && echo changed >$d/0/3 && touch $d/0/new");
  ASSERT_TRUE(changed.ok()) << changed.output;
  EXPECT_EQ(In(reader_.view(), name_, kLook).output, Truth());
  EXPECT_EQ(reader_.Metric(kSealedHeld), 0u);
}

// What the kernel keeps, of files that are open, too.
TEST_F(SealedTree, OpenFilesGoOnWithTheirOwnLeases) {
  ASSERT_NO_FATAL_FAILURE(Seal());
  ASSERT_NO_FATAL_FAILURE(LookUntilSealed());
  const Outcome opened = In(reader_.view(), name_,
                            "mkfifo /tmp/go; (exec 3<$d/0/3; head -c 3 <&3 >/tmp/first; read x </tmp/go; cat "
                            "/proc/self/fd/3 >/tmp/second; stat -L -c %s /proc/self/fd/3 >>/tmp/second) "
                            ">/dev/null 2>&1 & sleep 1; cat /tmp/first");
  ASSERT_TRUE(opened.ok()) << opened.output;
  const Outcome changed = In(writer_.view(), name_,
                             std::string("ocfsgwctl unseal $d && d=") + kShared + "/" + name_ +
                                 " && echo rewritten >$d/0/3 && rm $d/1/4");
  ASSERT_TRUE(changed.ok()) << changed.output;
  EXPECT_EQ(Lab().On(2, "echo >/tmp/go; sleep 1; cat /tmp/second; rm /tmp/go").output, "rewritten\n10\n");
}

TEST_F(SealedTree, HalfSealedItIsATreeLikeAnyOther) {
  // The client's end ends it.
  const std::string attribute =
      In(writer_.view(), name_,
         std::string("ocfsgwctl seal $d >/dev/null 2>&1 & t=") + kShared + "/" + name_ +
             "; seal() { getfattr --only-values -n trusted.ocfsgw.seal $t 2>/dev/null; }; "
             "until [ -n \"$(seal)\" ]; do :; done; kill -9 $!; wait 2>/dev/null; sleep 1; seal")
          .output;
  EXPECT_NE(attribute.find("v1 sealing"), std::string::npos) << attribute;
  EXPECT_EQ(In(reader_.view(), name_, kLook).output, Truth());
  EXPECT_EQ(reader_.Metric(kSealedHeld), 0u);
  const Outcome changed = In(truth_, name_, "chattr -i $d $d/0 $d/0/3 && echo changed >$d/0/3");
  ASSERT_TRUE(changed.ok()) << changed.output;
  EXPECT_EQ(In(reader_.view(), name_, kLook).output, Truth());
  ASSERT_NO_FATAL_FAILURE(Seal());
  // What was immutable already goes on with the lease it had.
  EXPECT_EQ(In(reader_.view(), name_, kLook).output, Truth());
  ASSERT_TRUE(reader_.Unmount().ok());
  ASSERT_TRUE(reader_.Mount().ok());
  ASSERT_NO_FATAL_FAILURE(LookUntilSealed());
}

TEST_F(SealedTree, WhatCannotBeSealedIsSaidInOneLine) {
  struct {
    const char* command;
    int status;
    const char* text;
  } const cases[] = {
      {"ocfsgwctl seal $d/0/3", 4, "not a directory"},
      {"ocfsgwctl seal $d/none", 1, "No such file or directory"},
      {"ocfsgwctl seal /tmp", 1, "not in a mount of ocfsgw"},
      {"ocfsgwctl unseal $d/0", 4, "not a sealed tree"},
      {"exec 3>>$d/0/3; ocfsgwctl seal $d", 4, "open for writing on this node"},
  };
  for (const auto& [command, status, text] : cases) {
    const Outcome refused = In(writer_.view(), name_, command);
    EXPECT_EQ(refused.status, status) << command << ": " << refused.output;
    EXPECT_NE(refused.output.find(text), std::string::npos) << command << ": " << refused.output;
    EXPECT_EQ(std::count(refused.output.begin(), refused.output.end(), '\n'), 1) << refused.output;
  }
  EXPECT_EQ(In(truth_, name_, "lsattr -R $d 2>/dev/null | grep -c -- '----i'").output, "0\n");
}

}  // namespace
}  // namespace ocfsgw::cluster
