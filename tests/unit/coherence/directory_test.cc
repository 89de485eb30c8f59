#include "coherence/directory.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/sim/sim_machine.h"

namespace ocfsgw::coherence {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr size_t kMany = 200;

std::string Name(size_t i) { return "n" + std::to_string(i); }

std::shared_ptr<const Listing> ManyNames() {
  std::vector<DirectoryEntry> entries;
  for (size_t i = 0; i < kMany; ++i) entries.push_back({Name(i), i + 1, 8});
  return std::make_shared<const Listing>(std::move(entries));
}

TEST(Directory, TellsAWalkOfWhatIsAhead) {
  Directory directory;
  EXPECT_THAT(directory.Ahead(Name(0)).names, IsEmpty()) << "the order is not known";
  directory.SetListing(ManyNames());
  size_t told = Directory::kWalkMin;
  for (size_t i = 0; i < kMany; ++i) {
    const auto ahead = directory.Ahead(Name(i)).names;
    if (i + 1 < Directory::kWalkMin) {
      EXPECT_THAT(ahead, IsEmpty());
      continue;
    }
    for (const auto& name : ahead) EXPECT_EQ(name, Name(told++)) << "each once, in order";
    EXPECT_GE(told, std::min(kMany, i + 1 + Directory::kWalkMin));
    EXPECT_LE(told, i + 1 + Directory::kAheadMax);
  }
  EXPECT_EQ(told, kMany);
}

TEST(Directory, OtherOrdersAreNoWalk) {
  Directory directory;
  directory.SetListing(ManyNames());
  for (size_t i = kMany; i-- > 0;) EXPECT_THAT(directory.Ahead(Name(i)).names, IsEmpty());
  for (size_t i = 0; i < kMany; i += 2) EXPECT_THAT(directory.Ahead(Name(i)).names, IsEmpty());
  EXPECT_THAT(directory.Ahead("none").names, IsEmpty());
}

TEST(LookUpAhead, TakesLeasesThatAWalkThenFinds) {
  sim::SimVolume volume(1);
  for (int i = 0; i < 30; ++i) volume.WriteFile(Name(i), "x");
  cache::MemoryPageStore store{1 << 20};
  sim::SimMachineOptions options;
  options.max_leases = 1000;
  sim::SimMachine machine(volume, store, options);
  AsioExecutor ahead({.name = "ahead", .threads = 4});
  CoherentFs fs(machine.backend, machine.leases, store, machine.metrics, nullptr, &ahead);
  const auto root = fs.Root();
  ASSERT_TRUE(root.ok());
  const auto listing = fs.List(root->inode);
  ASSERT_TRUE(listing.ok());
  for (size_t i = 0; i < Directory::kWalkMin; ++i) {
    ASSERT_TRUE(fs.Lookup(root->inode, (*listing)->entries()[i].name).ok());
  }
  ahead.Stop();  // it has done all then
  const uint64_t in_backend = machine.metrics.names_from_backend.value();
  EXPECT_EQ(in_backend, Directory::kWalkMin + 4 * Directory::kWalkMin) << "no name twice";
  for (size_t i = Directory::kWalkMin; i < in_backend; ++i) {
    const auto found = fs.Lookup(root->inode, (*listing)->entries()[i].name);
    ASSERT_TRUE(found.ok());
    EXPECT_TRUE(found->lease.has_value());
  }
  EXPECT_EQ(machine.metrics.names_from_backend.value(), in_backend);
}

// A directory that is being changed is leased again and again then; nobody has asked for what is ahead.
TEST(LookUpAhead, IsLeftOutWhereStalenessIsAllowed) {
  sim::SimVolume volume(1);
  for (int i = 0; i < 30; ++i) volume.WriteFile(Name(i), "x");
  cache::MemoryPageStore store{1 << 20};
  sim::SimMachineOptions options;
  options.max_leases = 1000;
  options.max_staleness = std::chrono::milliseconds(500);
  sim::SimMachine machine(volume, store, options);
  AsioExecutor ahead({.name = "ahead", .threads = 4});
  CoherentFs fs(machine.backend, machine.leases, store, machine.metrics, nullptr, &ahead);
  const auto root = fs.Root();
  ASSERT_TRUE(root.ok());
  const auto listing = fs.List(root->inode);
  ASSERT_TRUE(listing.ok());
  for (size_t i = 0; i < 2 * Directory::kWalkMin; ++i) {
    ASSERT_TRUE(fs.Lookup(root->inode, (*listing)->entries()[i].name).ok());
  }
  ahead.Stop();
  EXPECT_EQ(machine.metrics.names_from_backend.value(), 2 * Directory::kWalkMin);
}

}  // namespace
}  // namespace ocfsgw::coherence
