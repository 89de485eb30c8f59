// Which slot of a cache directory a gateway gets.
#include "cache/store_slots.h"

#include <fcntl.h>

#include <array>
#include <atomic>
#include <barrier>
#include <chrono>
#include <fstream>
#include <map>
#include <set>
#include <thread>

#include "tests/unit/cache/store_test_util.h"

namespace ocfsgw::cache {
namespace {

namespace fs = std::filesystem;

constexpr VolumeId kVolume(7);
constexpr VolumeId kOther(8);

class StoreSlots : public testing::Test {
 protected:
  std::string Path(int number) const { return cache_dir_ + "/" + std::to_string(number); }

  /// What TakeSlot and OpenOrCreateStore look at of a database.
  static void MakeDatabase(const StoreDirectory& directory, VolumeId volume) {
    fs::create_directory(directory.database_path());
    std::ofstream(directory.database_path() + "/CURRENT") << "MANIFEST-000001\n";
    EXPECT_TRUE(directory.WriteFormat(volume).ok());
  }
  /// A slot with a database, used last at `seconds` since the epoch.
  void MakeSlot(int number, VolumeId volume, time_t seconds) {
    {
      const auto directory = StoreDirectory::Open(Path(number));
      ASSERT_TRUE(directory.ok());
      MakeDatabase(*directory, volume);
    }
    SetLastUse(number, seconds);
  }
  void SetLastUse(int number, time_t seconds) {
    const timespec times[] = {{seconds, 0}, {seconds, 0}};
    ASSERT_EQ(utimensat(AT_FDCWD, (Path(number) + "/store.lock").c_str(), times, 0), 0);
  }
  /// Keeps the slot if there is one; its number or -1.
  int Take(VolumeId volume = kVolume, int preferred = -1) {
    auto slot = TakeSlot(cache_dir_, volume, preferred);
    if (!slot.ok()) {
      refusal_ = slot.status();
      return -1;
    }
    const int number = slot->number;
    EXPECT_EQ(slot->directory.path(), Path(number));
    EXPECT_TRUE(taken_.emplace(number, std::move(slot->directory)).second) << number << " is taken twice";
    return number;
  }
  void Release(int number) { taken_.erase(number); }

  ScratchDirectory scratch_;
  const std::string cache_dir_ = scratch_.path() + "/missing/cache";
  std::map<int, StoreDirectory> taken_;
  Status refusal_;
};

TEST_F(StoreSlots, NumbersAreTakenInOrder) {
  EXPECT_EQ(Take(), 0);
  EXPECT_EQ(Take(), 1);
  EXPECT_EQ(Take(kOther), 2);
  Release(1);
  EXPECT_EQ(Take(), 1) << "a directory without a database";
  EXPECT_EQ(fs::status(cache_dir_).permissions(), fs::perms::owner_all);
  EXPECT_EQ(fs::status(Path(0)).permissions(), fs::perms::owner_all);
}

TEST_F(StoreSlots, WarmOnesComeFirstTheOneUsedLastBeforeOthers) {
  MakeSlot(0, kVolume, 100);
  MakeSlot(1, kOther, 900);
  MakeSlot(3, kVolume, 300);
  MakeSlot(4, kVolume, 200);
  EXPECT_EQ(Take(), 3);
  EXPECT_EQ(Take(), 4);
  EXPECT_EQ(Take(), 0);
  EXPECT_EQ(Take(), 2) << "another volume's is left while there are numbers";
  EXPECT_EQ(Take(), 5);
  Release(4);
  EXPECT_EQ(Take(), 4);
  EXPECT_EQ(Take(kOther), 1);
}

TEST_F(StoreSlots, ThePreferredOneComesFirstIfItIsWarmAndFree) {
  MakeSlot(0, kVolume, 100);
  MakeSlot(1, kVolume, 300);
  MakeSlot(2, kOther, 900);
  fs::create_directory(Path(3));
  EXPECT_EQ(Take(kVolume, 0), 0);
  EXPECT_EQ(Take(kVolume, 0), 1) << "it is in use";
  Release(0);
  Release(1);
  EXPECT_EQ(Take(kVolume, 2), 1) << "it is of another volume";
  Release(1);
  EXPECT_EQ(Take(kVolume, 3), 1) << "it has no database";
  Release(1);
  EXPECT_EQ(Take(kVolume, kSlotsMax), 1) << "there is no such slot";
}

TEST_F(StoreSlots, ADatabaseThatCannotBeToldIsNobodys) {
  MakeSlot(0, kOther, 300);
  MakeSlot(1, kVolume, 300);
  std::ofstream(Path(1) + "/store/FORMAT") << "damaged";
  MakeSlot(2, kVolume, 300);
  fs::remove(Path(2) + "/store/FORMAT");
  EXPECT_EQ(Take(), 1);
  EXPECT_EQ(Take(), 2);
  EXPECT_EQ(Take(), 3);
}

TEST_F(StoreSlots, ForeignOnesOnlyWhenAllNumbersAreTakenTheOneNotUsedForLongestFirst) {
  MakeSlot(5, kOther, 300);
  MakeSlot(9, kOther, 100);
  MakeSlot(20, kVolume, 200);
  std::ofstream(Path(20) + "/store/FORMAT") << "ocfsgw page store, format 0\n";
  for (int i = 0; i < kSlotsMax - 3; ++i) {
    const int number = Take();
    ASSERT_TRUE(number >= 0 && number != 5 && number != 9 && number != 20) << number;
  }
  EXPECT_EQ(Take(), 9);
  EXPECT_EQ(Take(), 20);
  EXPECT_EQ(Take(), 5);
  EXPECT_TRUE(fs::exists(Path(5) + "/store/CURRENT")) << "setting aside is left to who opens it";

  EXPECT_EQ(Take(), -1);
  EXPECT_TRUE(refusal_.Is(StatusCode::kBusy));
  EXPECT_EQ(refusal_.ToString(),
            "all 64 slots of the cache directory " + cache_dir_ + " are in use: give this mount another one");
  Release(33);
  EXPECT_EQ(Take(), 33);
}

TEST_F(StoreSlots, WhatIsNoSlotIsLeftAlone) {
  fs::create_directories(cache_dir_ + "/store");
  fs::create_directory(cache_dir_ + "/01");
  fs::create_directory(cache_dir_ + "/64");
  for (const char* name : {"/0", "/note", "/store/CURRENT", "/64/note"}) {
    std::ofstream(cache_dir_ + name) << "hello";
  }
  const auto before = FilesBelow(cache_dir_);
  EXPECT_EQ(Take(), 1) << "0 is a file";
  Release(1);
  fs::remove_all(Path(1));
  EXPECT_EQ(FilesBelow(cache_dir_), before);
}

TEST_F(StoreSlots, AnErrorIsNoReasonToTakeAForeignOne) {
  MakeSlot(0, kOther, 100);
  for (int number = 1; number < kSlotsMax; ++number) {
    fs::create_directories(Path(number) + "/store.lock");  // cannot be opened for writing
  }
  EXPECT_EQ(Take(), -1);
  EXPECT_TRUE(refusal_.Is(StatusCode::kSystem)) << refusal_.ToString();
  fs::remove(Path(40) + "/store.lock");
  EXPECT_EQ(Take(), 40) << "one that can be had is found behind those that cannot";
}

TEST_F(StoreSlots, AsManyAtOnceAsThereAreSlotsAllGetOne) {
  constexpr int kForeign = 8;
  for (int number = 0; number < kForeign; ++number) {
    MakeSlot(number, kOther, 100);
  }
  MakeSlot(20, kVolume, 100);
  constexpr int kThreads = kSlotsMax - kForeign;
  std::vector<int> got(kThreads, -1);
  std::vector<std::thread> threads;
  std::barrier start(kThreads), done(kThreads);
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&, i] {
      start.arrive_and_wait();
      const auto slot = TakeSlot(cache_dir_, kVolume, -1);
      got[static_cast<size_t>(i)] = slot.ok() ? slot->number : -1;
      done.arrive_and_wait();
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  const std::set<int> numbers(got.begin(), got.end());
  EXPECT_EQ(numbers.size(), static_cast<size_t>(kThreads)) << "two got the same";
  EXPECT_GE(*numbers.begin(), kForeign) << "one got none, or a foreign one while there were others";
}

TEST_F(StoreSlots, GatewaysThatComeAndGoNeverGetAForeignOneWhileThereAreNumbers) {
  constexpr int kThreads = 8, kRounds = 200;
  std::array<std::atomic<bool>, kSlotsMax> in_use{};
  std::atomic<int> refused{0}, foreign{0}, shared{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&, volume = i % 2 == 0 ? kVolume : kOther] {
      for (int round = 0; round < kRounds; ++round) {
        const auto slot = TakeSlot(cache_dir_, volume, round % kSlotsMax);
        if (!slot.ok()) {
          ++refused;
          continue;
        }
        std::atomic<bool>& mine = in_use[static_cast<size_t>(slot->number)];
        shared += mine.exchange(true) ? 1 : 0;
        foreign += slot->directory.CheckFormat(volume).Is(StatusCode::kCorrupt) ? 1 : 0;
        MakeDatabase(slot->directory, volume);
        slot->directory.Touch();
        if (round % 3 == 0) {
          fs::remove_all(slot->directory.database_path());
        }
        mine = false;
      }
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  EXPECT_EQ(refused, 0);
  EXPECT_EQ(foreign, 0);
  EXPECT_EQ(shared, 0);
}

/// Waits for the store to note that its directory is in use, after that was as if long ago.
bool NotesUse(const std::string& directory) {
  const timespec long_ago[] = {{1, 0}, {1, 0}};
  EXPECT_EQ(utimensat(AT_FDCWD, (directory + "/store.lock").c_str(), long_ago, 0), 0);
  const int64_t before = StoreDirectory::LastUseAt(directory);
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (StoreDirectory::LastUseAt(directory) == before) {
    if (std::chrono::steady_clock::now() > deadline) {
      return false;
    }
    std::this_thread::yield();
  }
  return true;
}

TEST_F(StoreSlots, AnOpenStoreNotesThatItIsInUse) {
  auto options = StoreOptions(scratch_);
  const std::string directory = options.directory;
  options.touch_interval = std::chrono::milliseconds(5);
  auto store = MustOpen(std::move(options));
  EXPECT_TRUE(NotesUse(directory)) << "idle";
  store.reset();
  const int64_t closed = StoreDirectory::LastUseAt(directory);
  store = MustOpen(StoreOptions(scratch_));
  EXPECT_GE(StoreDirectory::LastUseAt(directory), closed);
  const timespec long_ago[] = {{1, 0}, {1, 0}};
  ASSERT_EQ(utimensat(AT_FDCWD, (directory + "/store.lock").c_str(), long_ago, 0), 0);
  store.reset();
  EXPECT_GE(StoreDirectory::LastUseAt(directory), closed) << "closed";
}

}  // namespace
}  // namespace ocfsgw::cache
