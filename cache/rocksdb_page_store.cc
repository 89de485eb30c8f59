#include "cache/rocksdb_page_store.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <optional>
#include <system_error>
#include <thread>
#include <utility>

#include "cache/disk_probe.h"
#include "cache/replacement_eviction.h"
#include "cache/store_state.h"
#include "cache/store_writer.h"

namespace ocfsgw::cache {
namespace {

constexpr int kReadErrorsMax = 8;  // in a row: then it is the disk, not a bad sector
/// Of what may be written, for what the charges leave out: RocksDB's own files, and whole blocks of the disk.
/// 0.2 to 0.6 % were measured with page_store_layouts.
constexpr double kOwnFilesShare = 0.01;

}  // namespace

void ShareMemory(uint64_t bytes, RocksdbPageStoreOptions* options) {
  constexpr uint64_t kParts = 16;
  constexpr uint64_t kWriteBytesMax = 32ULL << 20;  // more brings nothing
  options->queue_bytes_max = std::min(bytes / kParts, kWriteBytesMax);
  options->memtable_bytes = std::min(bytes / kParts, kWriteBytesMax);
  options->memory_bytes_min = bytes / kParts;
  options->memory_bytes = 4 * options->memory_bytes_min;
  options->index_bytes_max =
      bytes - options->queue_bytes_max - options->memtable_bytes - options->memory_bytes_min;
}

struct RocksdbPageStore::Impl {
  Impl(const RocksdbPageStoreOptions& options, std::unique_ptr<EvictionPolicy> policy,
       StoreDirectory directory)
      : state(options, std::move(policy)),
        probe(&state, directory.database_path(), options),
        writer(&state, std::move(directory), options),
        metrics(options.metrics),
        drain_time(options.drain_time) {}

  void AddMetrics();
  PageStoreStats Stats() const;
  /// Copies the verified record to room(its length); false if there is none, with anything there.
  template <typename Room>
  bool Read(const RecordKey& key, StampHash stamp, const Room& room);
  /// Around what reads the disk; nullopt: it must not be read.
  std::optional<SlowDisk::Lookup> BeginLookup() REQUIRES(state.mutex);
  void EndLookup(SlowDisk::Lookup lookup);
  /// Counts a Get; returns `hit`.
  bool Count(bool hit);
  void NoteUnreadable(const RecordKey& key, Sequence sequence, const rocksdb::Status& status);

  StoreState state;
  DiskProbe probe;
  StoreWriter writer;
  MetricsRegistry* const metrics;
  const Duration drain_time;
  std::atomic<int> read_errors{0};  // in a row; relaxed: a rough count will do
  std::thread thread;
  std::thread probe_thread;
};

void RocksdbPageStore::Impl::AddMetrics() {
  const auto add = [this](const char* name, const char* help, auto read) {
    metrics->AddGauge(this, std::string("ocfsgw_page_store_") + name, help,
                      [this, read] { return static_cast<double>(read(*this)); });
  };
  add("records", "Records stored", [](const Impl& impl) { return impl.Stats().records; });
  add("bytes", "Payload bytes stored", [](const Impl& impl) { return impl.Stats().bytes; });
  add("disk_bytes", "Disk used by the database", [](const Impl& impl) { return impl.Stats().disk_bytes; });
  add("quota_bytes", "Disk the database may use", [](const Impl& impl) { return impl.state.cache_size; });
  add("degraded", "1 while the store misses because of errors or a slow disk",
      [](const Impl& impl) { return impl.Stats().degraded; });
  add("slow", "1 while the store misses because its disk is slow",
      [](const Impl& impl) { return impl.Stats().slow; });
  add("hits_total", "Gets served", [](const Impl& impl) { return impl.state.counters.hits.value(); });
  add("misses_total", "Gets not served", [](const Impl& impl) { return impl.state.counters.misses.value(); });
  add("evicted_records_total", "Records evicted",
      [](const Impl& impl) { return impl.state.counters.evicted.value(); });
  add("dropped_puts_total", "Puts refused",
      [](const Impl& impl) { return impl.state.counters.dropped.value(); });
  add("refused_puts_total", "Puts of what the policy did not find worth storing",
      [](const Impl& impl) { return impl.state.counters.refused.value(); });
  add("put_bytes_total", "Bytes put, but for refused puts",
      [](const Impl& impl) { return impl.state.counters.put_bytes.value(); });
  add("written_bytes_total", "Bytes of records written, those written again included",
      [](const Impl& impl) { return impl.state.counters.written_bytes.value(); });
  add("corrupt_records_total", "Records that failed verification",
      [](const Impl& impl) { return impl.state.counters.corrupt.value(); });
  const auto add_part = [this](const char* part, uint64_t PageStoreMemory::*bytes) {
    metrics->AddGauge(this, "ocfsgw_page_store_memory_bytes", "Memory used by the page store",
                      [this, bytes] { return static_cast<double>(Stats().memory.*bytes); }, {{"part", part}});
  };
  add_part("index", &PageStoreMemory::index);
  add_part("memtables", &PageStoreMemory::memtables);
  add_part("block_cache", &PageStoreMemory::block_cache);
  add_part("queue", &PageStoreMemory::queue);
}

PageStoreStats RocksdbPageStore::Impl::Stats() const {
  PageStoreStats stats;
  stats.quota_bytes = state.cache_size;
  stats.evicted_records = state.counters.evicted.value();
  stats.dropped_puts = state.counters.dropped.value();
  stats.corrupt_records = state.counters.corrupt.value();
  stats.memory.memtables = state.memory->memtable_bytes();
  stats.memory.block_cache = state.memory->block_cache_bytes();
  stats.refused_puts = state.counters.refused.value();
  stats.put_bytes = state.counters.put_bytes.value();
  stats.written_bytes = state.counters.written_bytes.value();
  MutexLock lock(state.mutex);
  stats.records = state.index.records();
  stats.bytes = state.index.bytes();
  stats.disk_bytes = state.disk_bytes;
  stats.degraded = state.OutOfService();
  stats.slow = state.disk.slow();
  stats.memory.index = state.IndexBytes();
  stats.memory.queue = state.queue.bytes();
  return stats;
}

template <typename Room>
bool RocksdbPageStore::Impl::Read(const RecordKey& key, StampHash stamp, const Room& room) {
  std::shared_ptr<const std::string> queued;
  std::shared_ptr<Segment> segment;
  Sequence sequence;
  uint32_t length;
  std::optional<SlowDisk::Lookup> lookup;
  {
    MutexLock lock(state.mutex);
    IndexSlot* const slot = state.OutOfService() ? nullptr : state.index.Find(key);
    if (slot == nullptr || slot->second.state == IndexEntry::State::kVoid || slot->second.stamp != stamp) {
      return false;
    }
    IndexEntry& entry = slot->second;
    if (entry.state == IndexEntry::State::kStored) {
      lookup = BeginLookup();
      if (!lookup) {
        return false;
      }
    }
    entry.policy_word = state.policy->Touched(key, entry.policy_word);
    sequence = entry.sequence;
    length = entry.length;
    if (entry.state == IndexEntry::State::kQueued) {
      queued = state.queue.Find(sequence)->bytes;
    } else {
      segment = state.segments.at(entry.segment);
    }
  }
  const std::span<char> into(room(length), length);
  if (queued != nullptr) {
    std::copy_n(queued->data(), length, into.data());
    return true;
  }
  HeaderBytes header;
  rocksdb::PinnableSlice record;
  const rocksdb::Status status = segment->ReadInto(key, &header, into, &record);
  EndLookup(*lookup);
  bool verified = false;
  if (status.ok() && record.empty()) {
    verified = Verified(state.volume, key, stamp, header, {into.data(), into.size()});
  } else if (status.ok()) {
    if (const auto payload = VerifiedPayload(state.volume, key, stamp, length, record.ToStringView())) {
      std::copy_n(payload->data(), payload->size(), into.data());
      verified = true;
    }
  }
  if (!verified) {
    NoteUnreadable(key, sequence, status);
    return false;
  }
  read_errors.store(0, std::memory_order_relaxed);
  return true;
}

std::optional<SlowDisk::Lookup> RocksdbPageStore::Impl::BeginLookup() {
  const auto lookup = state.disk.Begin(std::chrono::steady_clock::now());
  if (state.disk.slow()) {
    state.disk_slow.NotifyAll();
  }
  return lookup;
}

void RocksdbPageStore::Impl::EndLookup(SlowDisk::Lookup lookup) {
  MutexLock lock(state.mutex);
  state.disk.End(lookup, std::chrono::steady_clock::now());
  if (state.disk.slow()) {
    state.disk_slow.NotifyAll();
  }
}

bool RocksdbPageStore::Impl::Count(bool hit) {
  (hit ? state.counters.hits : state.counters.misses).Add();
  return hit;
}

void RocksdbPageStore::Impl::NoteUnreadable(const RecordKey& key, Sequence sequence,
                                            const rocksdb::Status& status) {
  const bool disk_fails =
      status.IsIOError() && read_errors.fetch_add(1, std::memory_order_relaxed) + 1 >= kReadErrorsMax;
  MutexLock lock(state.mutex);
  IndexSlot* const slot = state.index.Find(key);
  // Otherwise it was replaced, dropped or evicted while it was read: nothing is wrong with it.
  if (slot != nullptr && slot->second.sequence == sequence &&
      slot->second.state == IndexEntry::State::kStored) {
    state.counters.corrupt.Add();
    state.index.SetVoid(slot);
  }
  if (disk_fails) {
    state.read_errors = true;
    state.work.NotifyAll();
  }
}

Result<std::unique_ptr<RocksdbPageStore>> RocksdbPageStore::Open(StoreDirectory directory,
                                                                 RocksdbPageStoreOptions options) {
  if (options.cache_size < kCacheSizeMin) {
    return Status(StatusCode::kInvalidArgument, fmt::format("cache_size is {} bytes, it must be {} or more",
                                                            options.cache_size, kCacheSizeMin));
  }
  std::unique_ptr<EvictionPolicy> policy = std::move(options.policy);
  if (policy == nullptr) {
    policy = std::make_unique<ReplacementEviction>(std::string(kDefaultReplacementPolicy));
  }
  auto impl = std::make_unique<Impl>(options, std::move(policy), std::move(directory));
  impl->writer.Open();
  std::unique_ptr<RocksdbPageStore> store(new RocksdbPageStore(std::move(impl)));
  Impl* const started = store->impl_.get();
  try {
    started->thread = std::thread([started] { started->writer.Run(); });
    started->probe_thread = std::thread([started] { started->probe.Run(); });
  } catch (const std::system_error& error) {
    return Status(StatusCode::kUnavailable,
                  std::string("cannot start the page store's threads: ") + error.what());
  }
  if (started->metrics != nullptr) {
    started->AddMetrics();
  }
  return store;
}

RocksdbPageStore::RocksdbPageStore(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

RocksdbPageStore::~RocksdbPageStore() {
  if (impl_->metrics != nullptr) {
    impl_->metrics->RemoveGauges(impl_.get());
  }
  {
    MutexLock lock(impl_->state.mutex);
    impl_->state.stopping = true;
    impl_->state.stop_deadline = std::chrono::steady_clock::now() + impl_->drain_time;
    impl_->state.work.NotifyAll();
    impl_->state.disk_slow.NotifyAll();
  }
  for (std::thread* thread : {&impl_->thread, &impl_->probe_thread}) {
    if (thread->joinable()) {  // it was started
      thread->join();
    }
  }
}

Result<size_t> RocksdbPageStore::Get(const RecordKey& key, StampHash stamp, size_t offset,
                                     std::span<std::byte> into) {
  size_t length = 0;
  std::unique_ptr<char[]> whole;  // if `into` has no room for the whole record
  const bool hit = impl_->Read(key, stamp, [&](size_t record_length) {
    length = record_length;
    if (offset == 0 && length <= into.size()) {
      return reinterpret_cast<char*>(into.data());
    }
    whole = std::make_unique_for_overwrite<char[]>(length);
    return whole.get();
  });
  if (!impl_->Count(hit)) {
    return Status(StatusCode::kNotFound, {});
  }
  if (whole == nullptr) {
    return length;
  }
  const size_t from = std::min(offset, length);
  const size_t bytes = std::min(into.size(), length - from);
  std::copy_n(whole.get() + from, bytes, reinterpret_cast<char*>(into.data()));
  return bytes;
}

Result<std::string> RocksdbPageStore::GetWhole(const RecordKey& key, StampHash stamp) {
  std::string whole;
  const bool hit = impl_->Read(key, stamp, [&](size_t length) {
    whole.resize(length);
    return whole.data();
  });
  if (!impl_->Count(hit)) {
    return Status(StatusCode::kNotFound, {});
  }
  return whole;
}

void RocksdbPageStore::Put(const RecordKey& key, StampHash stamp, std::shared_ptr<const std::string> bytes) {
  StoreState& state = impl_->state;
  const uint64_t length = bytes->size();
  MutexLock lock(state.mutex);
  if (!state.Takes(length)) {
    state.counters.dropped.Add();
    return;
  }
  // What is there must not stay when it is replaced: that is stored without asking.
  const bool store = !state.admission || state.index.Find(key) != nullptr;
  const auto word = store ? state.policy->Inserted(key, length) : state.policy->Offered(key, length);
  if (!word) {
    state.counters.refused.Add();
    return;
  }
  state.counters.put_bytes.Add(RecordCharge(length));
  // The record is written once itself.
  state.write_credit +=
      (state.write_amplification_max * (1 - kOwnFilesShare) - 1) * static_cast<double>(RecordCharge(length));
  IndexSlot* const slot = state.index.FindOrAdd(key);
  IndexEntry& entry = slot->second;
  if (entry.state == IndexEntry::State::kQueued) {
    entry.on_disk |= state.queue.Find(entry.sequence)->in_flight;
    state.queue.Remove(entry.sequence);
  }
  state.index.SetQueued(slot, stamp, ++state.last_sequence, static_cast<uint32_t>(length));
  entry.policy_word = *word;
  state.queue.Add({state.last_sequence, key, stamp, std::move(bytes)});
  state.work.NotifyAll();
}

void RocksdbPageStore::DropInode(InodeId inode) {
  StoreState& state = impl_->state;
  MutexLock lock(state.mutex);
  bool on_disk = false;
  for (IndexSlot* slot : state.index.OfInode(inode)) {
    const IndexEntry& entry = slot->second;
    on_disk |= entry.on_disk;
    if (entry.state == IndexEntry::State::kQueued) {
      on_disk |= state.queue.Find(entry.sequence)->in_flight;
      state.queue.Remove(entry.sequence);
    }
    state.policy->Gone(slot->first);
    state.index.Erase(slot);
  }
  state.drops_missed |= !state.index_loaded;
  if (on_disk) {
    state.queue.Add({++state.last_sequence, RecordKey{inode}, StampHash{}, nullptr});
    state.work.NotifyAll();
  }
}

bool RocksdbPageStore::Has(InodeId inode) const {
  const StoreState& state = impl_->state;
  MutexLock lock(state.mutex);
  return state.index.HasInode(inode);
}

bool RocksdbPageStore::Wants(const RecordKey& key, StampHash stamp, uint64_t bytes) const {
  StoreState& state = impl_->state;
  MutexLock lock(state.mutex);
  if (!state.Takes(bytes)) {
    return false;
  }
  const IndexSlot* const slot = state.index.Find(key);
  if (slot == nullptr) {
    return !state.admission || state.policy->WouldStore(key);
  }
  return slot->second.state == IndexEntry::State::kVoid || slot->second.stamp != stamp;
}

void RocksdbPageStore::Flush() {
  StoreState& state = impl_->state;
  MutexLock lock(state.mutex);
  const Sequence wanted = ++state.last_sequence;  // a number of its own, so that every call does something
  state.flush_wanted = wanted;
  state.work.NotifyAll();
  while (state.flush_done < wanted) {
    state.flushed.Wait(state.mutex);
  }
}

PageStoreStats RocksdbPageStore::Stats() const { return impl_->Stats(); }

}  // namespace ocfsgw::cache
