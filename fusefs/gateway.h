#pragma once

#include <sys/types.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/executor.h"
#include "base/metrics.h"
#include "cache/page_store.h"
#include "coherence/coherence_metrics.h"
#include "coherence/coherent_fs.h"
#include "coherence/lease_table.h"
#include "coherence/request_recorder.h"
#include "ctl/control_server.h"
#include "ctl/mount_registry.h"
#include "fusefs/grant_table.h"
#include "fusefs/inode_table.h"
#include "fusefs/kernel_notifier.h"
#include "fusefs/lease_choice.h"
#include "fusefs/lock_waiters.h"
#include "fusefs/metrics_exporter.h"
#include "fusefs/mount_options.h"
#include "fusefs/pulse.h"
#include "fusefs/session.h"
#include "fusefs/shared_state.h"
#include "ocfs2-backend/byte_range_locks.h"
#include "ocfs2-backend/metered_backend.h"
#include "ocfs2-backend/source_mount.h"

namespace ocfsgw::fusefs {

/// The composition root: makes one of everything, wires it, takes it down in the opposite order. Used by one
/// thread.
class Gateway {
 public:
  /// `shared`: with the guardian, null if there is none; outlives the gateway.
  Gateway(MountOptions options, SharedState* shared);
  ~Gateway();

  /// Opens the source and chooses the leases. Failure: exit status 2.
  Status OpenSource();
  /// Opens the page store; a cache that cannot be used is done without, with a warning. Failure: exit
  /// status 1.
  Status OpenStore();
  /// Mounts, the fast trees too, and begins to serve. Failure: exit status 3.
  Status Mount();
  /// Starts the metrics endpoint if one is asked for. Failure: exit status 1.
  Status StartMetrics();
  /// Starts the control socket. Without it the mount works; a warning says so.
  void StartControl();
  /// From now on the guardian, if there is one, kills this process when it hangs, and starts another when it
  /// dies.
  void StartPulse();
  /// Serves until unmounted or told to stop, or the guardian dies. Failure: exit status 4.
  Status Serve();

 private:
  std::map<std::string, ctl::ControlServer::Handler> Handlers();
  std::map<std::string, ctl::ControlServer::StreamHandler> Streams();
  nlohmann::json StatusReport() const;

  /// A connection to the kernel: number 0 is that of the mount, the others are those of its fast trees.
  struct Connection {
    InodeTable inodes;
    NameTable names;
    KernelListings listings{};
    std::unique_ptr<MountContext> context{};
    std::unique_ptr<Session> session{};
  };
  /// The directories of the source that the connections show, one for each.
  Result<std::vector<coherence::InodePtr>> Roots();
  void MakeLeaseTable();
  /// Mounts one more, and begins to serve it.
  Status Connect(const coherence::InodePtr& root, const std::string& tree, bool fast, bool over_dead);
  bool PassesThrough() const;
  /// Again and again, on the timers' thread: looks for workers that block while nobody else waits for
  /// requests.
  void WatchReaders();
  /// Waits for the end of all connections, or tells them to stop on SIGTERM or SIGINT.
  Status WaitForEnd();
  void StopSessions(int signals);
  void TakeBackFromKernel();

  MountOptions options_;
  SharedState* const shared_;
  const RealClock clock_;
  const TimePoint started_ = clock_.Now();
  MetricsRegistry metrics_;
  coherence::CoherenceMetrics coherence_metrics_{metrics_};
  coherence::RequestRecorder recorder_{clock_};

  std::shared_ptr<const ocfs2::SourceMount> source_;
  std::unique_ptr<ocfs2::MeteredBackend> backend_;
  LeaseChoice leases_;
  std::unique_ptr<cache::PageStore> store_;
  std::string slot_;  ///< The directory of the page store and the control socket; empty: none could be had.

  AsioExecutor acquirers_;
  AsioExecutor timers_;
  AsioExecutor settlers_;
  AsioExecutor releases_;
  AsioExecutor walks_;
  AsioExecutor ahead_;
  LockWaiters lock_waiters_{timers_};
  std::unique_ptr<ocfs2::ByteRangeLocks> ranges_;
  KernelNotifier notifier_;
  std::unique_ptr<coherence::LeaseTable> table_;
  std::unique_ptr<coherence::CoherentFs> fs_;
  std::unique_ptr<GrantTable> grants_;
  std::vector<std::unique_ptr<Connection>> connections_;  ///< Complete when the gauges of metrics_ use it.
  std::unique_ptr<ctl::ControlServer> control_;
  std::unique_ptr<ctl::MountRegistration> registration_;
  std::unique_ptr<MetricsExporter> exporter_;
  std::unique_ptr<Pulse> pulse_;
};

}  // namespace ocfsgw::fusefs
