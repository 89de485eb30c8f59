#include "fusefs/gateway.h"

#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>

#include "base/log.h"
#include "cache/memory_page_store.h"
#include "cache/rocksdb_page_store.h"
#include "cache/store_slots.h"
#include "ctl/status_text.h"
#include "fusefs/request_stream.h"
#include "fusefs/take_back.h"
#include "ocfs2-backend/o2dlm_table_domain.h"
#include "ocfs2-backend/posix_backend.h"

namespace ocfsgw::fusefs {
namespace {

/// Acquisitions that may wait for the lock manager at once: 32 parallel ones are where a cold walk stops
/// gaining.
constexpr size_t kAcquireThreads = 32;
constexpr size_t kAcquireQueueMax = 65536;
/// GETATTRs that wait for the kernel to give pages back; each waits for half the recall deadline at most.
constexpr size_t kSettleThreads = 16;
constexpr size_t kSettleQueueMax = 65536;
/// Holds of removed inodes being dropped; each may free the inode's space.
constexpr size_t kReleaseThreads = 2;
/// Longest hold-off, as a multiple of the shortest: with the default 30 s, what nfsd waits before it
/// delegates again.
constexpr int kHoldOffGrowth = 60;
/// Descriptors for everything but leases: open files, RocksDB, sockets, threads' clones of /dev/fuse.
constexpr rlim_t kDescriptorReserve = 2048;

/// What the page store's index and eviction policy take for a block of a large file, at most: docs/CACHE.md.
constexpr uint64_t kIndexBytesPerBlock = 165;

/// How many leases the limit of open files leaves room for. A lease costs a descriptor, an open file up to
/// two.
size_t LeasesByDescriptors() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return 1024;
  if (limit.rlim_cur <= kDescriptorReserve * 2) return std::max<rlim_t>(limit.rlim_cur / 4, 16);
  return (limit.rlim_cur - kDescriptorReserve) / 2;
}

}  // namespace

Gateway::Gateway(MountOptions options, SharedState* shared)
    : options_(std::move(options)),
      shared_(shared),
      acquirers_({.name = "acquire", .threads = kAcquireThreads, .queue_max = kAcquireQueueMax}),
      timers_({.name = "timers", .threads = 1}),
      settlers_({.name = "settle", .threads = kSettleThreads, .queue_max = kSettleQueueMax}),
      releases_({.name = "release", .threads = kReleaseThreads, .queue_max = InodeTable::kHoldsMax}),
      walks_({.name = "walks", .threads = kSettleThreads, .queue_max = kSettleQueueMax}) {
  metrics_
      .AddCounter("ocfsgw_restarts_total",
                  "How often the gateway of this mount has died and was started again.")
      .Add(shared_ == nullptr ? 0 : shared_->restarts);
}

Status Gateway::OpenSource() {
  OCFSGW_ASSIGN_OR_RETURN(source_, ocfs2::SourceMount::Open(options_.source));
  OCFSGW_ASSIGN_OR_RETURN(auto posix, ocfs2::PosixBackend::Open(source_));
  OCFSGW_ASSIGN_OR_RETURN(leases_, ChooseLeases(options_, *source_, *posix));
  backend_ = std::make_unique<ocfs2::MeteredBackend>(std::move(posix), metrics_);
  if (!options_.fcntl_cluster) return Status::Ok();
  if (leases_.mode != LeaseMode::kO2dlm) {
    return {
        StatusCode::kUnavailable,
        "fcntl=cluster needs OCFS2 and its lock manager: lease=o2dlm says what is missing; or leave it out"};
  }
  OCFSGW_ASSIGN_OR_RETURN(auto tables, ocfs2::O2dlmTableDomain::Open(*source_));
  ranges_ = std::make_unique<ocfs2::ByteRangeLocks>(std::move(tables), timers_, clock_);
  return Status::Ok();
}

Status Gateway::OpenStore() {
  auto slot = cache::TakeSlot(options_.cache_dir, source_->volume(),
                              shared_ == nullptr ? -1 : shared_->preferred_slot);
  if (!slot.ok()) {
    if (!slot.status().Is(StatusCode::kSystem)) return slot.status();
    log::Warning("the cache at {} cannot be used ({}); going on without it", options_.cache_dir,
                 slot.status().ToString());
    store_ = std::make_unique<cache::MemoryPageStore>(0);
    return Status::Ok();
  }
  slot_ = slot->directory.path();
  if (shared_ != nullptr) shared_->slot.store(slot->number);
  cache::RocksdbPageStoreOptions store;
  store.volume = source_->volume();
  store.cache_size = options_.cache_bytes;
  cache::ShareMemory(options_.memory_bytes, &store);
  store.admission = options_.admission;
  const uint64_t index_bytes = store.cache_size / cache::kBlockBytes * kIndexBytesPerBlock;
  if (index_bytes > store.index_bytes_max) {
    log::Warning(
        "memory= leaves {} MiB to the page store's index, and cache_size= full of whole blocks needs {} MiB: "
        "it will not become full",
        store.index_bytes_max >> 20, index_bytes >> 20);
  }
  store.metrics = &metrics_;
  OCFSGW_ASSIGN_OR_RETURN(store_,
                          cache::RocksdbPageStore::Open(std::move(slot->directory), std::move(store)));
  metrics_.AddGauge(this, "ocfsgw_page_store_info", "1, the slot of the cache directory being the label.",
                    [] { return 1.0; }, {{"directory", slot_}});
  return Status::Ok();
}

Status Gateway::Mount() {
  coherence::LeaseConfig config;
  config.max_leases = options_.max_leases;
  if (const size_t possible = LeasesByDescriptors(); leases_.provider && possible < config.max_leases) {
    log::Warning("max_leases={} is more than the limit of open files allows; using {}", config.max_leases,
                 possible);
    config.max_leases = possible;
  }
  config.recall_deadline = options_.recall_deadline;
  config.max_staleness = options_.max_staleness;
  config.lease_idle = options_.lease_idle;
  config.second_access = options_.second_access;
  config.hold_off = {options_.hold_off, kHoldOffGrowth * options_.hold_off, options_.hold_off};
  table_ =
      std::make_unique<coherence::LeaseTable>(config, *backend_, leases_.provider.get(), *store_, notifier_,
                                              acquirers_, timers_, clock_, coherence_metrics_);
  if (leases_.provider) leases_.provider->Start(table_.get());
  table_->StartIdleSweep();
  fs_ = std::make_unique<coherence::CoherentFs>(*backend_, *table_, *store_, coherence_metrics_, &recorder_);
  OCFSGW_ASSIGN_OR_RETURN(const coherence::Entry root, fs_->Root());
  if (shared_ != nullptr) grants_ = std::make_unique<GrantTable>(shared_->grants);
  inodes_ = std::make_unique<InodeTable>(root.inode, grants_.get());
  names_ = std::make_unique<NameTable>(options_.trust_names);
  context_.reset(new MountContext{*fs_, *inodes_, *names_, settlers_, walks_, releases_, notifier_,
                                  lock_waiters_, ranges_.get(), backend_->HasAcls(),
                                  options_.read_ahead_bytes});
  metrics_.AddGauge(this, "ocfsgw_leases_held", "Leases held now.",
                    [this] { return double(table_->held()); });
  metrics_.AddGauge(this, "ocfsgw_inodes_known", "Inodes the kernel knows now.",
                    [this] { return double(inodes_->size()); });
  metrics_.AddGauge(this, "ocfsgw_names_known", "Names the kernel may know now.",
                    [this] { return double(names_->size()); });
  if (shared_ != nullptr) UnmountDead(options_.mountpoint, shared_->dead_mount);
  OCFSGW_ASSIGN_OR_RETURN(session_,
                          Session::Mount(options_.mountpoint, options_.libfuse_options, context_.get()));
  notifier_.Attach(session_->get(), inodes_.get(), names_.get());
  if (shared_ != nullptr) {
    shared_->mount_id.store(session_->mount_id());
    shared_->session_fd.store(fuse_session_fd(session_->get()));
  }
  return Status::Ok();
}

void Gateway::StartPulse() {
  if (shared_ != nullptr) pulse_ = std::make_unique<Pulse>(leases_.provider.get(), timers_, *shared_);
}

Status Gateway::Serve() {
  const Status status = session_->Serve();
  if (shared_ == nullptr) {
    session_->Cut();
    return status;
  }
  TakeBackFromKernel();
  if (getppid() != shared_->guardian) return {StatusCode::kUnavailable, "the guardian died"};
  return status;
}

/// What is still in use keeps its connection until here, since then leases go.
void Gateway::TakeBackFromKernel() {
  TakeBack take_back(fuse_session_fd(session_->get()), shared_->grants);
  settlers_.Stop();
  walks_.Stop();  // no answer comes after the invalidation
  take_back.Start();
  if (!take_back.Wait(options_.recall_deadline / 2)) {
    log::Error("the kernel has not given everything back in time: {} may show old data where it is in use",
               options_.mountpoint);
  }
  session_->Cut();
}

Status Gateway::StartMetrics() {
  if (options_.metrics_address.empty()) return Status::Ok();
  OCFSGW_ASSIGN_OR_RETURN(exporter_, MetricsExporter::Start(options_.metrics_address, metrics_));
  return Status::Ok();
}

void Gateway::StartControl() {
  ctl::ControlServerOptions control;
  if (slot_.empty()) {
    log::Warning("no control socket without a cache directory, ocfsgwctl will not reach this mount");
    return;
  }
  control.socket_path = slot_ + "/control.sock";
  auto server = ctl::ControlServer::Start(control, Handlers(), Streams());
  if (!server.ok()) {
    log::Warning("no control socket, ocfsgwctl will not reach this mount: {}", server.status().ToString());
    return;
  }
  control_ = std::move(*server);
  registration_ = std::make_unique<ctl::MountRegistration>(
      ctl::MountEntry{options_.mountpoint, control.socket_path, options_.source, getpid()});
}

Gateway::~Gateway() {
  registration_.reset();
  if (control_) control_->Stop();
  exporter_.reset();
  metrics_.RemoveGauges(this);
  // Serve has returned: the connection is dead, and the kernel's pages with it. Then the leases; then
  // whatever still works for them.
  settlers_.Stop();
  walks_.Stop();
  lock_waiters_.Stop();
  if (ranges_) ranges_->Stop();
  notifier_.Detach();
  if (shared_ != nullptr) shared_->session_fd.store(-1);
  session_.reset();
  if (leases_.provider && table_) leases_.provider->Stop();
  pulse_.reset();
  acquirers_.Stop();
  timers_.Stop();
  ranges_.reset();
  releases_.Stop();
  context_.reset();
  names_.reset();
  inodes_.reset();
  fs_.reset();
  table_.reset();
  store_.reset();
}

std::map<std::string, ctl::ControlServer::Handler> Gateway::Handlers() {
  std::map<std::string, ctl::ControlServer::Handler> handlers;
  handlers["status"] = [this](const nlohmann::json&) -> Result<nlohmann::json> { return StatusReport(); };
  handlers["stats"] = [this](const nlohmann::json&) -> Result<nlohmann::json> {
    return ctl::MetricsJson(metrics_.Snapshot());
  };
  handlers["barrier"] = [this](const nlohmann::json&) -> Result<nlohmann::json> {
    OCFSGW_RETURN_IF_ERROR(table_->Barrier());
    return nlohmann::json::object();
  };
  return handlers;
}

std::map<std::string, ctl::ControlServer::StreamHandler> Gateway::Streams() {
  std::map<std::string, ctl::ControlServer::StreamHandler> streams;
  streams["record"] = [this](const nlohmann::json&) { return RequestStream::Start(recorder_); };
  return streams;
}

nlohmann::json Gateway::StatusReport() const {
  const cache::PageStoreStats store = store_->Stats();
  return {
      {"version", OCFSGW_VERSION},
      {"source", options_.source},
      {"mountpoint", options_.mountpoint},
      {"volume", fmt::format("{:016x}", source_->volume().value)},
      {"lease_provider", LeaseModeName(leases_.mode)},
      {"coherence", CoherenceOf(leases_.mode)},
      {"uptime_s", std::chrono::duration<double>(clock_.Now() - started_).count()},
      {"pid", getpid()},
      {"guardian", shared_ == nullptr ? 0 : shared_->guardian},
      {"restarts", shared_ == nullptr ? 0 : shared_->restarts},
      {"cache_dir", options_.cache_dir},
      {"cache_slot", slot_},
      {"store",
       {{"records", store.records},
        {"bytes", store.bytes},
        {"disk_bytes", store.disk_bytes},
        {"quota_bytes", store.quota_bytes},
        {"evicted_records", store.evicted_records},
        {"dropped_puts", store.dropped_puts},
        {"corrupt_records", store.corrupt_records},
        {"degraded", store.degraded}}},
      {"metrics", ctl::MetricsJson(metrics_.Snapshot())},
  };
}

}  // namespace ocfsgw::fusefs
