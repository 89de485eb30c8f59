#include "bench/miss_ratio_chart.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "bench/svg.h"

namespace ocfsgw::bench {
namespace {

constexpr size_t kColumns = 2;
constexpr double kPanelWidth = 440, kPanelHeight = 280;
constexpr double kLeft = 48, kRight = 12, kTop = 28, kBottom = 36;  // of a panel, around its plot
constexpr double kLegendHeight = 40, kLegendWidth = 95;

/// In the order in which they appear first; the optimum last.
std::vector<std::string> Policies(const ReplayResults& results) {
  std::vector<std::string> policies;
  for (const ReplayTrace& trace : results.traces) {
    for (const ReplayCell& cell : trace.cells) {
      if (cell.policy != kOptimum &&
          std::find(policies.begin(), policies.end(), cell.policy) == policies.end()) {
        policies.push_back(cell.policy);
      }
    }
  }
  policies.emplace_back(kOptimum);
  return policies;
}

std::string StyleOf(const std::vector<std::string>& policies, size_t i) {
  if (policies[i] == kOptimum)
    return "fill=\"none\" stroke=\"#000000\" stroke-width=\"1.5\" stroke-dasharray=\"2 3\"";
  return fmt::format("fill=\"none\" stroke=\"{}\" stroke-width=\"1.8\"{}", kColours[i % kColours.size()],
                     i < kColours.size() ? "" : " stroke-dasharray=\"6 3\"");
}

/// Percent of the trace's objects, from the smallest to the largest size of all panels.
struct Scale {
  double low = 0, high = 0;  // log10
  double Across(double percent) const {
    const double width = kPanelWidth - kLeft - kRight;
    return kLeft + (high == low ? width / 2 : (std::log10(percent) - low) / (high - low) * width);
  }
  static double Up(double ratio) { return kTop + (1 - ratio) * (kPanelHeight - kTop - kBottom); }
};

double Percent(const ReplayTrace& trace, const ReplayCell& cell) {
  return 100.0 * static_cast<double>(cell.capacity) / static_cast<double>(trace.objects);
}

std::string PercentText(double percent) {
  return fmt::format(fmt::runtime(percent < 10 ? "{:.2g}" : "{:.0f}"), percent);
}

Scale ScaleOf(const ReplayResults& results) {
  double low = 100, high = 0;
  for (const ReplayTrace& trace : results.traces) {
    for (const ReplayCell& cell : trace.cells) {
      low = std::min(low, Percent(trace, cell));
      high = std::max(high, Percent(trace, cell));
    }
  }
  return high == 0 ? Scale{} : Scale{std::log10(low), std::log10(high)};
}

std::string Curve(const ReplayTrace& trace, const std::string& policy, const Scale& scale,
                  const std::string& style) {
  std::vector<std::pair<double, double>> points;
  for (const ReplayCell& cell : trace.cells) {
    if (cell.policy == policy) {
      points.emplace_back(scale.Across(Percent(trace, cell)), Scale::Up(1 - HitRatio(trace, cell)));
    }
  }
  std::sort(points.begin(), points.end());
  std::string line, dots;
  for (const auto& [x, y] : points) {
    line += fmt::format("{:.1f},{:.1f} ", x, y);
    dots += fmt::format("<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"2\" {}/>\n", x, y, style);
  }
  if (points.size() < 2) return dots;
  return fmt::format("<polyline points=\"{}\" {}/>\n", line, style);
}

/// The row of element `i`, from 0, with so many in each.
double RowOf(size_t i, size_t per_row) {
  const size_t row = i / per_row;
  return static_cast<double>(row);
}

std::string Panel(const ReplayTrace& trace, const std::vector<std::string>& policies, const Scale& scale) {
  constexpr double kRightEdge = kPanelWidth - kRight;
  std::string out = SvgText(kLeft, kTop - 10, trace.name, "start");
  for (const double ratio : {0.0, 0.25, 0.5, 0.75, 1.0}) {
    out += SvgLine(kLeft, Scale::Up(ratio), kRightEdge, Scale::Up(ratio), "stroke=\"#dddddd\"");
    out += SvgText(kLeft - 6, Scale::Up(ratio) + 4, fmt::format("{:.2f}", ratio), "end");
  }
  std::vector<double> labelled;
  for (const ReplayCell& cell : trace.cells) {
    const double x = scale.Across(Percent(trace, cell));
    const bool crowded =
        std::any_of(labelled.begin(), labelled.end(), [x](double other) { return std::abs(x - other) < 28; });
    if (crowded) continue;
    labelled.push_back(x);
    out += SvgLine(x, Scale::Up(0), x, Scale::Up(0) + 4, "stroke=\"#888888\"");
    out += SvgText(x, Scale::Up(0) + 17, PercentText(Percent(trace, cell)), "middle");
  }
  out += SvgText((kLeft + kRightEdge) / 2, kPanelHeight - 4, "cache size, % of distinct objects", "middle");
  for (size_t i = 0; i < policies.size(); ++i) out += Curve(trace, policies[i], scale, StyleOf(policies, i));
  return out;
}

}  // namespace

std::string MissRatioChart(const ReplayResults& results) {
  const std::vector<std::string> policies = Policies(results);
  const Scale scale = ScaleOf(results);
  constexpr auto kPerRow = static_cast<size_t>(kColumns * kPanelWidth / kLegendWidth);
  const double legend = kLegendHeight + 20 * RowOf(policies.size() - 1, kPerRow);
  const double width = kColumns * kPanelWidth;
  const double height = legend + kPanelHeight * RowOf(results.traces.size() + kColumns - 1, kColumns);
  std::string out;
  for (size_t i = 0; i < policies.size(); ++i) {
    const double x = 12 + static_cast<double>(i % kPerRow) * kLegendWidth;
    const double y = 20 + 20 * RowOf(i, kPerRow);
    out += SvgLine(x, y, x + 22, y, StyleOf(policies, i)) + SvgText(x + 27, y + 4, policies[i], "start");
  }
  for (size_t i = 0; i < results.traces.size(); ++i) {
    out += fmt::format("<g transform=\"translate({:.0f} {:.0f})\">\n",
                       static_cast<double>(i % kColumns) * kPanelWidth,
                       legend + kPanelHeight * RowOf(i, kColumns));
    out += Panel(results.traces[i], policies, scale) + "</g>\n";
  }
  return SvgDocument(width, height, "Miss ratio by cache size", out);
}

}  // namespace ocfsgw::bench
