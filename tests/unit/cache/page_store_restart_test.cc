// What RocksdbPageStore promises across restarts, and about its directory.
#include <fcntl.h>
#include <sys/uio.h>

#include <cerrno>
#include <filesystem>
#include <fstream>

#include "base/unique_fd.h"
#include "cache/fifo_reinsertion_policy.h"
#include "tests/unit/base/counted_duty.h"
#include "tests/unit/cache/store_test_util.h"

namespace ocfsgw::cache {
namespace {

TEST(PageStoreRestart, RecordsAreFoundAgain) {
  ScratchDirectory directory;
  for (uint64_t run = 0; run < 4; ++run) {
    const auto store = MustOpen(StoreOptions(directory));
    EXPECT_EQ(store->Stats().records, 50 * run);
    for (uint64_t index = 0; index < 50 * run; ++index) {
      EXPECT_TRUE(HasRightContent(*store, Block(1, index), kStamp)) << index;
    }
    for (uint64_t index = 50 * run; index < 50 * (run + 1); ++index) {
      PutContent(*store, Block(1, index), kStamp, index % 2 == 0 ? kBlockBytes : index);
    }
  }
}

/// The kernel forgets what it has in memory of the files; false: their file system cannot tell what it has.
bool ForgetPages(const std::string& directory) {
  bool can_tell = true;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(directory)) {
    if (!entry.is_regular_file() || entry.file_size() == 0) continue;
    const UniqueFd fd(open(entry.path().c_str(), O_RDONLY | O_CLOEXEC));
    fsync(fd.get());
    posix_fadvise(fd.get(), 0, 0, POSIX_FADV_DONTNEED);
    char byte;
    const iovec part{&byte, 1};
    can_tell = can_tell && preadv2(fd.get(), &part, 1, 0, RWF_NOWAIT) < 0 && errno == EAGAIN;
  }
  return can_tell;
}

TEST(PageStoreRestart, ADutyIsHandedOverBeforeTheDiskIsRead) {
  ScratchDirectory directory;
  {
    const auto store = MustOpen(StoreOptions(directory));
    PutContent(*store, Block(1, 0), kStamp, kBlockBytes);
  }
  const auto store = MustOpen(StoreOptions(directory));
  const bool can_tell = ForgetPages(directory.path());
  CountedDuty duty;
  EXPECT_FALSE(HasRightContent(*store, Block(2, 0), kStamp));
  EXPECT_EQ(duty.Handed(), 0) << "the index is in memory";
  EXPECT_TRUE(HasRightContent(*store, Block(1, 0), kStamp));
  EXPECT_GE(duty.Handed(), 1);
  if (!can_tell) GTEST_SKIP() << "RWF_NOWAIT: not on the file system of " << directory.path();
  EXPECT_TRUE(HasRightContent(*store, Block(1, 0), kStamp));
  EXPECT_EQ(duty.Handed(), 0) << "the kernel has it in memory";
}

TEST(PageStoreRestart, TheNewestPutStillWins) {
  ScratchDirectory directory;
  {
    const auto store = MustOpen(StoreOptions(directory));
    for (uint64_t stamp = 1; stamp <= 30; ++stamp) {
      PutContent(*store, Block(1, 0), StampHash(stamp), kBlockBytes);
      PutContent(*store, Block(2, stamp), kStamp, kBlockBytes);  // moves on to further segments
      store->Flush();
    }
  }
  const auto store = MustOpen(StoreOptions(directory));
  EXPECT_FALSE(HasRightContent(*store, Block(1, 0), StampHash(29)));
  EXPECT_TRUE(HasRightContent(*store, Block(1, 0), StampHash(30)));
}

TEST(PageStoreRestart, WhatWasReadIsStillKnownToHaveBeenRead) {
  ScratchDirectory directory;
  constexpr uint64_t kRecords = 20;
  const auto open = [&directory] {
    auto options = StoreOptions(directory, 16 * kMiB);
    options.policy = std::make_unique<FifoReinsertionPolicy>();
    return MustOpen(std::move(options));
  };
  {
    const auto store = open();
    for (uint64_t index = 0; index < kRecords; ++index) {
      PutContent(*store, Block(1, index), kStamp, kBlockBytes);
    }
    store->Flush();
    for (uint64_t index = 0; index < kRecords; index += 2) {
      EXPECT_TRUE(HasRightContent(*store, Block(1, index), kStamp)) << index;
    }
  }
  const auto store = open();
  for (uint64_t index = 0; store->Stats().evicted_records < kRecords; ++index) {
    PutContent(*store, Block(2, index), kStamp, kBlockBytes);
    store->Flush();
  }
  for (uint64_t index = 0; index < kRecords; ++index) {
    EXPECT_EQ(HasRightContent(*store, Block(1, index), kStamp), index % 2 == 0) << index;
  }
}

TEST(PageStoreRestart, DroppedInodesStayDropped) {
  ScratchDirectory directory;
  for (const bool flush : {false, true}) {
    {
      const auto store = MustOpen(StoreOptions(directory));
      for (uint64_t ino = 0; ino < 20; ++ino) {
        for (uint64_t index = 0; index < 10; ++index) {
          PutContent(*store, Block(ino, index), kStamp, 20'000);
        }
      }
      if (flush) {
        store->Flush();
      }
      for (uint64_t ino = 0; ino < 20; ino += 2) {
        store->DropInode(InodeId{ino, 1});
      }
      PutContent(*store, Block(2, 0), kStamp, 100);
      // An older record of the inode is on disk, a newer one in the queue.
      PutContent(*store, Block(1, 0), StampHash(2), 100);
      store->DropInode(InodeId{1, 1});
    }
    const auto store = MustOpen(StoreOptions(directory));
    for (uint64_t ino = 0; ino < 20; ++ino) {
      for (uint64_t index = 0; index < 10; ++index) {
        const bool expected = (ino % 2 == 1 && ino != 1) || (ino == 2 && index == 0);
        EXPECT_EQ(HasRightContent(*store, Block(ino, index), kStamp), expected) << ino << " " << index;
      }
    }
  }
}

TEST(PageStoreRestart, DroppedInodesStayDroppedWhileOthersAreEvictedAndKept) {
  ScratchDirectory directory;
  auto random = SeededRandom();
  std::vector<bool> dropped(40, false);
  for (int run = 0; run < 4; ++run) {
    const auto store = MustOpen(StoreOptions(directory, 16 * kMiB));
    for (int step = 0; step < 400; ++step) {
      const uint64_t ino = random() % dropped.size();
      if (random() % 10 == 0) {
        store->DropInode(InodeId{ino, 1});
        dropped[ino] = true;
      } else if (!dropped[ino]) {
        PutContent(*store, Block(ino, random() % 10), kStamp, kBlockBytes);
        HasRightContent(*store, Block(ino, random() % 10), kStamp);
      }
      if (step % 50 == 0) {
        store->Flush();
      }
      for (uint64_t index = 0; dropped[ino] && index < 10; ++index) {
        ASSERT_FALSE(HasRightContent(*store, Block(ino, index), kStamp));
      }
    }
    for (size_t ino = 0; ino < dropped.size(); ++ino) {
      for (uint64_t index = 0; dropped[ino] && index < 10; ++index) {
        ASSERT_FALSE(HasRightContent(*store, Block(ino, index), kStamp));
      }
      dropped[ino] = dropped[ino] && random() % 2 == 0;  // some come back
    }
  }
}

TEST(PageStoreRestart, AnotherVolumeFindsNothing) {
  ScratchDirectory directory;
  PutContent(*MustOpen(StoreOptions(directory)), Block(1, 0), kStamp, 100);
  auto options = StoreOptions(directory);
  options.volume = VolumeId(8);
  const auto store = MustOpen(std::move(options));
  EXPECT_EQ(store->Stats().records, 0U);
  EXPECT_FALSE(HasRightContent(*store, Block(1, 0), kStamp));
  EXPECT_EQ(CountAsides(directory), 1U);
}

TEST(PageStoreRestart, ForeignDatabasesAreSetAsideAndOnlyOneIsKept) {
  ScratchDirectory directory;
  const std::string database = StoreOptions(directory).directory + "/store";
  for (const char* format :
       {"ocfsgw page store, format 2, volume 0000000000000007\n", "", "\xff\x01 what?", "-"}) {
    PutContent(*MustOpen(StoreOptions(directory)), Block(1, 0), kStamp, 100);
    if (*format == '-') {
      std::filesystem::remove(database + "/FORMAT");
    } else {
      std::ofstream(database + "/FORMAT", std::ios::trunc) << format;
    }
    const auto store = MustOpen(StoreOptions(directory));
    EXPECT_EQ(store->Stats().records, 0U) << format;
    EXPECT_FALSE(store->Stats().degraded);
    EXPECT_EQ(CountAsides(directory), 1U);
  }
}

TEST(PageStoreRestart, OneOpenerOnly) {
  ScratchDirectory directory;
  auto store = MustOpen(StoreOptions(directory));
  const auto second = Open(StoreOptions(directory));
  EXPECT_EQ(second.status().code(), StatusCode::kBusy);
  EXPECT_NE(second.status().ToString().find("in use"), std::string::npos);
  store.reset();
  EXPECT_TRUE(Open(StoreOptions(directory)).ok());
}

TEST(PageStoreRestart, RefusesATooSmallQuotaInOneLine) {
  ScratchDirectory directory;
  const auto store = Open(StoreOptions(directory, 16 * kMiB - 1));
  EXPECT_EQ(store.status().code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(store.status().ToString().find('\n'), std::string::npos);
}

TEST(PageStoreRestart, TheDirectoryIsPrivate) {
  ScratchDirectory directory;
  const auto store = MustOpen(StoreOptions(directory));
  for (const char* name : {"", "/store"}) {
    struct stat info;
    ASSERT_EQ(stat((StoreOptions(directory).directory + name).c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 0777, 0700U) << name;
  }
}

TEST(PageStoreRestart, MetricsAreThereWhileTheStoreIs) {
  ScratchDirectory directory;
  MetricsRegistry metrics;
  {
    auto options = StoreOptions(directory);
    options.metrics = &metrics;
    const auto store = MustOpen(std::move(options));
    PutContent(*store, Block(1, 0), kStamp, 100);
    EXPECT_TRUE(HasRightContent(*store, Block(1, 0), kStamp));
    double hits = 0;
    for (const MetricSample& sample : metrics.Snapshot()) {
      hits += sample.name == "ocfsgw_page_store_hits_total" ? sample.value : 0;
    }
    EXPECT_EQ(hits, 1);
  }
  EXPECT_TRUE(metrics.Snapshot().empty());
}

}  // namespace
}  // namespace ocfsgw::cache
