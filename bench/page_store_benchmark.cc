// RocksdbPageStore beside the same reads from one plain file. The plain file is in the kernel's page cache;
// so are the store's tables, unless the memory tier has the block.
#include <benchmark/benchmark.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <numeric>
#include <random>
#include <string>
#include <vector>

#include "cache/rocksdb_page_store.h"

namespace ocfsgw::cache {
namespace {

constexpr uint64_t kMiB = 1 << 20;
constexpr uint64_t kBlocks = 128 * kMiB / kBlockBytes;
constexpr StampHash kStamp(1);

RecordKey Block(uint64_t index) { return {InodeId{1, 1}, RecordKind::kData, BlockIndex(index)}; }

std::shared_ptr<const std::string> RandomBlock() {
  std::mt19937_64 random(1);
  auto block = std::make_shared<std::string>(kBlockBytes, '\0');
  for (char& byte : *block) {
    byte = static_cast<char>(random());
  }
  return block;
}

/// A fresh directory in the working directory, deleted at the end.
struct Scratch {
  Scratch() {
    std::string name = "page-store-benchmark-XXXXXX";
    path = mkdtemp(name.data()) == nullptr ? "" : name;
  }
  ~Scratch() { std::filesystem::remove_all(path); }
  std::string path;
};

std::unique_ptr<RocksdbPageStore> OpenStore(const Scratch& scratch, uint64_t cache_size,
                                            uint64_t memory_bytes) {
  auto directory = StoreDirectory::Open(scratch.path + "/cache");
  if (!directory.ok()) {
    return nullptr;
  }
  RocksdbPageStoreOptions options;
  options.cache_size = cache_size;
  options.memory_bytes = memory_bytes;
  auto store = RocksdbPageStore::Open(std::move(*directory), std::move(options));
  return store.ok() ? std::move(*store) : nullptr;
}

/// Fills `store` with kBlocks blocks, written out.
void PutBlocks(RocksdbPageStore& store) {
  const auto block = RandomBlock();
  for (uint64_t index = 0; index < kBlocks; ++index) {
    store.Put(Block(index), kStamp, block);
    if (index % 128 == 127) {
      store.Flush();
    }
  }
}

/// range(0): bytes of each read; range(1): bytes of the memory tier.
void BM_StoreGetHit(benchmark::State& state) {
  Scratch scratch;
  const auto store = OpenStore(scratch, 1024 * kMiB, state.range(1));
  PutBlocks(*store);
  std::mt19937_64 random(1);
  std::vector<std::byte> into(state.range(0));
  for (auto _ : state) {
    const auto got = store->Get(Block(random() % kBlocks), kStamp, 0, into);
    if (!got.ok() || *got != into.size()) {
      state.SkipWithError("miss");
    }
  }
  state.SetBytesProcessed(state.iterations() * state.range(0));
}
BENCHMARK(BM_StoreGetHit)->ArgsProduct({{4096, kBlockBytes}, {0, 512 * kMiB}});

constexpr uint64_t kSmallFiles = 65536;
constexpr size_t kSmallBytes = 4096;

RecordKey SmallFile(uint64_t number) { return {InodeId{1 + number, 1}, RecordKind::kData, BlockIndex{}}; }

/// Whole small files, 256 MiB of them, in random order, by one or more threads that share a store.
/// range(0): bytes of the memory tier.
void BM_SmallFileHit(benchmark::State& state) {
  static std::unique_ptr<Scratch> scratch;
  static std::unique_ptr<RocksdbPageStore> store;
  if (state.thread_index() == 0) {
    scratch = std::make_unique<Scratch>();
    store = OpenStore(*scratch, 1024 * kMiB, state.range(0));
    const auto content = std::make_shared<const std::string>(RandomBlock()->substr(0, kSmallBytes));
    for (uint64_t number = 0; number < kSmallFiles; ++number) {
      store->Put(SmallFile(number), kStamp, content);
      if (number % 2048 == 2047) {
        store->Flush();
      }
    }
  }
  std::mt19937_64 random(state.thread_index());
  std::vector<std::byte> into(kSmallBytes);
  for (auto _ : state) {
    const auto got = store->Get(SmallFile(random() % kSmallFiles), kStamp, 0, into);
    if (!got.ok() || *got != kSmallBytes) {
      state.SkipWithError("miss");
    }
  }
  state.SetItemsProcessed(state.iterations());
  if (state.thread_index() == 0) {
    store.reset();
    scratch.reset();
  }
}
BENCHMARK(BM_SmallFileHit)->Arg(0)->Arg(64 * kMiB)->ThreadRange(1, 2);

/// Has the kernel forget the files below `path`, which are synced first.
void Chill(const std::string& path) {
  for (const auto& entry : std::filesystem::recursive_directory_iterator(path)) {
    if (!entry.is_regular_file()) continue;
    const int fd = open(entry.path().c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) continue;
    fdatasync(fd);
    posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
    close(fd);
  }
}

/// Reads kBlocks blocks in random order, each once, with read(index), from files below `path` that the kernel
/// has forgotten; again and again.
template <typename Read>
void ReadCold(benchmark::State& state, const std::string& path, const Read& read) {
  std::vector<uint64_t> order(kBlocks);
  std::iota(order.begin(), order.end(), 0);
  std::shuffle(order.begin(), order.end(), std::mt19937_64(1));
  uint64_t next = 0;
  for (auto _ : state) {
    if (next % kBlocks == 0) {
      state.PauseTiming();
      Chill(path);
      state.ResumeTiming();
    }
    if (!read(order[next++ % kBlocks])) {
      state.SkipWithError("miss");
    }
  }
  state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(kBlockBytes));
}

void BM_StoreGetCold(benchmark::State& state) {
  Scratch scratch;
  const auto store = OpenStore(scratch, 1024 * kMiB, 0);
  PutBlocks(*store);
  std::vector<std::byte> into(kBlockBytes);
  ReadCold(state, scratch.path,
           [&](uint64_t index) { return store->Get(Block(index), kStamp, 0, into).ok(); });
}
BENCHMARK(BM_StoreGetCold)->Iterations(2 * kBlocks)->UseRealTime();

void BM_FilePreadCold(benchmark::State& state) {
  Scratch scratch;
  const auto block = RandomBlock();
  const int fd = open((scratch.path + "/file").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  for (uint64_t index = 0; index < kBlocks; ++index) {
    benchmark::DoNotOptimize(pwrite(fd, block->data(), kBlockBytes, static_cast<off_t>(index * kBlockBytes)));
  }
  std::vector<std::byte> into(kBlockBytes);
  ReadCold(state, scratch.path, [&](uint64_t index) {
    const ssize_t got = pread(fd, into.data(), into.size(), static_cast<off_t>(index * kBlockBytes));
    return got == static_cast<ssize_t>(into.size());
  });
  close(fd);
}
BENCHMARK(BM_FilePreadCold)->Iterations(2 * kBlocks)->UseRealTime();

void BM_FilePread(benchmark::State& state) {
  Scratch scratch;
  const auto block = RandomBlock();
  const int fd = open((scratch.path + "/file").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  for (uint64_t index = 0; index < kBlocks; ++index) {
    if (pwrite(fd, block->data(), kBlockBytes, static_cast<off_t>(index * kBlockBytes)) < 0) {
      state.SkipWithError("pwrite");
    }
  }
  std::mt19937_64 random(1);
  std::vector<std::byte> into(state.range(0));
  for (auto _ : state) {
    const off_t offset = static_cast<off_t>(random() % kBlocks * kBlockBytes);
    benchmark::DoNotOptimize(pread(fd, into.data(), into.size(), offset));
  }
  state.SetBytesProcessed(state.iterations() * state.range(0));
  close(fd);
}
BENCHMARK(BM_FilePread)->Arg(4096)->Arg(kBlockBytes);

/// Puts until they are on disk, several times the quota, evictions included. range(0): the quota.
void BM_StorePut(benchmark::State& state) {
  Scratch scratch;
  const auto store = OpenStore(scratch, state.range(0), 0);
  const auto block = RandomBlock();
  uint64_t index = 0;
  for (auto _ : state) {
    for (int i = 0; i < 128; ++i) {
      store->Put(Block(index++), kStamp, block);
    }
    store->Flush();
  }
  state.SetBytesProcessed(static_cast<int64_t>((index - store->Stats().dropped_puts) * kBlockBytes));
}
BENCHMARK(BM_StorePut)->Arg(64 * kMiB)->Arg(1024 * kMiB)->Iterations(16)->UseRealTime();

/// The same bytes appended to a file, fdatasync'ed as often.
void BM_FileWrite(benchmark::State& state) {
  Scratch scratch;
  const auto block = RandomBlock();
  const int fd = open((scratch.path + "/file").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  for (auto _ : state) {
    for (int i = 0; i < 128; ++i) {
      benchmark::DoNotOptimize(write(fd, block->data(), kBlockBytes));
    }
    benchmark::DoNotOptimize(fdatasync(fd));
  }
  state.SetBytesProcessed(state.iterations() * 128 * static_cast<int64_t>(kBlockBytes));
  close(fd);
}
BENCHMARK(BM_FileWrite)->Iterations(16)->UseRealTime();

constexpr uint64_t kFileBlocks = 8192;  // of 128 KiB: files of 1 GiB

/// Record `number` of many, in files of `file_blocks` blocks.
RecordKey Many(uint64_t number, uint64_t file_blocks) {
  return {InodeId{1 + number / file_blocks, 1}, RecordKind::kData, BlockIndex(number % file_blocks)};
}

/// A quota that does not evict, and `memory` bytes. The records have 100 bytes of payload: for the index, and
/// for opening, those are as good as whole blocks.
std::unique_ptr<RocksdbPageStore> OpenLarge(const Scratch& scratch, uint64_t memory) {
  auto directory = StoreDirectory::Open(scratch.path + "/cache");
  if (!directory.ok()) {
    return nullptr;
  }
  RocksdbPageStoreOptions options;
  options.cache_size = 100 * 1024 * kMiB;
  ShareMemory(memory, &options);
  auto store = RocksdbPageStore::Open(std::move(*directory), std::move(options));
  return store.ok() ? std::move(*store) : nullptr;
}

/// `used`: in random order, and each is read while it is queued.
void PutMany(RocksdbPageStore& store, uint64_t records, uint64_t file_blocks, bool used = false) {
  const auto payload = std::make_shared<const std::string>(100, 'x');
  std::vector<uint64_t> numbers(records);
  std::iota(numbers.begin(), numbers.end(), 0);
  if (used) {
    std::shuffle(numbers.begin(), numbers.end(), std::mt19937_64(1));
  }
  std::vector<std::byte> into(payload->size());
  for (uint64_t put = 0; put < records; ++put) {
    const RecordKey key = Many(numbers[put], file_blocks);
    store.Put(key, kStamp, payload);
    if (used) {
      (void)store.Get(key, kStamp, 0, into);
    }
    if (put % 2048 == 2047) {
      store.Flush();
    }
  }
  store.Flush();
}

/// A line of /proc/self/status that is in kB, in bytes.
double StatusBytes(const std::string& name) {
  std::ifstream file("/proc/self/status");
  for (std::string word; file >> word;) {
    if (uint64_t kilobytes = 0; word == name + ":" && file >> kilobytes) {
      return static_cast<double>(kilobytes * 1024);
    }
  }
  return 0;
}

/// Opening a store with range(0) records until the first hit, with range(1) blocks to a file. If range(2),
/// they were put in random order, and all were read, so that the policy's state has a word for each.
void BM_StoreOpen(benchmark::State& state) {
  Scratch scratch;
  const auto records = static_cast<uint64_t>(state.range(0));
  const auto file_blocks = static_cast<uint64_t>(state.range(1));
  PutMany(*OpenLarge(scratch, 1024 * kMiB), records, file_blocks, state.range(2) != 0);
  std::vector<std::byte> into(100);
  for (auto _ : state) {
    auto store = OpenLarge(scratch, 1024 * kMiB);
    if (!store->Get(Many(records / 2, file_blocks), kStamp, 0, into).ok()) {
      state.SkipWithError("miss");
    }
    state.PauseTiming();
    if (store->Stats().records != records) {
      state.SkipWithError("records are missing");
    }
    store.reset();
    state.ResumeTiming();
  }
}
BENCHMARK(BM_StoreOpen)
    ->Args({1'000'000, kFileBlocks, 0})
    ->Args({1'000'000, kFileBlocks, 1})
    ->Args({1'000'000, 1, 0})
    ->Iterations(3)
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();

/// The memory of a store with range(0) records and memory=range(1) MiB, range(2) blocks to a file; reads 4
/// KiB of random ones at the end. To be run alone: what it reports are the process' figures.
void BM_StoreMemory(benchmark::State& state) {
  Scratch scratch;
  const auto records = static_cast<uint64_t>(state.range(0));
  const auto file_blocks = static_cast<uint64_t>(state.range(2));
  const double before = StatusBytes("RssAnon");
  const auto store = OpenLarge(scratch, static_cast<uint64_t>(state.range(1)) * kMiB);
  PutMany(*store, records, file_blocks);
  std::mt19937_64 random(1);
  std::vector<std::byte> into(4096);
  uint64_t hits = 0;
  for (auto _ : state) {
    hits += store->Get(Many(random() % records, file_blocks), kStamp, 0, into).ok() ? 1 : 0;
  }
  const PageStoreStats stats = store->Stats();
  state.counters["records"] = static_cast<double>(stats.records);
  state.counters["hit_share"] = static_cast<double>(hits) / static_cast<double>(state.iterations());
  state.counters["index_MiB"] = static_cast<double>(stats.memory.index) / kMiB;
  state.counters["index_bytes_per_record"] =
      static_cast<double>(stats.memory.index) / static_cast<double>(stats.records);
  state.counters["block_cache_MiB"] = static_cast<double>(stats.memory.block_cache) / kMiB;
  state.counters["memtables_MiB"] = static_cast<double>(stats.memory.memtables) / kMiB;
  state.counters["anonymous_MiB"] = (StatusBytes("RssAnon") - before) / kMiB;
  state.counters["peak_MiB"] = StatusBytes("VmHWM") / kMiB;
}
BENCHMARK(BM_StoreMemory)
    ->Args({100 * 1024 * kMiB / kBlockBytes, 124, kFileBlocks})  // 100 GiB of blocks
    ->Args({1'000'000, 256, 1})                                  // small files
    ->Iterations(200'000);

}  // namespace
}  // namespace ocfsgw::cache
