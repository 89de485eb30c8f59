// kill -9 of a writing process at any time: the newest records may be missing, the others are right.
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <thread>

#include "tests/unit/cache/store_test_util.h"

namespace ocfsgw::cache {
namespace {

constexpr uint64_t kInodes = 50;
constexpr uint64_t kBlocks = 20;
constexpr uint64_t kQueueBytes = 2 * kMiB;

size_t LengthOf(const RecordKey& key) { return 1 + HashMix(key.inode.ino, key.index.value) % 60'000; }

constexpr int kSayFd = 3;  // of the child: a byte is written to it to say how far it is

void Say() {
  if (write(kSayFd, "!", 1) != 1) {
    _exit(1);
  }
}

// What the child processes do. They are programs of their own (RocksDB's threads do not survive a fork), and
// never end.

[[noreturn]] void PutGetAndDrop(PageStore& store, std::mt19937_64 random) {
  for (;;) {
    const RecordKey key = Block(random() % kInodes, random() % kBlocks);
    PutContent(store, key, kStamp, LengthOf(key));
    HasRightContent(store, key, kStamp);
    if (random() % 100 == 0) {
      store.Flush();
    }
    if (random() % 50 == 0) {
      store.DropInode(InodeId{random() % kInodes, 1});
    }
    Say();
  }
}

void PutAndDropFlushed(PageStore& store) {
  PutContent(store, Block(1, 0), kStamp, 1000);
  PutContent(store, Block(2, 0), kStamp, 1000);
  store.Flush();
  store.DropInode(InodeId{1, 1});
  store.Flush();
}

void DropAndWaitUntilWritten(PageStore& store) {
  PutContent(store, Block(1, 0), kStamp, 1000);
  store.Flush();
  store.DropInode(InodeId{1, 1});
  // Writing is in order. One small record more fills no memtable: the drop stays in the log.
  const uint64_t written = store.Stats().written_bytes;
  PutContent(store, Block(2, 0), kStamp, 1000);
  while (store.Stats().written_bytes == written) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

TestStoreOptions CrashOptions(const std::string& directory) {
  TestStoreOptions options;
  options.directory = directory;
  options.volume = VolumeId(7);
  options.cache_size = 16 * kMiB;
  options.queue_bytes_max = kQueueBytes;
  return options;
}

TEST(PageStoreCrash, DISABLED_Child) {
  const std::string work = std::getenv("OCFSGW_CRASH_WORK");
  const auto store = MustOpen(CrashOptions(std::getenv("OCFSGW_CRASH_DIRECTORY")));
  if (work == "PutGetAndDrop") {
    PutGetAndDrop(*store, SeededRandom());
  } else if (work == "PutAndDropFlushed") {
    PutAndDropFlushed(*store);
  } else {
    DropAndWaitUntilWritten(*store);
  }
  Say();
  pause();
}

/// Starts a child doing `work`, kills it after it said something `says` times, and opens its store unless
/// told otherwise.
std::unique_ptr<RocksdbPageStore> RunAndKill(const ScratchDirectory& directory, const std::string& work,
                                             uint64_t seed, uint64_t says, bool reopen = true) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) {
    std::abort();
  }
  const std::string cache = StoreOptions(directory).directory;
  const pid_t child = fork();
  if (child == 0) {
    setenv("OCFSGW_CRASH_WORK", work.c_str(), 1);
    setenv("OCFSGW_CRASH_DIRECTORY", cache.c_str(), 1);
    setenv("OCFSGW_TEST_SEED", std::to_string(seed).c_str(), 1);
    dup2(open("/dev/null", O_WRONLY), STDOUT_FILENO);
    dup2(ends[1], kSayFd);  // clears close-on-exec
    execl("/proc/self/exe", "cache_test", "--gtest_filter=PageStoreCrash.DISABLED_Child",
          "--gtest_also_run_disabled_tests", nullptr);
    _exit(1);
  }
  close(ends[1]);
  char byte;
  for (uint64_t i = 0; i < says; ++i) {
    EXPECT_EQ(read(ends[0], &byte, 1), 1) << "the child ended by itself";
  }
  kill(child, SIGKILL);
  int status = 0;
  EXPECT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFSIGNALED(status));
  close(ends[0]);
  return reopen ? MustOpen(CrashOptions(cache)) : nullptr;
}

TEST(PageStoreCrash, WhatIsFoundAfterKillIsRight) {
  ScratchDirectory directory;
  auto random = SeededRandom();
  uint64_t found = 0;
  for (int round = 0; round < 6; ++round) {
    const auto store = RunAndKill(directory, "PutGetAndDrop", random(), 1 + random() % 1500);
    EXPECT_EQ(CountAsides(directory), 0U) << "a crash must not cost the whole store";
    for (uint64_t ino = 0; ino < kInodes; ++ino) {
      for (uint64_t index = 0; index < kBlocks; ++index) {
        found += HasRightContent(*store, Block(ino, index), kStamp) ? 1 : 0;
      }
    }
    EXPECT_EQ(store->Stats().corrupt_records, 0U);
  }
  EXPECT_GT(found, 0U);
}

TEST(PageStoreCrash, FlushedRecordsAndDropsSurvive) {
  ScratchDirectory directory;
  const auto store = RunAndKill(directory, "PutAndDropFlushed", 0, 1);
  EXPECT_FALSE(HasRightContent(*store, Block(1, 0), kStamp));
  EXPECT_TRUE(HasRightContent(*store, Block(2, 0), kStamp));
}

TEST(PageStoreCrash, ADropThatWasWrittenSurvivesWithoutAFlush) {
  ScratchDirectory directory;
  const auto store = RunAndKill(directory, "DropAndWaitUntilWritten", 0, 1);
  EXPECT_FALSE(HasRightContent(*store, Block(1, 0), kStamp));
}

// A damaged log must not bring back what was dropped: better nothing.
TEST(PageStoreCrash, FlippedBitsInTheLogOfDrops) {
  auto random = SeededRandom();
  ScratchDirectory pattern;
  RunAndKill(pattern, "DropAndWaitUntilWritten", 0, 1, /*reopen=*/false);
  const std::string database = StoreOptions(pattern).directory;
  const auto logs = FilesBelow(database + "/store", ".log");
  ASSERT_TRUE(std::any_of(logs.begin(), logs.end(), [](const auto& log) {
    return std::filesystem::file_size(log) > 0;
  })) << "the drop is not in a log";
  constexpr uint64_t kKindBit = 8 * 6;  // of the first record, whose kind is not in all cases in its checksum
  for (uint64_t round = 0; round < 28; ++round) {
    SCOPED_TRACE(round);
    ScratchDirectory directory;
    const std::string cache = StoreOptions(directory).directory;
    std::filesystem::copy(database, cache, std::filesystem::copy_options::recursive);
    for (const std::string& log : FilesBelow(cache + "/store", ".log")) {
      if (const uint64_t size = std::filesystem::file_size(log); size > 0)
        FlipBit(log, round < 8 ? kKindBit + round : random() % (8 * size));
    }
    const auto store = MustOpen(CrashOptions(cache));
    EXPECT_FALSE(HasRightContent(*store, Block(1, 0), kStamp));
    EXPECT_FALSE(store->Stats().degraded);
  }
}

}  // namespace
}  // namespace ocfsgw::cache
