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

class LookUpAhead : public ::testing::Test {
 protected:
  void Start(Duration max_staleness) {
    for (int i = 0; i < 30; ++i) volume_.WriteFile(Name(i), "x");
    sim::SimMachineOptions options;
    options.max_leases = 1000;
    options.max_staleness = max_staleness;
    machine_ = std::make_unique<sim::SimMachine>(volume_, store_, options);
    fs_ = std::make_unique<CoherentFs>(machine_->backend, machine_->leases, store_, machine_->metrics,
                                       nullptr, &ahead_);
    root_ = fs_->Root()->inode;
    listing_ = *fs_->List(root_);
  }
  void TearDown() override {
    root_ = nullptr;
    fs_.reset();
    machine_.reset();
  }
  Result<Entry> Lookup(size_t i) { return fs_->Lookup(root_, listing_->entries()[i].name); }
  void Walk(size_t names) {
    for (size_t i = 0; i < names; ++i) ASSERT_TRUE(Lookup(i).ok());
    ahead_.Stop();  // it has done all then
  }
  uint64_t InBackend() const { return machine_->metrics.names_from_backend.value(); }

  sim::SimVolume volume_{1};
  cache::MemoryPageStore store_{1 << 20};
  std::unique_ptr<sim::SimMachine> machine_;
  AsioExecutor ahead_{{.name = "ahead", .threads = 4}};
  std::unique_ptr<CoherentFs> fs_;
  InodePtr root_;
  std::shared_ptr<const Listing> listing_;
};

TEST_F(LookUpAhead, TakesLeasesThatAWalkThenFinds) {
  Start({});
  Walk(Directory::kWalkMin);
  const uint64_t in_backend = InBackend();
  EXPECT_EQ(in_backend, Directory::kWalkMin + 4 * Directory::kWalkMin) << "no name twice";
  for (size_t i = Directory::kWalkMin; i < in_backend; ++i) {
    const auto found = Lookup(i);
    ASSERT_TRUE(found.ok());
    EXPECT_TRUE(found->lease.has_value());
  }
  EXPECT_EQ(InBackend(), in_backend);
}

// A directory that is being changed is leased again and again then; nobody has asked for what is ahead.
TEST_F(LookUpAhead, IsLeftOutWhereStalenessIsAllowed) {
  Start(std::chrono::milliseconds(500));
  Walk(2 * Directory::kWalkMin);
  EXPECT_EQ(InBackend(), 2 * Directory::kWalkMin);
}

}  // namespace
}  // namespace ocfsgw::coherence
