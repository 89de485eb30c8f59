#pragma once

#include <memory>
#include <string>

#include "base/metrics.h"
#include "base/status.h"

namespace ocfsgw::fusefs {

/// Serves a MetricsRegistry as Prometheus text at http://ADDR:PORT/metrics, on two threads of its own, from
/// Start until it is destroyed, which takes up to 2 s. They inherit the caller's signal mask.
class MetricsExporter {
 public:
  /// `address` as in metrics=: ADDR:PORT. `registry` outlives the exporter. kInvalidArgument: cannot listen
  /// there.
  static Result<std::unique_ptr<MetricsExporter>> Start(const std::string& address,
                                                        const MetricsRegistry& registry);
  ~MetricsExporter();

 private:
  struct Impl;
  explicit MetricsExporter(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace ocfsgw::fusefs
