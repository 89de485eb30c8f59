#include "fusefs/kernel_listings.h"

#include <gtest/gtest.h>

namespace ocfsgw::fusefs {
namespace {

using coherence::Listing;
using Handle = KernelListings::Handle;

constexpr NodeId kDirectory = 1, kElsewhere = 2;
constexpr uint32_t kLease = 5, kNextLease = 7;

class KernelListingsTest : public testing::Test {
 protected:
  static std::shared_ptr<const Listing> NewListing() {
    return std::make_shared<const Listing>(std::vector<coherence::DirectoryEntry>{});
  }
  /// A READDIR at the end; whether it completes the listing.
  bool End(Handle& handle) {
    listings.OnRead(kDirectory, handle, false);
    return listings.MayComplete(kDirectory, handle, listing);
  }
  /// Reads all of it.
  bool Read(Handle& handle) {
    listings.OnRead(kDirectory, handle, true);
    return End(handle);
  }
  /// Opens, reads, closes; whether that has completed a listing.
  bool List(uint32_t lease) {
    Handle handle = listings.Open(kDirectory, lease);
    const bool complete = Read(handle);
    listings.Close(kDirectory, handle);
    return complete;
  }
  KernelListings listings;
  const std::shared_ptr<const Listing> listing = NewListing();
};

TEST_F(KernelListingsTest, OneHandleCompletesAndTheNextUseIt) {
  EXPECT_FALSE(listings.Has(kDirectory));
  Handle first = listings.Open(kDirectory, kLease);
  EXPECT_TRUE(first.keeping);
  EXPECT_FALSE(first.keeps_pages) << "what is there may be of any lease";
  EXPECT_TRUE(Read(first));
  listings.Close(kDirectory, first);
  EXPECT_TRUE(listings.Has(kDirectory));
  EXPECT_FALSE(listings.Has(kElsewhere));
  for (int i = 0; i < 2; ++i) {
    Handle next = listings.Open(kDirectory, kLease);
    EXPECT_TRUE(next.keeping && next.keeps_pages);
    EXPECT_EQ(next.listing, listing) << "to go on in";
    listings.Close(kDirectory, next);
  }
  listings.TakenBack(kDirectory);
  EXPECT_EQ(listing.use_count(), 1) << "nobody needs it";
}

TEST_F(KernelListingsTest, WhileOneReadsNoOtherMayAdd) {
  Handle first = listings.Open(kDirectory, kLease);
  EXPECT_FALSE(listings.Open(kDirectory, kLease).keeping) << "it has not begun";
  listings.OnRead(kDirectory, first, true);
  Handle other = listings.Open(kDirectory, kLease);
  EXPECT_FALSE(other.keeping);
  EXPECT_TRUE(other.keeps_pages) << "or it would drop what the first has added";
  EXPECT_FALSE(Read(other));
  ASSERT_TRUE(End(first));
  EXPECT_FALSE(listings.Open(kDirectory, kLease).keeping) << "the kernel may not have worked it in";
  listings.Close(kDirectory, other);
  EXPECT_FALSE(listings.Open(kDirectory, kLease).keeping) << "that was another handle";
  listings.OnRead(kDirectory, first, false);
  EXPECT_TRUE(listings.Open(kDirectory, kLease).keeping);
}

TEST_F(KernelListingsTest, OnlyWhoIsAloneFromTheBeginningCompletes) {
  ASSERT_TRUE(List(kLease));
  Handle one = listings.Open(kDirectory, kLease);
  Handle two = listings.Open(kDirectory, kLease);
  EXPECT_FALSE(Read(one)) << "the kernel has lost it, and both read";
  listings.OnRead(kDirectory, two, true);
  listings.Close(kDirectory, one);
  EXPECT_FALSE(End(two)) << "the other was there when it began";
  listings.OnRead(kDirectory, two, true);
  EXPECT_FALSE(listings.Open(kDirectory, kLease).keeping) << "it would add beside the one that reads";
  EXPECT_TRUE(End(two));
}

TEST_F(KernelListingsTest, WhoBeganInTheMiddleDoesNot) {
  Handle handle = listings.Open(kDirectory, kLease);
  EXPECT_FALSE(End(handle));
}

TEST_F(KernelListingsTest, HandlesOfAnEarlierLeaseKeepOthersFromKeeping) {
  Handle old = listings.Open(kDirectory, kLease);
  ASSERT_TRUE(Read(old));
  listings.OnRead(kDirectory, old, false);
  EXPECT_FALSE(listings.Open(kDirectory, kNextLease).keeping);
  EXPECT_EQ(old.lease, kLease) << "under which nothing more is completed";
  listings.Close(kDirectory, old);
  Handle next = listings.Open(kDirectory, kNextLease);
  EXPECT_TRUE(next.keeping);
  EXPECT_FALSE(next.keeps_pages) << "they are of the earlier lease";
  EXPECT_EQ(next.listing, nullptr);
}

TEST_F(KernelListingsTest, PagesAreDroppedUntilAHandleThatDropsThemHasRead) {
  Handle first = listings.Open(kDirectory, kLease);
  listings.Close(kDirectory, first);  // the kernel may never have worked its OPENDIR in
  Handle next = listings.Open(kDirectory, kLease);
  EXPECT_FALSE(next.keeps_pages);
  listings.OnRead(kDirectory, next, true);
  listings.Close(kDirectory, next);
  EXPECT_TRUE(listings.Open(kDirectory, kLease).keeps_pages) << "it goes on where that one stopped";
}

TEST_F(KernelListingsTest, WithoutTheLeaseItWasNotCompleted) {
  Handle handle = listings.Open(kDirectory, kLease);
  ASSERT_TRUE(Read(handle));
  listings.NotCompleted(kDirectory, handle);
  EXPECT_FALSE(End(handle)) << "once is enough";
  EXPECT_FALSE(listings.Open(kDirectory, kLease).keeping) << "nothing was completed that could be used";
}

TEST_F(KernelListingsTest, IsAskedForAgainWhereThatMayBeWorthIt) {
  ASSERT_TRUE(List(kLease));
  listings.ListAgain(kDirectory);
  listings.ListAgain(kElsewhere);
  EXPECT_FALSE(listings.Open(kDirectory, kLease).keeps_pages);
}

TEST_F(KernelListingsTest, AskingAgainIsNotUndoneByWhoReads) {
  Handle handle = listings.Open(kDirectory, kLease);
  listings.OnRead(kDirectory, handle, true);
  listings.ListAgain(kDirectory);
  EXPECT_TRUE(End(handle));
  listings.Close(kDirectory, handle);
  EXPECT_FALSE(listings.Open(kDirectory, kLease).keeps_pages);
}

TEST_F(KernelListingsTest, AForgottenNodeHasNothing) {
  ASSERT_TRUE(List(kLease));
  listings.Forget(kDirectory);
  EXPECT_FALSE(listings.Has(kDirectory));
  EXPECT_FALSE(listings.Open(kDirectory, kLease).keeps_pages);
}

}  // namespace
}  // namespace ocfsgw::fusefs
