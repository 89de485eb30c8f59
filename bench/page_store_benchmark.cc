// RocksdbPageStore beside the same reads from one plain file. The plain file is in the kernel's page cache;
// so are the store's tables, unless the memory tier has the block.
#include <benchmark/benchmark.h>
#include <fcntl.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <memory>
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

/// range(0): bytes of each read; range(1): bytes of the memory tier.
void BM_StoreGetHit(benchmark::State& state) {
  Scratch scratch;
  const auto store = OpenStore(scratch, 1024 * kMiB, state.range(1));
  const auto block = RandomBlock();
  for (uint64_t index = 0; index < kBlocks; ++index) {
    store->Put(Block(index), kStamp, block);
    if (index % 128 == 127) {
      store->Flush();
    }
  }
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

}  // namespace
}  // namespace ocfsgw::cache
