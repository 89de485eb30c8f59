#include "fusefs/gateway.h"

#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>

#include "base/log.h"
#include "cache/memory_page_store.h"
#include "cache/rocksdb_page_store.h"
#include "cache/store_slots.h"
#include "ctl/status_text.h"
#include "fusefs/dead_mount.h"
#include "fusefs/option_values.h"
#include "fusefs/request_stream.h"
#include "fusefs/seal_stream.h"
#include "fusefs/stop_budget.h"
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
/// Lookups and reads of what a walk will come to: each waits for the lock manager once or twice, and they
/// leave half of its threads to others.
constexpr size_t kAheadThreads = kAcquireThreads / 2;
constexpr size_t kAheadQueueMax = 4 * coherence::Directory::kAheadMax;
/// Longest hold-off, as a multiple of the shortest: with the default 30 s, what nfsd waits before it
/// delegates again.
constexpr int kHoldOffGrowth = 60;
/// Descriptors for everything but leases: open files, RocksDB, sockets, threads' clones of /dev/fuse.
constexpr rlim_t kDescriptorReserve = 2048;

constexpr std::chrono::milliseconds kReaderWatch(100);

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
      walks_({.name = "walks", .threads = kSettleThreads, .queue_max = kSettleQueueMax}),
      ahead_({.name = "ahead", .threads = kAheadThreads, .queue_max = kAheadQueueMax}) {
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

void Gateway::MakeLeaseTable() {
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
}

Result<std::vector<coherence::InodePtr>> Gateway::Roots() {
  OCFSGW_ASSIGN_OR_RETURN(const coherence::Entry root, fs_->Root());
  std::vector<coherence::InodePtr> roots = {root.inode};
  for (const std::string& tree : options_.fast) {
    coherence::Entry at = root;
    for (const auto& name : std::filesystem::path(tree)) {
      auto next = fs_->Lookup(at.inode, name);
      if (!next.ok() || !S_ISDIR(next->attr.mode)) {
        return Status(StatusCode::kInvalidArgument,
                      fmt::format("fast=/{}: {} in {} {}", tree, name.string(), options_.source,
                                  next.ok() ? "is not a directory; symbolic links are not followed"
                                            : "cannot be used: " + next.status().ToString()));
      }
      at = *std::move(next);
    }
    if (!tree.empty()) roots.push_back(at.inode);
  }
  return roots;
}

Status Gateway::Mount() {
  MakeLeaseTable();
  fs_ = std::make_unique<coherence::CoherentFs>(*backend_, *table_, *store_, coherence_metrics_, &recorder_,
                                                &ahead_);
  OCFSGW_ASSIGN_OR_RETURN(const auto roots, Roots());
  bool over_dead = false;
  if (shared_ != nullptr) {
    grants_ = std::make_unique<GrantTable>(shared_->grants);
    // Where others follow it, it is covered: what takes its place would not reach them.
    over_dead = shared_->dead_mount != 0 && MountId(options_.mountpoint) == shared_->dead_mount &&
                IsShared(options_.mountpoint);
    if (!over_dead) UnmountDead(options_.mountpoint, shared_->dead_mount);
  }
  const bool all_fast = !options_.fast.empty() && options_.fast.front().empty();
  OCFSGW_RETURN_IF_ERROR(Connect(roots[0], "", all_fast, over_dead));
  for (size_t i = 1; i < roots.size(); ++i) {
    OCFSGW_RETURN_IF_ERROR(Connect(roots[i], "/" + options_.fast[i - 1], true, false));
  }
  metrics_.AddGauge(this, "ocfsgw_leases_held", "Leases held now.",
                    [this] { return double(table_->held()); });
  metrics_.AddGauge(this, "ocfsgw_sealed_leases_held",
                    "Files and directories leased now by the leases of their sealed trees.",
                    [this] { return double(table_->held_in_trees()); });
  const auto sum = [this](const auto& size_of) {
    double total = 0;
    for (const auto& connection : connections_) total += double(size_of(*connection));
    return total;
  };
  metrics_.AddGauge(this, "ocfsgw_inodes_known", "Inodes the kernel knows now.",
                    [sum] { return sum([](const Connection& c) { return c.inodes.size(); }); });
  metrics_.AddGauge(this, "ocfsgw_names_known", "Names the kernel may know now.",
                    [sum] { return sum([](const Connection& c) { return c.names.size(); }); });
  return Status::Ok();
}

Status Gateway::Connect(const coherence::InodePtr& root, const std::string& tree, bool fast, bool over_dead) {
  const size_t number = connections_.size();
  connections_.emplace_back(new Connection{InodeTable(root, grants_.get(), static_cast<uint32_t>(number)),
                                           NameTable(options_.trust_names)});
  Connection& connection = *connections_.back();
  connection.context.reset(new MountContext{*fs_, connection.inodes, connection.names, connection.listings,
                                            settlers_, walks_, releases_, notifier_, lock_waiters_,
                                            ranges_.get(), backend_->HasAcls(), options_.read_ahead_bytes,
                                            fast, options_.local_flock, !fast && PassesThrough()});
  auto options = options_.libfuse_options;
  for (auto& option : options) {
    if (option == EscapeOption("fsname=" + options_.source)) option += EscapeOption(tree);
  }
  OCFSGW_ASSIGN_OR_RETURN(connection.session, Session::Mount(options_.mountpoint + tree, options,
                                                             connection.context.get(), over_dead));
  const Session& session = *connection.session;
  notifier_.Attach(session.get(), &connection.inodes, &connection.names, &connection.listings);
  if (shared_ != nullptr) {
    if (number == 0) shared_->mount_id.store(session.mount_id());
    shared_->devices[number].store(session.device());
    shared_->session_fds[number].store(fuse_session_fd(session.get()));
  }
  return connection.session->Start();
}

bool Gateway::PassesThrough() const {
  return options_.passing == Passing::kOn ||
         (options_.passing == Passing::kAuto && leases_.mode == LeaseMode::kLocal);
}

void Gateway::WatchReaders() {
  for (const auto& connection : connections_) {
    if (connection->context->readers.CallIfStuck()) {
      log::Debug("{}: a request that is answered from memory takes long; another thread receives the next",
                 options_.mountpoint);
    }
  }
  timers_.PostAfter(kReaderWatch, [this] { WatchReaders(); });
}

void Gateway::StartPulse() {
  if (shared_ != nullptr) pulse_ = std::make_unique<Pulse>(leases_.provider.get(), timers_, *shared_);
}

Status Gateway::Serve() {
  WatchReaders();
  const Status status = WaitForEnd();
  if (shared_ == nullptr) {
    for (const auto& connection : connections_) connection->session->Cut();
    return status;
  }
  TakeBackFromKernel();
  if (getppid() != shared_->guardian) return {StatusCode::kUnavailable, "the guardian died"};
  return status;
}

Status Gateway::WaitForEnd() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  const int signals = signalfd(-1, &set, SFD_CLOEXEC);
  if (signals < 0) return Status::LastErrno("signalfd");
  std::vector<pollfd> ends = {{signals, POLLIN, 0}};
  for (const auto& connection : connections_) ends.push_back({connection->session->ended_fd(), POLLIN, 0});
  bool told_to_stop = false;
  for (size_t ended = 0; ended < connections_.size() && !told_to_stop;) {
    if (poll(ends.data(), ends.size(), -1) < 0) continue;
    told_to_stop = ends[0].revents != 0;
    for (size_t i = 1; i < ends.size(); ++i) {
      if (ends[i].revents == 0) continue;
      ends[i].fd = -1;
      if (++ended < connections_.size()) {
        log::Info("{} is not mounted any more", connections_[i - 1]->session->mountpoint());
      }
    }
  }
  if (told_to_stop) StopSessions(signals);
  close(signals);
  Status status;
  for (const auto& connection : connections_) {
    if (Status end = connection->session->Wait(); status.ok()) status = std::move(end);
  }
  return status;
}

/// Those mounted in another first. A second signal ends the waiting for who uses the mount.
void Gateway::StopSessions(int signals) {
  const StopBudget budget{options_.grace.value_or(std::chrono::seconds(0))};
  const auto deadline = std::chrono::steady_clock::now() + budget.WaitMax();
  signalfd_siginfo first{};
  static_cast<void>(!read(signals, &first, sizeof first));
  for (auto it = connections_.rbegin(); it != connections_.rend(); ++it) {
    if (budget.grace.count() > 0) (*it)->session->AwaitUnused(deadline, signals);
    (*it)->session->Stop();
  }
}

/// What is still in use keeps its connection until here, since then leases go.
void Gateway::TakeBackFromKernel() {
  std::array<int, kConnectionsMax> session_fds{};
  session_fds.fill(-1);
  for (size_t i = 0; i < connections_.size(); ++i) {
    session_fds[i] = fuse_session_fd(connections_[i]->session->get());
  }
  TakeBack take_back(session_fds, shared_->grants);
  settlers_.Stop();
  walks_.Stop();  // no answer comes after the invalidation
  take_back.Start();
  if (!take_back.Wait(options_.recall_deadline / 2)) {
    log::Error("the kernel has not given everything back in time: {} may show old data where it is in use",
               options_.mountpoint);
  }
  for (const auto& connection : connections_) connection->session->Cut();
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
  ahead_.Stop();
  lock_waiters_.Stop();
  if (ranges_) ranges_->Stop();
  notifier_.Detach();
  if (shared_ != nullptr) {
    for (auto& fd : shared_->session_fds) fd.store(-1);
  }
  std::for_each(connections_.rbegin(), connections_.rend(), [](auto& c) { c->session.reset(); });
  if (leases_.provider && table_) leases_.provider->Stop();
  pulse_.reset();
  acquirers_.Stop();
  timers_.Stop();
  ranges_.reset();
  releases_.Stop();
  connections_.clear();
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
  const auto seal = [this](SealStream::Direction direction) {
    return [this,
            direction](const nlohmann::json& request) -> Result<std::unique_ptr<ctl::ControlServer::Stream>> {
      if (leases_.provider == nullptr || !leases_.provider->LeasesTrees())
        return Status(StatusCode::kInvalidArgument, "sealed trees need lease=o2dlm");
      return SealStream::Start(*fs_, request.at("path"), direction);
    };
  };
  streams["seal"] = seal(SealStream::Direction::kSeal);
  streams["unseal"] = seal(SealStream::Direction::kUnseal);
  return streams;
}

nlohmann::json Gateway::StatusReport() const {
  const cache::PageStoreStats store = store_->Stats();
  std::vector<std::string> fast;
  for (const std::string& tree : options_.fast) fast.push_back("/" + tree);
  return {
      {"version", OCFSGW_VERSION},
      {"source", options_.source},
      {"mountpoint", options_.mountpoint},
      {"fast", fast},
      {"passthrough", !connections_.empty() && connections_.front()->context->passthrough.active()},
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
        {"degraded", store.degraded},
        {"slow", store.slow}}},
      {"metrics", ctl::MetricsJson(metrics_.Snapshot())},
  };
}

}  // namespace ocfsgw::fusefs
