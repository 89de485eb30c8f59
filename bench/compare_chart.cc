#include "bench/compare_chart.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "bench/svg.h"

namespace ocfsgw::bench {
namespace {

constexpr double kWidth = 860, kLeft = 190, kRight = 60, kTop = 44, kBottom = 30;
constexpr double kBar = 11, kGap = 10;

struct Bar {
  size_t contender;
  Spread ratio;
};

struct Group {
  std::string name;
  std::vector<Bar> bars;
};

std::vector<Group> GroupsOf(const CompareResults& results) {
  std::vector<Group> groups;
  for (const std::string& workload : results.workloads) {
    for (const CacheState state : {CacheState::kCold, CacheState::kWarm, CacheState::kHot}) {
      Group group{fmt::format("{}, {}", workload, NameOf(state)), {}};
      for (size_t i = 0; i < results.contenders.size(); ++i) {
        if (results.contenders[i] == "bare") continue;
        const auto ratio =
            RatioOf(results, {workload, state, results.contenders[i]}, {workload, state, "bare"});
        if (ratio) group.bars.push_back({i, *ratio});
      }
      if (!group.bars.empty()) groups.push_back(std::move(group));
    }
  }
  return groups;
}

/// Ratios across the plot, in whole powers of ten, with 1 in it.
struct Axis {
  int low = 0, high = 1;  // log10
  double At(double ratio) const {
    return kLeft + (std::log10(ratio) - low) / (high - low) * (kWidth - kLeft - kRight);
  }
};

Axis AxisOf(const std::vector<Group>& groups) {
  Axis axis;
  for (const Group& group : groups) {
    for (const Bar& bar : group.bars) {
      if (bar.ratio.least > 0)
        axis.low = std::min(axis.low, static_cast<int>(std::floor(std::log10(bar.ratio.least))));
      axis.high = std::max(axis.high, static_cast<int>(std::ceil(std::log10(bar.ratio.greatest))));
    }
  }
  return axis;
}

std::string BarAt(double y, const Bar& bar, const Axis& axis) {
  const double one = axis.At(1), end = axis.At(bar.ratio.median), middle = y + kBar / 2;
  return fmt::format("<rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.1f}\" fill=\"{}\"/>\n",
                     std::min(one, end), y, std::max(1.0, std::abs(end - one)), kBar - 1,
                     kColours[bar.contender % kColours.size()]) +
         SvgLine(axis.At(bar.ratio.least), middle, axis.At(bar.ratio.greatest), middle,
                 "stroke=\"#444444\"") +
         SvgText(std::max(one, axis.At(bar.ratio.greatest)) + 5, y + kBar - 2,
                 fmt::format("{:.2f}", bar.ratio.median), "start");
}

}  // namespace

std::string CompareChart(const CompareResults& results) {
  const std::vector<Group> groups = GroupsOf(results);
  const Axis axis = AxisOf(groups);
  std::string bars;
  std::set<size_t> shown;
  double y = kTop;
  for (const Group& group : groups) {
    bars += SvgText(kLeft - 8, y + kBar * static_cast<double>(group.bars.size()) / 2 + 4, group.name, "end");
    for (const Bar& bar : group.bars) {
      bars += BarAt(y, bar, axis);
      shown.insert(bar.contender);
      y += kBar;
    }
    y += kGap;
  }
  std::string out = SvgText(12, 18, "time / time of the bare directory; lines: least to greatest", "start");
  double x = kLeft + 160;
  for (const size_t i : shown) {
    out += SvgLine(x, 14, x + 16, 14,
                   fmt::format("stroke=\"{}\" stroke-width=\"9\"", kColours[i % kColours.size()]));
    out += SvgText(x + 21, 18, results.contenders[i], "start");
    x += 90;
  }
  for (int power = axis.low; power <= axis.high; ++power) {
    const double at = axis.At(std::pow(10, power));
    out += SvgLine(at, kTop - 6, at, y, power == 0 ? "stroke=\"#000000\"" : "stroke=\"#dddddd\"");
    out += SvgText(at, y + 14, fmt::format("{:g}", std::pow(10, power)), "middle");
  }
  return SvgDocument(kWidth, y + kBottom, "Ratios to the bare directory", out + bars);
}

}  // namespace ocfsgw::bench
