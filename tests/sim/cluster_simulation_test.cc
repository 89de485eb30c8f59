// Whole nodes - coherence, memory store, simulated kernel - on one simulated volume, many threads, every read
// checked: a read that starts after a write has been announced sees that write or a later one. The history of
// each run goes through the history checker, too.

#include <gtest/gtest.h>

#include <fcntl.h>

#include <atomic>
#include <cstdlib>
#include <random>
#include <thread>

#include "tests/history/checker.h"
#include "tests/sim/sim_machine.h"
#include "tests/sim/sim_volume.h"

namespace ocfsgw::sim {
namespace {

using coherence::CoherentFs;

constexpr int kFiles = 3;
constexpr int kNames = 3;
constexpr size_t kContentBytes = 64;

std::string FileName(int file) { return "file" + std::to_string(file); }

std::string NameOf(int name) { return "name" + std::to_string(name); }

std::string Content(uint64_t version) {
  std::string text = std::to_string(version) + ";";
  text.resize(kContentBytes, '.');
  return text;
}

uint64_t Seed() {
  if (const char* seed = std::getenv("OCFSGW_TEST_SEED")) return std::strtoull(seed, nullptr, 10);
  return std::random_device{}();
}

int64_t NowNs() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

uint64_t VersionOf(const std::string& content) { return std::strtoull(content.c_str(), nullptr, 10); }

struct Load {
  explicit Load(SimMachineOptions options, uint64_t seed = Seed()) : options(options), seed(seed) {}

  SimMachineOptions options;
  uint64_t seed;
  int looks_per_reader = 3'000;
  uint64_t writes_min = 1'000;  ///< Readers go on until there were so many.
  uint64_t recalls_min = 100;   ///< Fewer did not test anything.
  int64_t rest_ns = 0;          ///< Contents are not written for so long, then for as long again they are.
  SimVolume volume{seed};
  std::atomic<uint64_t> announced[kFiles] = {};
  std::mutex writing[kFiles];
  std::mutex naming[kNames];
  std::atomic<uint64_t> writes{0};
  std::atomic<uint64_t> stale{0};
  std::atomic<uint64_t> errors{0};
  std::atomic<uint64_t> refused{0};
  std::atomic<bool> stop{false};
  bool check_metrics = true;
  uint64_t recalls = 0, operations = 0;  ///< Results.
  /// One for each thread, so that recording does not order them; 0 is the main thread's.
  std::vector<history::Operation> histories[16];

  /// `version` as of the file's content between `start` and now.
  void Record(history::Operation::Kind kind, uint32_t thread, int64_t start, int file, uint64_t version) {
    histories[thread].push_back(
        {thread, thread, start, NowNs(), kind, FileName(file), {std::to_string(version)}});
  }

  void Look(SimMachine& machine, const coherence::InodePtr& root, int file, uint32_t thread) {
    const int64_t start = NowNs();
    const uint64_t before = announced[file].load();
    const auto entry = machine.fs.Lookup(root, FileName(file));
    if (!entry.ok()) {
      ++errors;
      return;
    }
    const auto open = machine.fs.Open(entry->inode, O_RDWR);
    const auto text = machine.kernel.Read(machine.fs, **open);
    if (!text.ok() || text->size() != kContentBytes) {
      ++errors;
      return;
    }
    Record(history::Operation::Kind::kRead, thread, start, file, VersionOf(*text));
    if (VersionOf(*text) < before) ++stale;
  }

  /// ESTALE is what a walk fails with that was made to begin again twice, since names that turned out to be
  /// false could not be taken back: rare even without any hold-off.
  void Fail(const char* what, const Status& status) {
    if (status.IsErrno(ESTALE)) {
      ++refused;
      return;
    }
    std::printf("%s: %s\n", what, status.ToString().c_str());
    ++errors;
  }

  /// Which inode a name leads to.
  void RecordName(history::Operation::Kind kind, uint32_t thread, int64_t start, int name, uint64_t ino) {
    histories[thread].push_back({thread,
                                 thread,
                                 start,
                                 NowNs(),
                                 kind,
                                 NameOf(name),
                                 {ino == 0 ? history::kAbsent : "ino" + std::to_string(ino)}});
  }

  void LookName(SimMachine& machine, const coherence::InodePtr& root, int name, uint32_t thread) {
    const int64_t start = NowNs();
    const auto child = machine.kernel.Walk(machine.fs, root, NameOf(name));
    if (!child.ok()) {
      Fail("look", child.status());
      return;
    }
    RecordName(history::Operation::Kind::kRead, thread, start, name, *child ? (*child)->id().ino : 0);
  }

  /// Creates a name that does not exist, removes one that does.
  template <typename Put>
  void Toggle(std::mt19937_64& random, uint32_t thread, const Put& put) {
    const int name = static_cast<int>(random() % kNames);
    const std::lock_guard one_writer(naming[name]);
    const bool create = !volume.Exists(NameOf(name));
    const int64_t start = NowNs();
    put(NameOf(name), create);
    RecordName(history::Operation::Kind::kWrite, thread, start, name, volume.InoOf(NameOf(name)));
  }

  /// Names change together and then for a while not at all: only quiet names are trusted, and what they are
  /// trusted for is to be there when all change.
  void AwaitBurst(std::mt19937_64& random) {
    constexpr int64_t kEvery = 8'000'000;
    const auto next = std::chrono::nanoseconds((NowNs() / kEvery + 1) * kEvery + random() % 400'000);
    if (random() % 4 != 0) std::this_thread::sleep_until(std::chrono::steady_clock::time_point(next));
  }

  template <typename Put>
  void WriteSome(std::mt19937_64& random, uint32_t thread, const Put& put) {
    if (rest_ns > 0 && NowNs() / rest_ns % 2 == 0) {
      std::this_thread::sleep_until(
          std::chrono::steady_clock::time_point(std::chrono::nanoseconds((NowNs() / rest_ns + 1) * rest_ns)));
    }
    const int file = static_cast<int>(random() % kFiles);
    const std::lock_guard one_writer(writing[file]);
    const uint64_t version = announced[file].load() + 1;
    const int64_t start = NowNs();
    put(file, Content(version));
    Record(history::Operation::Kind::kWrite, thread, start, file, version);
    announced[file].store(version);
    ++writes;
  }

  void Execute() {
    SCOPED_TRACE("seed " + std::to_string(seed) + "; replay: OCFSGW_TEST_SEED=" + std::to_string(seed) +
                 " cluster_simulation_test");
    for (int file = 0; file < kFiles; ++file) {
      const int64_t start = NowNs();
      volume.WriteFile(FileName(file), Content(0));
      Record(history::Operation::Kind::kWrite, 0, start, file, 0);
    }
    for (int name = 0; name < kNames; ++name) {
      RecordName(history::Operation::Kind::kWrite, 0, NowNs(), name, 0);
    }
    cache::MemoryPageStore store_one(1 << 20);
    cache::MemoryPageStore store_two(1 << 20);
    SimMachine one(volume, store_one, options);
    SimMachine two(volume, store_two, options);
    uint32_t threads = 0;
    std::vector<std::thread> readers;
    std::vector<std::thread> writers;
    // A load that is to have so many recalls goes on until it has; one that never gets there fails.
    const int64_t patience = NowNs() + 60'000'000'000;
    const auto tested = [&] {
      return writes >= writes_min &&
             (!check_metrics || one.metrics.recalls.value() > recalls_min || NowNs() > patience);
    };
    for (SimMachine* machine : {&one, &two}) {
      const auto root = machine->fs.Root();
      ASSERT_TRUE(root.ok());
      for (uint64_t reader = 0; reader < 2; ++reader) {
        readers.emplace_back([this, &tested, machine, root = root->inode, reader, thread = ++threads] {
          std::mt19937_64 random(seed * 31 + reader);
          for (int i = 0; i < looks_per_reader || !tested(); ++i) {
            Look(*machine, root, static_cast<int>(random() % kFiles), thread);
            LookName(*machine, root, static_cast<int>(random() % kNames), thread);
            if (random() % 16 == 0) machine->kernel.Shrink(NameOf(static_cast<int>(random() % kNames)));
          }
        });
      }
      for (uint64_t creator = 0; creator < 2;
           ++creator) {  // two of one kernel: they wait for each other there
        writers.emplace_back([this, machine, root = root->inode, creator, thread = ++threads] {
          for (std::mt19937_64 random(seed * 43 + creator); !stop;) {
            Toggle(random, thread, [&](const std::string& name, bool create) {
              const Status done = create ? machine->kernel.Create(machine->fs, root, name)
                                         : machine->kernel.Unlink(machine->fs, root, name);
              if (!done.ok()) Fail(create ? "create" : "unlink", done);
            });
            AwaitBurst(random);
          }
        });
      }
      writers.emplace_back([this, machine, root = root->inode, thread = ++threads] {  // through the gateway
        for (std::mt19937_64 random(seed * 37); !stop;) {
          WriteSome(random, thread, [&](int file, const std::string& content) {
            const auto entry = machine->fs.Lookup(root, FileName(file));
            const auto open = machine->fs.Open(entry->inode, O_RDWR);
            if (!machine->kernel.Write(machine->fs, **open, content).ok()) ++errors;
          });
          std::this_thread::yield();
        }
      });
    }
    writers.emplace_back([this, thread = ++threads] {  // straight on the volume
      for (std::mt19937_64 random(seed * 41); !stop;) {
        WriteSome(random, thread,
                  [&](int file, const std::string& content) { volume.WriteFile(FileName(file), content); });
      }
    });
    writers.emplace_back([this, thread = ++threads] {
      for (std::mt19937_64 random(seed * 47); !stop; AwaitBurst(random)) {
        Toggle(random, thread, [&](const std::string& name, bool create) {
          create ? volume.WriteFile(name, "x") : volume.Remove(name);
        });
      }
    });
    for (auto& reader : readers) reader.join();
    stop = true;
    for (auto& writer : writers) writer.join();
    EXPECT_EQ(stale, 0u);
    EXPECT_EQ(errors, 0u);
    EXPECT_LE(refused, 1 + writes / 1000);
    std::vector<history::Operation> history;
    for (const auto& part : histories) history.insert(history.end(), part.begin(), part.end());
    const auto report = history::Check(history);
    for (const auto& violation : report.violations) ADD_FAILURE() << Describe(violation, history);
    operations = history.size();
    const coherence::CoherenceMetrics& m = one.metrics;
    recalls = m.recalls.value();
    if (check_metrics) {
      std::printf(
          "seed %lu: %lu writes; node 1: %lu recalls, %lu forced, %lu timer, %lu blocks from store, %lu from "
          "backend, "
          "%lu retries, %lu uncovered; %lu names revived, %lu settle time-outs\n",
          seed, writes.load(), m.recalls.value(), m.forced_releases.value(), m.timer_releases.value(),
          m.blocks_from_store.value(), m.blocks_from_backend.value(), m.read_retries.value(),
          m.unleased_reads.value(), m.names_revived.value(), m.settle_timeouts.value());
      EXPECT_GT(m.recalls.value(), recalls_min) << "the load did not test anything";
    }
    EXPECT_EQ(m.timer_releases.value() + two.metrics.timer_releases.value(), 0u)
        << "a deadlock that only the timer cut";
  }
};

TEST(ClusterSimulation, EveryLookAfterAnAnnouncedWriteSeesIt) { Load({}).Execute(); }

TEST(ClusterSimulation, WithAHoldOffMetadataComesFromTheBackendMeanwhile) {
  constexpr auto kShort = std::chrono::milliseconds(1);
  Load({.hold_off = {kShort, kShort, kShort}}).Execute();
}

TEST(ClusterSimulation, AHoldOffThatGrowsLeavesContendedFilesToTheBackend) {
  Load load({.hold_off = {std::chrono::milliseconds(1), std::chrono::milliseconds(20),
                          std::chrono::milliseconds(2)}});
  load.rest_ns = 40'000'000;  // a hold-off does not end while its file is written
  load.Execute();
}

TEST(ClusterSimulation, WithoutValueBlocksAttributesComeFromTheBackendUnderTheLease) {
  Load({.value_block = false}).Execute();
}

TEST(ClusterSimulation, WhereLeasesAreOftenRefusedReadsAreUncoveredAndStillRight) {
  Load({.refuse_every = 3}).Execute();
}

TEST(ClusterSimulation, WhereTheKernelCannotAgeNamesItDropsThem) { Load({.can_expire = false}).Execute(); }

TEST(ClusterSimulation, WithTwoLeasesForFourInodesTheBudgetRecallsAllTheTime) {
  Load({.max_leases = 2}).Execute();
}

// Many short runs, each with a seed of its own: OCFSGW_SIM_SEEDS of them.
TEST(ClusterSimulation, ManySeeds) {
  const char* wanted = std::getenv("OCFSGW_SIM_SEEDS");
  const uint64_t first = Seed(), seeds = wanted ? std::strtoull(wanted, nullptr, 10) : 20;
  uint64_t operations = 0, recalls = 0;
  for (uint64_t seed = first; seed < first + seeds && !HasFailure(); ++seed) {
    Load load({.value_block = seed % 2 == 0,
               .refuse_every = seed % 5 == 0 ? 3u : 0u,
               .max_leases = seed % 7 == 0 ? 2u : 100u,
               .can_expire = seed % 3 != 0},
              seed);
    load.looks_per_reader = 25;
    load.writes_min = 20;
    load.check_metrics = false;
    load.Execute();
    operations += load.operations;
    recalls += load.recalls;
  }
  std::printf("%lu seeds from %lu: %lu operations, %lu recalls\n", seeds, first, operations, recalls);
  EXPECT_GT(recalls, seeds);
}

TEST(ClusterSimulation, ANameThatAppearsIsSeenByTheFirstLookAfterwards) {
  SimVolume volume;
  cache::MemoryPageStore store(1 << 20);
  SimMachine machine(volume, store);
  const auto root = machine.fs.Root();
  ASSERT_TRUE(root.ok());
  for (int i = 0; i < 50; ++i) {
    const std::string name = "n" + std::to_string(i);
    EXPECT_TRUE(machine.fs.Lookup(root->inode, name).status().IsErrno(ENOENT));
    volume.WriteFile(name, "x");
    EXPECT_TRUE(machine.fs.Lookup(root->inode, name).ok()) << name;
    volume.Remove(name);
    EXPECT_TRUE(machine.fs.Lookup(root->inode, name).status().IsErrno(ENOENT)) << name;
  }
}

}  // namespace
}  // namespace ocfsgw::sim
