#pragma once

#include "cache/memory_page_store.h"
#include "tests/sim/sim_kernel.h"
#include "tests/sim/sim_volume.h"

namespace ocfsgw::sim {

struct SimMachineOptions {
  bool value_block = true;
  uint32_t refuse_every = 0;
  size_t max_leases = 100;
  coherence::HoldOff::Limits hold_off{{}, {}, std::chrono::milliseconds(2)};
  Duration max_staleness{};
  Duration recall_deadline = std::chrono::seconds(2);
  bool can_expire = true;
  const Clock* clock = nullptr;  ///< Null: real time.
};

/// One node with a gateway: everything above the volume and below the application. Destroying it is a clean
/// stop; the store is the caller's, as a disk is.
struct SimMachine {
  SimMachine(SimVolume& volume, cache::PageStore& store, const SimMachineOptions& options = {})
      : backend(volume),
        provider(volume),
        acquirers({.name = "acquire", .threads = 4}),
        timers({.name = "timers", .threads = 1}),
        kernel(options.can_expire),
        metrics(registry),
        leases(Config(options), backend, &provider, store, kernel, acquirers, timers,
               options.clock != nullptr ? *options.clock : clock, metrics),
        fs(backend, leases, store, metrics) {
    provider.value_block = options.value_block;
    provider.refuse_every = options.refuse_every;
    provider.Start(&leases);
  }
  ~SimMachine() {
    kernel.Stop();
    provider.Stop();
    acquirers.Stop();
    timers.Stop();
  }
  static coherence::LeaseConfig Config(const SimMachineOptions& options) {
    coherence::LeaseConfig config;
    config.max_leases = options.max_leases;
    config.recall_deadline = options.recall_deadline;
    config.hold_off = options.hold_off;
    config.max_staleness = options.max_staleness;
    return config;
  }

  RealClock clock;
  SimBackend backend;
  SimLeaseProvider provider;
  AsioExecutor acquirers;
  AsioExecutor timers;
  SimKernel kernel;
  MetricsRegistry registry;
  coherence::CoherenceMetrics metrics;
  coherence::LeaseTable leases;
  coherence::CoherentFs fs;
};

}  // namespace ocfsgw::sim
