#include "fusefs/metrics_exporter.h"

#include <fmt/format.h>
#include <prometheus/collectable.h>
#include <prometheus/exposer.h>
#include <prometheus/metric_family.h>

#include <unordered_map>

namespace ocfsgw::fusefs {
namespace {

class RegistryCollectable final : public prometheus::Collectable {
 public:
  explicit RegistryCollectable(const MetricsRegistry& registry) : registry_(registry) {}

  std::vector<prometheus::MetricFamily> Collect() const override {
    std::vector<prometheus::MetricFamily> families;
    std::unordered_map<std::string, size_t> index_by_name;
    for (const MetricSample& sample : registry_.Snapshot()) {
      const auto [it, is_new] = index_by_name.emplace(sample.name, families.size());
      if (is_new) {
        families.push_back({sample.name,
                            sample.help,
                            sample.kind == MetricKind::kCounter ? prometheus::MetricType::Counter
                                                                : prometheus::MetricType::Gauge,
                            {}});
      }
      prometheus::ClientMetric metric;
      for (const auto& [name, value] : sample.labels) {
        metric.label.push_back({name, value});
      }
      (sample.kind == MetricKind::kCounter ? metric.counter.value : metric.gauge.value) = sample.value;
      families[it->second].metric.push_back(std::move(metric));
    }
    return families;
  }

 private:
  const MetricsRegistry& registry_;
};

}  // namespace

struct MetricsExporter::Impl {
  Impl(const std::string& address, const MetricsRegistry& registry)
      : collectable(std::make_shared<RegistryCollectable>(registry)),
        exposer({"listening_ports", address, "num_threads", "2", "request_timeout_ms", "10000"}) {
    exposer.RegisterCollectable(collectable);
  }

  const std::shared_ptr<prometheus::Collectable> collectable;
  prometheus::Exposer exposer;  // destroyed first: joins its threads
};

MetricsExporter::MetricsExporter(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
MetricsExporter::~MetricsExporter() = default;

Result<std::unique_ptr<MetricsExporter>> MetricsExporter::Start(const std::string& address,
                                                                const MetricsRegistry& registry) {
  try {
    return std::unique_ptr<MetricsExporter>(new MetricsExporter(std::make_unique<Impl>(address, registry)));
  } catch (const std::exception&) {  // its text does not say why
    return Status(
        StatusCode::kInvalidArgument,
        fmt::format(
            "metrics={}: cannot listen there: the address is not one of this machine, the port is taken"
            "{}",
            address, address.starts_with('[') ? ", or the HTTP library lacks IPv6" : ""));
  }
}

}  // namespace ocfsgw::fusefs
