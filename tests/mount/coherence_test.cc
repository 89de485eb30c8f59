// Changes made behind the gateway's back, on this machine (lease=local), and changes made through it.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstring>
#include <functional>
#include <memory>
#include <thread>

#include "tests/mount/files.h"
#include "tests/mount/gateway_mount.h"

namespace ocfsgw::mounttest {
namespace {

constexpr size_t kBytes = 200'000;  // more than one block

class Coherence : public MountTest {
 protected:
  void SetUp() override {
    MountTest::SetUp();
    ASSERT_TRUE(WriteFile(Source("file"), Pattern(kBytes, 1)));
    ASSERT_TRUE(WriteFile(Source("other"), Pattern(kBytes, 2)));
    ASSERT_EQ(symlink("file", Source("link").c_str()), 0);
    ASSERT_TRUE(gateway_.Start());
  }
  std::string Source(const std::string& path = {}) const { return gateway_.Source(path); }
  std::string Mount(const std::string& path = {}) const { return gateway_.Mount(path); }
  /// Brings contents, attributes and names into every cache.
  void WarmUp() {
    for (const char* name : {"file", "other", "link", "none"}) {
      Describe(Mount(name));
      ReadFile(Mount(name));
    }
    List(Mount());
  }
  void ExpectSameAsSource(const char* what) {
    SCOPED_TRACE(what);
    EXPECT_EQ(List(Mount()), List(Source()));
    for (const char* name : {"file", "other", "link", "none", "new"}) {
      EXPECT_EQ(Describe(Mount(name)), Describe(Source(name))) << name;
      EXPECT_TRUE(ReadFile(Mount(name)) == ReadFile(Source(name))) << name;
    }
  }
};

struct Change {
  const char* name;
  std::function<bool(const std::string& source)> make;
};

const Change kChanges[] = {
    {"append", [](const std::string& at) { return AppendFile(at + "/file", Pattern(5000, 3)); }},
    {"overwrite with the same size",
     [](const std::string& at) { return OverwriteFile(at + "/file", Pattern(kBytes, 4)); }},
    {"truncate", [](const std::string& at) { return truncate((at + "/file").c_str(), 1000) == 0; }},
    {"extend", [](const std::string& at) { return truncate((at + "/file").c_str(), kBytes) == 0; }},
    {"rename over",
     [](const std::string& at) { return rename((at + "/other").c_str(), (at + "/file").c_str()) == 0; }},
    {"create", [](const std::string& at) { return WriteFile(at + "/none", Pattern(kBytes, 5)); }},
    {"chmod", [](const std::string& at) { return chmod((at + "/file").c_str(), 0601) == 0; }},
    {"chown", [](const std::string& at) { return chown((at + "/file").c_str(), 7, 8) == 0; }},
    {"link", [](const std::string& at) { return link((at + "/file").c_str(), (at + "/new").c_str()) == 0; }},
    {"symlink retargeted",
     [](const std::string& at) {
       return symlink("none", (at + "/temporary").c_str()) == 0 &&
              rename((at + "/temporary").c_str(), (at + "/link").c_str()) == 0;
     }},
    {"same size, time set back",
     [](const std::string& at) {
       struct stat st {};
       if (stat((at + "/file").c_str(), &st) != 0 || !OverwriteFile(at + "/file", Pattern(kBytes, 6)))
         return false;
       const timespec times[2] = {st.st_atim, st.st_mtim};
       return utimensat(AT_FDCWD, (at + "/file").c_str(), times, 0) == 0;
     }},
    {"unlink", [](const std::string& at) { return unlink((at + "/file").c_str()) == 0; }},
    {"unlink and create",
     [](const std::string& at) {
       return unlink((at + "/none").c_str()) == 0 && WriteFile(at + "/none", "another inode");
     }},
};

TEST_F(Coherence, FirstLookAfterAChangeIsRight) {
  for (const Change& change : kChanges) {
    WarmUp();
    WarmUp();
    ASSERT_TRUE(change.make(Source())) << change.name;
    gateway_.Barrier();
    ExpectSameAsSource(change.name);
  }
}

TEST_F(Coherence, OpenDescriptorsAndMappingsSeeChanges) {
  const Descriptor fd(open(Mount("file").c_str(), O_RDONLY));
  const Mapping private_map(fd.get(), kBytes, PROT_READ, MAP_PRIVATE);
  const Mapping shared_map(fd.get(), kBytes, PROT_READ, MAP_SHARED);
  ASSERT_TRUE(private_map.ok() && shared_map.ok());
  for (uint64_t generation = 10; generation < 20; ++generation) {
    const std::string data = Pattern(kBytes, generation);
    ASSERT_TRUE(OverwriteFile(Source("file"), data));
    gateway_.Barrier();
    EXPECT_TRUE(ReadAt(fd.get(), kBytes) == data) << "pread, generation " << generation;
    EXPECT_TRUE(shared_map.Text() == data) << "shared mapping, generation " << generation;
    EXPECT_TRUE(private_map.Text() == data) << "private mapping, generation " << generation;
  }
  // The mapping first: nothing else asks about the file.
  ASSERT_TRUE(OverwriteFile(Source("file"), Pattern(kBytes, 20)));
  gateway_.Barrier();
  EXPECT_TRUE(shared_map.Text() == Pattern(kBytes, 20));
  ASSERT_TRUE(OverwriteFile(Source("file"), Pattern(kBytes, 21)));
  gateway_.Barrier();
  EXPECT_TRUE(private_map.Text() == Pattern(kBytes, 21));
  // Through an open descriptor the size follows too, and a file without names stays readable.
  ASSERT_TRUE(AppendFile(Source("file"), "appended"));
  gateway_.Barrier();
  EXPECT_EQ(ReadAt(fd.get(), 100, kBytes), "appended");
  ASSERT_EQ(unlink(Source("file").c_str()), 0);
  gateway_.Barrier();
  EXPECT_EQ(ReadAt(fd.get(), 100, kBytes), "appended");
  struct stat st {};
  ASSERT_EQ(fstat(fd.get(), &st), 0);
  EXPECT_EQ(st.st_nlink, 0U);
}

TEST_F(Coherence, LocalWritesAreSeenAtOnceEverywhere) {
  const Descriptor reader(open(Mount("file").c_str(), O_RDONLY));
  const Descriptor both(open(Mount("file").c_str(), O_RDWR));
  const Descriptor writer(open(Mount("file").c_str(), O_WRONLY));
  const Descriptor behind(open(Source("file").c_str(), O_RDONLY));
  const Mapping map(reader.get(), kBytes, PROT_READ, MAP_SHARED);
  ASSERT_TRUE(map.ok());
  for (int i = 0; i < 300; ++i) {
    const std::string data = Pattern(100, 100 + i);
    const off_t offset = (i * 7919) % (kBytes - 100);
    const int fd = i % 2 == 0 ? both.get() : writer.get();
    ASSERT_EQ(pwrite(fd, data.data(), data.size(), offset), 100);
    switch (i % 4 / 2 + 2 * (i % 3)) {  // another one looks first each time
      case 0:
      case 1:
        EXPECT_TRUE(std::string(map.data() + offset, 100) == data) << "mapping " << i;
        break;
      case 2:
      case 3:
        EXPECT_TRUE(ReadAt(reader.get(), 100, offset) == data) << "descriptor " << i;
        break;
      default:
        EXPECT_TRUE(ReadAt(behind.get(), 100, offset) == data) << "source " << i;
    }
    EXPECT_TRUE(std::string(map.data() + offset, 100) == data) << "mapping " << i;
    EXPECT_TRUE(ReadAt(reader.get(), 100, offset) == data) << "descriptor " << i;
    EXPECT_TRUE(ReadAt(both.get(), 100, offset) == data) << "writer's descriptor " << i;
    EXPECT_TRUE(ReadAt(behind.get(), 100, offset) == data) << "source " << i;
  }
}

/// A file whose every word says which generation it belongs to, rewritten again and again behind the gateway.
class GenerationRace {
 public:
  static constexpr size_t kWords = 5000;  // 40 000 bytes, several pages
  explicit GenerationRace(std::string source) : source_(std::move(source)) { Write(0); }

  /// One open, write, close. Counts the generation as written when close has returned.
  void Write(uint64_t generation) {
    const std::vector<uint64_t> words(kWords, generation);
    const int fd = open(source_.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    if (pwrite(fd, words.data(), kWords * sizeof(uint64_t), 0) != kWords * sizeof(uint64_t)) failed_ = true;
    close(fd);
    written_.store(generation);
  }
  uint64_t written() const { return written_.load(); }
  bool failed() const { return failed_; }
  /// Reads `words` at a place; how many are older than what was written before the read began.
  template <typename Read>
  size_t Stale(const Read& read, uint64_t* worst) {
    const uint64_t floor = written();
    std::vector<uint64_t> words(kWords);
    const size_t got = read(words.data());
    size_t stale = 0;
    for (size_t i = 0; i < got / sizeof(uint64_t); ++i) {
      if (words[i] >= floor) continue;
      ++stale;
      *worst = std::max(*worst, floor - words[i]);
    }
    return stale;
  }

 private:
  const std::string source_;
  std::atomic<uint64_t> written_{0};
  std::atomic<bool> failed_{false};
};

/// The data path is strict even with lease=local: a read that starts after a write's close has returned never
/// shows an older generation. How long the writer pauses is random.
TEST_F(Coherence, ReadsRacingWithWritesNeverGoBack) {
  std::srand(static_cast<unsigned>(TestSeed()));
  GenerationRace race(Source("raced"));
  gateway_.Barrier();
  std::atomic<bool> stop{false};
  std::atomic<uint64_t> reads{0};
  std::atomic<uint64_t> stale{0};
  uint64_t worst[3] = {0, 0, 0};
  const auto reader = [&](int kind) {
    const std::string path = Mount("raced");
    const Descriptor kept(open(path.c_str(), O_RDONLY | O_CLOEXEC));
    while (!stop) {
      stale += race.Stale(
          [&](uint64_t* into) -> size_t {
            if (kind != 1)
              return static_cast<size_t>(
                  std::max<ssize_t>(pread(kept.get(), into, GenerationRace::kWords * 8, 0), 0));
            const Descriptor fresh(open(path.c_str(), O_RDONLY | O_CLOEXEC));
            return static_cast<size_t>(
                std::max<ssize_t>(pread(fresh.get(), into, GenerationRace::kWords * 8, 0), 0));
          },
          &worst[kind]);
      ++reads;
    }
  };
  std::vector<std::thread> readers;
  for (const int kind : {0, 1, 2}) readers.emplace_back(reader, kind);
  uint64_t generation = 0;
  const auto end = std::chrono::steady_clock::now() + Milliseconds(4000);
  while (std::chrono::steady_clock::now() < end) {
    race.Write(++generation);
    // Now and then long enough for leases to be taken and pages to be cached again.
    const uint64_t until = reads + static_cast<uint64_t>(std::rand() % 40);
    Eventually([&] { return reads >= until; }, Milliseconds(700));
  }
  stop = true;
  for (std::thread& thread : readers) thread.join();
  std::printf("%lu generations, %lu reads, %lu stale words\n", generation, reads.load(), stale.load());
  EXPECT_FALSE(race.failed());
  EXPECT_GT(generation, 20U);
  EXPECT_EQ(stale, 0U) << "oldest: " << worst[0] << ", " << worst[1] << ", " << worst[2]
                       << " generations behind";
}

/// The kernel drops attributes that it asked for before it gave pages back, and with them the new size; what
/// was appended must be there all the same.
TEST_F(Coherence, AReadAtTheOldEndFindsWhatWasAppended) {
  ASSERT_TRUE(WriteFile(Source("log"), std::string(100, 'a')));
  const Descriptor writer(open(Source("log").c_str(), O_RDWR));  // held: no lease can be had
  const Descriptor reader(open(Mount("log").c_str(), O_RDONLY));
  off_t end = 100;
  for (int i = 0; i < 300; ++i, end += 100) {
    ReadAt(reader.get(), 100, end / 2);
    ASSERT_EQ(pwrite(writer.get(), std::string(100, 'b').data(), 100, end), 100);
    ASSERT_EQ(ReadAt(reader.get(), 200, end), std::string(100, 'b')) << "append " << i;
  }
}

}  // namespace
}  // namespace ocfsgw::mounttest
