#include "base/metrics.h"

#include <algorithm>

namespace ocfsgw {

Counter& MetricsRegistry::AddCounter(std::string name, std::string help, MetricLabels labels) {
  MutexLock lock(mutex_);
  auto& entry = counters_.emplace_back();
  entry.name = std::move(name);
  entry.help = std::move(help);
  entry.labels = std::move(labels);
  return entry.counter;
}

void MetricsRegistry::AddGauge(const void* owner, std::string name, std::string help,
                               std::function<double()> read, MetricLabels labels) {
  MutexLock lock(gauge_mutex_);
  gauges_.push_back({owner, std::move(name), std::move(help), std::move(labels), std::move(read)});
}

void MetricsRegistry::RemoveGauges(const void* owner) {
  MutexLock lock(gauge_mutex_);
  std::erase_if(gauges_, [owner](const GaugeEntry& gauge) { return gauge.owner == owner; });
}

std::vector<MetricSample> MetricsRegistry::Snapshot() const {
  std::vector<MetricSample> samples;
  {
    MutexLock lock(mutex_);
    for (const auto& entry : counters_) {
      samples.push_back({entry.name, entry.help, MetricKind::kCounter, entry.labels,
                         static_cast<double>(entry.counter.value())});
    }
  }
  MutexLock lock(gauge_mutex_);
  for (const auto& gauge : gauges_) {
    samples.push_back({gauge.name, gauge.help, MetricKind::kGauge, gauge.labels, gauge.read()});
  }
  return samples;
}

}  // namespace ocfsgw
