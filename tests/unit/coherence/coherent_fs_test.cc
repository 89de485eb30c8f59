// The rules of what may be served, on one or two simulated machines.

#include <fcntl.h>
#include <gtest/gtest.h>

#include <cerrno>

#include "tests/sim/sim_machine.h"

namespace ocfsgw::coherence {
namespace {

using sim::SimMachine;
using sim::SimMachineOptions;
using sim::SimVolume;

/// Reads a file by name, as open + read + close would.
std::string Read(SimMachine& machine, const std::string& name) {
  const auto root = machine.fs.Root();
  const auto entry = machine.fs.Lookup(root->inode, name);
  if (!entry.ok()) return "error: " + entry.status().ToString();
  const auto file = machine.fs.Open(entry->inode, O_RDONLY);
  if (!file.ok()) return "error: " + file.status().ToString();
  const auto text = machine.kernel.Read(machine.fs, **file);
  return text.ok() ? *text : "error: " + text.status().ToString();
}

class CoherentFsTest : public ::testing::Test {
 protected:
  /// Lets so much time pass that every stamp there is has settled.
  void Settle() { clock.Advance(std::chrono::seconds(1)); }
  SimMachineOptions Options() {
    SimMachineOptions options;
    options.clock = &clock;
    return options;
  }

  SimClock clock;  ///< Of the volume and of the machines: time passes when a test says so.
  SimVolume volume{1, &clock};
  cache::MemoryPageStore store{1 << 20};
};

TEST_F(CoherentFsTest, ARestartedGatewayServesFromTheStore) {
  volume.WriteFile("a", "one");
  Settle();
  {
    SimMachine machine(volume, store, Options());
    EXPECT_EQ(Read(machine, "a"), "one");
    EXPECT_EQ(machine.metrics.blocks_from_backend.value(), 1u);
  }
  SimMachine machine(volume, store, Options());
  EXPECT_EQ(Read(machine, "a"), "one");
  EXPECT_EQ(machine.metrics.blocks_from_backend.value(), 0u);
  EXPECT_EQ(machine.metrics.blocks_from_store.value(), 1u);
  EXPECT_EQ(machine.metrics.names_from_backend.value(), 0u) << "names and nodes are stored too";
  EXPECT_EQ(machine.metrics.attributes_from_backend.value(), 0u);
}

TEST_F(CoherentFsTest, WhatChangedWhileTheGatewayWasDownIsNotServed) {
  volume.WriteFile("a", "one");
  Settle();
  { EXPECT_EQ(Read(*std::make_unique<SimMachine>(volume, store, Options()), "a"), "one"); }
  volume.WriteFile("a", "two2");
  volume.WriteFile("b", "new");
  Settle();
  SimMachine machine(volume, store, Options());
  EXPECT_EQ(Read(machine, "a"), "two2");
  EXPECT_EQ(Read(machine, "b"), "new");
}

// Two writes within one tick of the writer's clock leave the same size and times.
TEST_F(CoherentFsTest, ARacyStampProvesNothingAfterItsLease) {
  SimMachine machine(volume, store, Options());
  for (int i = 0; i < 200; ++i) {
    volume.WriteFile("a", std::to_string(1000 + i));
    ASSERT_EQ(Read(machine, "a"), std::to_string(1000 + i));
  }
  EXPECT_GT(machine.metrics.blocks_from_backend.value(), 190u);
}

TEST_F(CoherentFsTest, WhatWasStoredUnderARacyStampIsKeptOnceTheLeaseOutlivesIt) {
  volume.WriteFile("a", "one");
  {
    SimMachine machine(volume, store, Options());
    EXPECT_EQ(Read(machine, "a"), "one");
    Settle();
    machine.kernel.Stop();  // drop nothing: the page below comes from the store again
    const auto entry = machine.fs.Lookup(machine.fs.Root()->inode, "a");
    const auto file = machine.fs.Open(entry->inode, O_RDONLY | O_DIRECT);
    std::string got;
    ASSERT_TRUE(
        machine.fs
            .Read(**file, 0, 10,
                  [&](auto bytes) { got.assign(reinterpret_cast<const char*>(bytes.data()), bytes.size()); })
            .ok());
    EXPECT_EQ(got, "one");
    EXPECT_EQ(machine.metrics.blocks_from_store.value(), 1u);
  }
  SimMachine machine(volume, store, Options());
  EXPECT_EQ(Read(machine, "a"), "one");
  EXPECT_EQ(machine.metrics.blocks_from_backend.value(), 0u) << "it was stored again under the settled stamp";
}

TEST_F(CoherentFsTest, AWriterThatLeavesTheStampAsItWasIsNoticedByItsRecall) {
  volume.WriteFile("a", "one");
  Settle();
  {
    SimMachine machine(volume, store, Options());
    EXPECT_EQ(Read(machine, "a"), "one");
    volume.OverwriteSilently("a", "two");
    EXPECT_EQ(Read(machine, "a"), "two");
    machine.leases.OnLeasesLost("the next lease is not the distrusted one");
    EXPECT_EQ(Read(machine, "a"), "two");
  }
  SimMachine machine(volume, store, Options());
  EXPECT_EQ(Read(machine, "a"), "two");
}

TEST_F(CoherentFsTest, AnUnlinkedAndRecreatedNameIsTheNewFile) {
  SimMachine machine(volume, store, Options());
  volume.WriteFile("a", "old");
  EXPECT_EQ(Read(machine, "a"), "old");
  volume.Remove("a");
  volume.WriteFile("a", "new");
  EXPECT_EQ(Read(machine, "a"), "new");
}

TEST_F(CoherentFsTest, NegativeNamesComeFromTheLeaseUntilTheNameAppears) {
  SimMachine machine(volume, store, Options());
  const auto root = machine.fs.Root();
  EXPECT_TRUE(machine.fs.Lookup(root->inode, "a").status().IsErrno(ENOENT));
  const uint64_t before = machine.metrics.names_from_lease.value();
  EXPECT_TRUE(machine.fs.Lookup(root->inode, "a").status().IsErrno(ENOENT));
  EXPECT_EQ(machine.metrics.names_from_lease.value(), before + 1);
  volume.WriteFile("a", "x");
  EXPECT_TRUE(machine.fs.Lookup(root->inode, "a").ok());
}

TEST_F(CoherentFsTest, OurOwnChangesAreSeenAtOnceHereAndOnTheOtherMachine) {
  cache::MemoryPageStore other_store(1 << 20);
  SimMachine here(volume, store, Options());
  SimMachine there(volume, other_store, Options());
  volume.WriteFile("a", "xxxx");
  EXPECT_EQ(Read(here, "a"), "xxxx");
  EXPECT_EQ(Read(there, "a"), "xxxx");
  const auto entry = here.fs.Lookup(here.fs.Root()->inode, "a");
  const auto file = here.fs.Open(entry->inode, O_RDWR);
  for (const char* text : {"aaaa", "bbbb", "cccc"}) {
    ASSERT_TRUE(here.kernel.Write(here.fs, **file, text).ok());
    EXPECT_EQ(Read(there, "a"), text);
    EXPECT_EQ(*here.kernel.Read(here.fs, **file), text);
  }
  {
    Mutation change(here.fs.leases());
    ASSERT_TRUE(here.fs.Unlink(change, here.fs.Root()->inode, "a").ok());
  }
  EXPECT_TRUE(there.fs.Lookup(there.fs.Root()->inode, "a").status().IsErrno(ENOENT));
  {
    Mutation change(here.fs.leases());
    ASSERT_TRUE(here.fs.Create(change, here.fs.Root()->inode, "a", 0644, O_RDWR, {}).ok());
  }
  EXPECT_EQ(Read(there, "a"), "");
}

TEST_F(CoherentFsTest, WithoutLeasesEveryReadAsksTheBackendAndIsRight) {
  SimMachineOptions options = Options();
  options.refuse_every = 1;
  SimMachine machine(volume, store, options);
  for (const char* text : {"one", "two", "six"}) {
    volume.WriteFile("a", text);
    EXPECT_EQ(Read(machine, "a"), text);
    EXPECT_EQ(Read(machine, "a"), text);
  }
  EXPECT_EQ(machine.metrics.blocks_from_store.value(), 0u);
  EXPECT_EQ(store.Stats().records, 0u) << "what was read without a lease is not stored";
}

TEST_F(CoherentFsTest, TheLeaseBudgetHoldsAndWhatIsUsedStays) {
  SimMachineOptions options = Options();
  options.max_leases = 10;
  SimMachine machine(volume, store, options);
  for (int i = 0; i < 40; ++i) volume.WriteFile("f" + std::to_string(i), "x");
  for (int i = 0; i < 40; ++i) EXPECT_EQ(Read(machine, "f" + std::to_string(i)), "x");
  EXPECT_LE(machine.leases.held(), 10u + 4u) << "the acquisition threads may overshoot by one each";
  EXPECT_GT(machine.metrics.idle_releases.value(), 0u);
  EXPECT_EQ(machine.metrics.recalls.value(), 0u);
}

TEST_F(CoherentFsTest, LosingAllLeasesLeavesReadsRight) {
  SimMachine machine(volume, store, Options());
  volume.WriteFile("a", "one");
  EXPECT_EQ(Read(machine, "a"), "one");
  machine.leases.OnLeasesLost("the test says so");
  EXPECT_EQ(machine.leases.held(), 0u);
  volume.WriteFile("a", "two");
  EXPECT_EQ(Read(machine, "a"), "two");
}

TEST_F(CoherentFsTest, XattrsAreAskedForOnceALeaseAndSeenAtOnceWhenChanged) {
  volume.WriteFile("a", "one");
  SimMachine machine(volume, store, Options());
  const auto root = machine.fs.Root();
  const auto entry = machine.fs.Lookup(root->inode, "a");
  ASSERT_TRUE(entry.ok());
  const auto get = [&] { return machine.fs.GetXattr(entry->inode, "user.x"); };
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(get().status().IsErrno(ENODATA));
  EXPECT_EQ(machine.backend.xattr_reads, 1u);
  for (const char* value : {"v1", "v2"}) {
    volume.SetXattr("a", "user.x", value);
    EXPECT_EQ(*get(), value);
  }
  machine.backend.xattr_reads = 0;
  const std::string large(Xattrs::kValueBytesMax + 1, 'x');
  volume.SetXattr("a", "user.x", large);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(*get(), large);
  EXPECT_EQ(machine.backend.xattr_reads, 3u);
}

TEST_F(CoherentFsTest, XattrsAreStoredUnderTheStamp) {
  volume.WriteFile("a", "one");
  volume.SetXattr("a", "user.x", std::string("v\0 1", 4));
  Settle();
  const auto ask = [this](uint64_t expected_reads) {
    SimMachine machine(volume, store, Options());
    const auto root = machine.fs.Root();
    const auto entry = machine.fs.Lookup(root->inode, "a");
    const auto x = machine.fs.GetXattr(entry->inode, "user.x");
    EXPECT_TRUE(machine.fs.GetXattr(entry->inode, "user.missing").status().IsErrno(ENODATA));
    EXPECT_EQ(machine.backend.xattr_reads, expected_reads);
    return x.ok() ? *x : x.status().ToString();
  };
  EXPECT_EQ(ask(2), std::string("v\0 1", 4));
  EXPECT_EQ(ask(0), std::string("v\0 1", 4)) << "restarted";
  volume.SetXattr("a", "user.x", "v2");
  Settle();
  EXPECT_EQ(ask(2), "v2") << "changed while no gateway ran";
}

// Answers given while the stamp was racy are stored by whoever asks when it is not any more.
TEST_F(CoherentFsTest, XattrsOfARacyStampAreStoredLater) {
  volume.WriteFile("a", "one");
  {
    SimMachine machine(volume, store, Options());
    const auto entry = machine.fs.Lookup(machine.fs.Root()->inode, "a");
    EXPECT_FALSE(machine.fs.GetXattr(entry->inode, "user.x").ok());
    Settle();
    EXPECT_FALSE(machine.fs.GetXattr(entry->inode, "user.x").ok());
    EXPECT_EQ(machine.backend.xattr_reads, 1u);
  }
  SimMachine machine(volume, store, Options());
  const auto entry = machine.fs.Lookup(machine.fs.Root()->inode, "a");
  EXPECT_TRUE(machine.fs.GetXattr(entry->inode, "user.x").status().IsErrno(ENODATA));
  EXPECT_EQ(machine.backend.xattr_reads, 0u);
}

TEST_F(CoherentFsTest, MaxStalenessServesWhatWasKnownForSoLongAndNoLonger) {
  constexpr auto kStaleness = std::chrono::milliseconds(300);
  SimMachineOptions options;  // real time: the end of the staleness is a timer
  options.max_staleness = kStaleness;
  SimVolume real_volume;
  real_volume.WriteFile("a", "one");
  SimMachine machine(real_volume, store, options);
  ASSERT_EQ(Read(machine, "a"), "one");
  real_volume.WriteFile("a", "two");
  const auto changed = std::chrono::steady_clock::now();
  const std::string first = Read(machine, "a");
  if (std::chrono::steady_clock::now() - changed < kStaleness / 2) {
    EXPECT_EQ(first, "one");
  }
  const uint64_t acquisitions = machine.metrics.acquisitions.value();
  while (Read(machine, "a") != "two") {
    ASSERT_LT(std::chrono::steady_clock::now() - changed, 100 * kStaleness) << "old for ever";
  }
  EXPECT_LE(machine.metrics.acquisitions.value(), acquisitions + 1);
}

TEST_F(CoherentFsTest, AnOwnWriteIsSeenAtOnceInSpiteOfMaxStaleness) {
  SimMachineOptions options = Options();
  options.max_staleness = std::chrono::hours(1);
  volume.WriteFile("a", "one");
  SimMachine machine(volume, store, options);
  ASSERT_EQ(Read(machine, "a"), "one");
  volume.WriteFile("a", "two");
  ASSERT_EQ(Read(machine, "a"), "one");
  const auto root = machine.fs.Root();
  const auto entry = machine.fs.Lookup(root->inode, "a");
  const auto file = machine.fs.Open(entry->inode, O_RDWR);
  ASSERT_TRUE(machine.kernel.Write(machine.fs, **file, "abc").ok());
  EXPECT_EQ(Read(machine, "a"), "abc");
}

TEST_F(CoherentFsTest, AFileThatBecameShorterEndsStalenessInsteadOfShowingZeros) {
  SimMachineOptions options = Options();
  options.max_staleness = std::chrono::hours(1);
  volume.WriteFile("a", "a longer content");
  SimMachine machine(volume, store, options);
  const auto root = machine.fs.Root();
  const auto entry = machine.fs.Lookup(root->inode, "a");
  ASSERT_TRUE(entry.ok());
  volume.WriteFile("a", "short");
  EXPECT_EQ(Read(machine, "a"), "short");
  EXPECT_EQ(machine.fs.GetAttr(entry->inode)->attr.size, 5u);
}

TEST_F(CoherentFsTest, NothingIsStoredUnderASettledStampWhileStalenessIsAllowed) {
  SimMachineOptions options = Options();
  options.max_staleness = std::chrono::hours(1);
  {
    SimMachine machine(volume, store, options);
    volume.WriteFile("a", "one");
    ASSERT_EQ(Read(machine, "a"), "one");  // a racy stamp: stored with a salt
    volume.OverwriteSilently("a", "two");  // the same stamp
    Settle();
    const auto root = machine.fs.Root();
    const auto entry = machine.fs.Lookup(root->inode, "a");
    const auto file = machine.fs.Open(entry->inode, O_RDONLY | O_DIRECT);
    ASSERT_EQ(Read(machine, "a"), "one") << "allowed for an hour";
    ASSERT_TRUE(machine.fs.Read(**file, 0, 100, [](std::span<const std::byte>) {}).ok());
  }
  SimMachine machine(volume, store, Options());
  EXPECT_EQ(Read(machine, "a"), "two");
}

}  // namespace
}  // namespace ocfsgw::coherence
