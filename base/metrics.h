#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "base/mutex.h"

namespace ocfsgw {

/// Monotonic count. Relaxed atomics: a snapshot is not a consistent cut over several counters.
class Counter {
 public:
  void Add(uint64_t n = 1) { value_.fetch_add(n, std::memory_order_relaxed); }
  uint64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<uint64_t> value_{0};
};

enum class MetricKind { kCounter, kGauge };
using MetricLabels = std::vector<std::pair<std::string, std::string>>;

struct MetricSample {
  std::string name;
  std::string help;
  MetricKind kind;
  MetricLabels labels;
  double value;
};

/// All metrics of one gateway; names follow Prometheus' conventions (ocfsgw_..., unit last, _total for
/// counters). Thread-safe. Counters live as long as the registry; their addresses are stable.
class MetricsRegistry {
 public:
  /// A new counter. REQUIRES: (name, labels) not registered before.
  Counter& AddCounter(std::string name, std::string help, MetricLabels labels = {});
  /// `read` is called by every Snapshot, from any thread, under a leaf lock of the registry: it may take no
  /// lock that is held while the registry is called, must not block, and must stay callable until
  /// RemoveGauges(owner).
  void AddGauge(const void* owner, std::string name, std::string help, std::function<double()> read,
                MetricLabels labels = {});
  /// Forgets the gauges that `owner` added; none of their functions runs after it has returned.
  void RemoveGauges(const void* owner);
  /// Every metric with its present value, in order of registration, counters first.
  std::vector<MetricSample> Snapshot() const;

 private:
  struct CounterEntry {
    std::string name, help;
    MetricLabels labels;
    Counter counter;
  };
  struct GaugeEntry {
    const void* owner;
    std::string name, help;
    MetricLabels labels;
    std::function<double()> read;
  };
  mutable Mutex mutex_;
  std::deque<CounterEntry> counters_ GUARDED_BY(mutex_);
  mutable Mutex gauge_mutex_;  // held while gauges are read, so that RemoveGauges can promise what it does
  std::vector<GaugeEntry> gauges_ GUARDED_BY(gauge_mutex_);
};

}  // namespace ocfsgw
