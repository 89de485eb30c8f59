// Listings that the kernel keeps under the directory's lease.
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdio>
#include <random>
#include <thread>

#include "tests/mount/files.h"
#include "tests/mount/gateway_mount.h"

namespace ocfsgw::mounttest {
namespace {

/// An open directory, read so many bytes of entries at a time.
class Reader {
 public:
  explicit Reader(const std::string& path) : fd_(open(path.c_str(), O_RDONLY | O_DIRECTORY)) {}
  /// The names of one getdents64(2); none: there are no more.
  std::vector<std::string> Some(size_t bytes = 32768) {
    std::vector<char> buffer(bytes);
    const long n = syscall(SYS_getdents64, fd_.get(), buffer.data(), buffer.size());
    EXPECT_GE(n, 0);
    std::vector<std::string> names;
    for (long at = 0; at < n;) {
      const auto* const entry = reinterpret_cast<const dirent64*>(buffer.data() + at);
      names.emplace_back(entry->d_name);
      at += entry->d_reclen;
    }
    return names;
  }
  /// All that is left, sorted, without `.` and `..`.
  std::vector<std::string> Rest(size_t bytes = 32768) {
    std::vector<std::string> names;
    for (auto some = Some(bytes); !some.empty(); some = Some(bytes)) {
      names.insert(names.end(), some.begin(), some.end());
    }
    std::erase_if(names, [](const std::string& name) { return name == "." || name == ".."; });
    std::sort(names.begin(), names.end());
    return names;
  }
  std::vector<std::string> Again(size_t bytes = 32768) {
    EXPECT_EQ(lseek(fd_.get(), 0, SEEK_SET), 0);
    return Rest(bytes);
  }

 private:
  const Descriptor fd_;
};

class Listings : public MountTest {
 protected:
  static constexpr int kFiles = 300;  // of several READDIRs

  void SetUp() override {
    MountTest::SetUp();
    ASSERT_EQ(mkdir(Source("dir").c_str(), 0755), 0);
    for (int i = 0; i < kFiles; ++i) ASSERT_TRUE(WriteFile(Source("dir/f" + std::to_string(i)), ""));
  }
  std::string Source(const std::string& path) const { return gateway_.Source(path); }
  std::string Mount(const std::string& path) const { return gateway_.Mount(path); }
  /// How often the gateway was asked for a listing while `run` ran.
  template <typename Run>
  double Asked(const Run& run) {
    const double before = gateway_.Metric("ocfsgw_listings_total");
    run();
    return gateway_.Metric("ocfsgw_listings_total") - before;
  }
  bool Kept(const std::string& path) {
    return Eventually([&] {
      List(Mount(path));
      return Asked([&] { List(Mount(path)); }) == 0;
    });
  }
  /// As if nothing had been changed in it, as far as its time tells.
  class SameTime {
   public:
    explicit SameTime(std::string directory) : directory_(std::move(directory)) {
      struct stat st {};
      stat(directory_.c_str(), &st);
      times_ = {st.st_atim, st.st_mtim};
    }
    ~SameTime() { utimensat(AT_FDCWD, directory_.c_str(), times_.data(), 0); }

   private:
    const std::string directory_;
    std::array<timespec, 2> times_{};
  };
};

TEST_F(Listings, AreAskedForOnceWhileNobodyChangesThem) {
  ASSERT_TRUE(gateway_.Start());
  const auto expected = List(Source("dir"));
  ASSERT_TRUE(Kept("dir"));
  EXPECT_EQ(Asked([&] {
              for (int i = 0; i < 20; ++i) EXPECT_EQ(List(Mount("dir")), expected);
            }),
            0);
  Reader reader(Mount("dir"));
  EXPECT_EQ(Asked([&] {
              for (int i = 0; i < 3; ++i) EXPECT_EQ(reader.Again(200), expected) << "in small pieces";
            }),
            0);
}

TEST_F(Listings, FirstLookAfterAChangeBehindIsRight) {
  ASSERT_TRUE(gateway_.Start("hold_off_ms=10"));
  for (int i = 0; i < 6; ++i) {
    ASSERT_TRUE(Kept("dir")) << i;
    Reader before(Mount("dir"));
    EXPECT_EQ(before.Again(), List(Source("dir")));
    {
      const SameTime same_time(Source("dir"));
      const std::string name = Source("dir/f" + std::to_string(i / 2));
      if (i % 2 == 0) {
        ASSERT_EQ(unlink(name.c_str()), 0);
      } else {
        ASSERT_TRUE(WriteFile(name, ""));
      }
    }
    gateway_.Barrier();
    const auto expected = List(Source("dir"));
    EXPECT_EQ(before.Again(), expected) << i << ": opened before";
    EXPECT_EQ(before.Again(), expected) << i << ": opened before, once more";
    EXPECT_EQ(List(Mount("dir")), expected) << i << ": opened now";
  }
}

TEST_F(Listings, ChangesThroughTheMountAreSeenAtOnce) {
  ASSERT_TRUE(gateway_.Start("hold_off_ms=10"));
  for (int i = 0; i < 6; ++i) {
    ASSERT_TRUE(Kept("dir")) << i;
    Reader before(Mount("dir"));
    before.Again();
    const std::string name = Mount("dir/f" + std::to_string(i / 2));
    if (i % 2 == 0) {
      ASSERT_EQ(unlink(name.c_str()), 0);
    } else {
      ASSERT_TRUE(WriteFile(name, ""));
    }
    EXPECT_EQ(before.Again(), List(Source("dir"))) << i;
    EXPECT_EQ(List(Mount("dir")), List(Source("dir"))) << i;
  }
}

// By who reads the kernel's pages, and by who has the kernel add to them.
TEST_F(Listings, WhatStaysComesOnceWhereTheLeaseGoesInTheMiddle) {
  ASSERT_TRUE(gateway_.Start("hold_off_ms=10"));
  for (const bool kept : {false, true}) {
    if (kept) {
      ASSERT_TRUE(Kept("dir"));
    }
    Reader reader(Mount("dir"));
    auto names = reader.Some(1000);
    ASSERT_GT(names.size(), 2u);
    {
      const SameTime same_time(Source("dir"));
      for (int i = 0; i < kFiles; i += 3) {
        ASSERT_EQ(rename(Source("dir/f" + std::to_string(i)).c_str(),
                         Source("dir/" + std::string(kept ? "h" : "g") + std::to_string(i)).c_str()),
                  0);
      }
    }
    gateway_.Barrier();
    const auto rest = reader.Rest(1000);
    names.insert(names.end(), rest.begin(), rest.end());
    for (int i = 0; i < kFiles; ++i) {
      if (i % 3 == 0) continue;
      EXPECT_EQ(std::count(names.begin(), names.end(), "f" + std::to_string(i)), 1) << i;
    }
    EXPECT_EQ(reader.Again(1000), List(Source("dir"))) << "rewound";
    EXPECT_EQ(List(Mount("dir")), List(Source("dir")));
    for (int i = 0; i < kFiles; i += 3) {
      ASSERT_EQ(rename(Source("dir/" + std::string(kept ? "h" : "g") + std::to_string(i)).c_str(),
                       Source("dir/f" + std::to_string(i)).c_str()),
                0);
    }
    gateway_.Barrier();
  }
  EXPECT_TRUE(Kept("dir")) << "also after one that was not completed";
}

TEST_F(Listings, AreKeptAgainAfterTheKernelLostThem) {
  ASSERT_TRUE(gateway_.Start());
  const auto expected = List(Source("dir"));
  { EXPECT_EQ(Reader(Mount("dir")).Some(1000).size() > 2, true); }  // and no more of it
  ASSERT_TRUE(Kept("dir"));
  for (int i = 0; i < 2; ++i) {
    {
      Reader reader(Mount("dir"));
      ASSERT_GT(reader.Some(1000).size(), 2u);
      ASSERT_TRUE(WriteFile("/proc/sys/vm/drop_caches", "1\n"));
      reader.Rest(1000);
      EXPECT_EQ(reader.Again(1000), expected);
      EXPECT_EQ(List(Mount("dir")), expected);
    }
    EXPECT_TRUE(Kept("dir"));
  }
}

TEST_F(Listings, OfWhatWasMadeThroughTheMountAreAskedForAgainToTrustTheirNames) {
  ASSERT_TRUE(gateway_.Start("hold_off_ms=10"));
  ASSERT_EQ(mkdir(Mount("new").c_str(), 0755), 0);
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(WriteFile(Mount("new/" + std::to_string(i)), ""));
  const auto looks = [&] {
    const auto asked = [this] {
      return gateway_.Metric("ocfsgw_names_total{from=\"lease\"}") +
             gateway_.Metric("ocfsgw_names_total{from=\"backend\"}");
    };
    const double before = asked();
    for (int i = 0; i < 10; ++i) Describe(Mount("new/" + std::to_string(i)));
    return asked() - before;
  };
  ASSERT_TRUE(Kept("new")) << "though none of its names is trusted";
  EXPECT_TRUE(Eventually([&] {
    looks();
    List(Mount(""));
    List(Mount("new"));
    return looks() == 0;
  })) << "names that are not trusted, and a listing that the kernel does not ask for any more";
  EXPECT_TRUE(Kept("new"));
}

TEST_F(Listings, OfManyReadersAreNeverOld) {
  std::mt19937_64 random(TestSeed());
  ASSERT_TRUE(gateway_.Start("hold_off_ms=10"));
  std::atomic<bool> stop{false};
  std::vector<std::thread> readers;
  for (int i = 0; i < 3; ++i) {
    readers.emplace_back([&, seed = random()] {
      std::mt19937_64 mine(seed);
      while (!stop.load()) {
        Reader reader(Mount("dir"));
        for (uint64_t n = mine() % 4; n > 0; --n) reader.Again(500 + mine() % 30000);
        reader.Some(500);
      }
    });
  }
  std::optional<Reader> kept;
  for (int i = 0; i < 150; ++i) {
    if (i % 7 == 0) kept.emplace(Mount("dir"));
    kept->Again();
    {
      const SameTime same_time(Source("dir"));
      const int file = static_cast<int>(random() % kFiles);
      const std::string one = Source("dir/f" + std::to_string(file));
      const std::string other = Source("dir/g" + std::to_string(file));
      if (rename(one.c_str(), other.c_str()) != 0) {
        ASSERT_EQ(rename(other.c_str(), one.c_str()), 0);
      }
    }
    gateway_.Barrier();
    const auto expected = List(Source("dir"));
    ASSERT_EQ(kept->Again(1 + random() % 30000 + 300), expected) << i << ": opened before";
    ASSERT_EQ(List(Mount("dir")), expected) << i << ": opened now";
    if (random() % 4 == 0) usleep(static_cast<useconds_t>(random() % 20'000));
  }
  stop.store(true);
  for (auto& reader : readers) reader.join();
}

}  // namespace
}  // namespace ocfsgw::mounttest
