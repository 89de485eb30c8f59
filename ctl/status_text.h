#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/metrics.h"

/// How metrics travel in the control protocol, and how ocfsgwctl shows what it gets.
namespace ocfsgw::ctl {

/// {"name{label=\"value\"}": number, ...}; the "metrics" of a status, and the result of "stats".
nlohmann::json MetricsJson(const std::vector<MetricSample>& samples);

/// The result of "status" for people. Members that are missing or of another type show as 0 or "?".
std::string FormatStatus(const nlohmann::json& status);
/// The result of "stats": one metric per line, "name value".
std::string FormatMetrics(const nlohmann::json& metrics);

}  // namespace ocfsgw::ctl
