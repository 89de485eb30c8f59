#include "bench/compare_report.h"

#include <fmt/format.h>

#include <functional>
#include <nlohmann/json.hpp>

#include "bench/figures.h"

namespace ocfsgw::bench {
namespace {

using Json = nlohmann::ordered_json;

constexpr CacheState kStates[] = {CacheState::kCold, CacheState::kWarm, CacheState::kHot};

/// Load average before it begins, below which nobody else does much.
constexpr double kQuiet = 1;

CompareKey Bare(const CompareKey& key) { return {key.workload, key.state, "bare"}; }

/// Two digits, or more where they are before the point.
std::string Short(double value) {
  return fmt::format(fmt::runtime(value < 9.95 ? "{:.2f}" : value < 99.5 ? "{:.1f}" : "{:.0f}"), value);
}

std::string WithRange(const Spread& spread, double unit = 1) {
  return fmt::format("{} ({} to {})", Short(spread.median * unit), Short(spread.least * unit),
                     Short(spread.greatest * unit));
}

/// Calls for each cell that is not empty, in the order of the options.
void ForEachCell(const CompareResults& results,
                 const std::function<void(const CompareKey&, const Spread&)>& call) {
  for (const std::string& workload : results.workloads) {
    for (const CacheState state : kStates) {
      for (const std::string& contender : results.contenders) {
        const CompareKey key{workload, state, contender};
        if (const auto seconds = SecondsOf(results, key)) call(key, *seconds);
      }
    }
  }
}

std::string SkipLine(const CompareSkip& skip) {
  return fmt::format("{}{}{}: {}", skip.contender, skip.workload.empty() ? "" : " in ", skip.workload,
                     skip.reason);
}

Json SpreadJson(const std::optional<Spread>& spread) {
  if (!spread) return nullptr;
  return {{"median", spread->median}, {"min", spread->least}, {"max", spread->greatest}};
}

/// The cell of the ratio table: milliseconds of the bare directory, ratios of the others.
std::string RatioCell(const CompareResults& results, const CompareKey& key) {
  const auto spread = key.contender == "bare" ? SecondsOf(results, key) : RatioOf(results, key, Bare(key));
  if (!spread) return "-";
  return key.contender == "bare" ? WithRange(*spread, 1000) + " ms" : WithRange(*spread);
}

std::string MarkdownRow(const std::vector<std::string>& cells) {
  std::string out = "|";
  for (const std::string& cell : cells) out += " " + cell + " |";
  return out + "\n";
}

std::string RatioTable(const CompareResults& results) {
  std::vector<std::string> head = {"workload", "state"};
  head.insert(head.end(), results.contenders.begin(), results.contenders.end());
  std::string out = MarkdownRow(head) + MarkdownRow(std::vector<std::string>(head.size(), "---"));
  for (const std::string& workload : results.workloads) {
    for (const CacheState state : kStates) {
      if (!SecondsOf(results, {workload, state, "bare"})) continue;
      std::vector<std::string> row = {workload, std::string(NameOf(state))};
      for (const std::string& contender : results.contenders) {
        row.push_back(RatioCell(results, {workload, state, contender}));
      }
      out += MarkdownRow(row);
    }
  }
  return out;
}

std::string Header(const CompareSetting& setting) {
  const Machine& machine = setting.machine;
  return fmt::format(
      "# Performance\n\nMade by `{}`, in one run: the contenders take turns, another one first in each "
      "round. What "
      "it does, and what the states mean: [BENCH.md](BENCH.md).\n\n"
      "{}, kernel {}, {} processors ({}), {:.0f} GiB; source on {}, stores on {}. Load average {:.1f} at the "
      "beginning, {:.1f} at the end, of which this run is 1 to 2. {} rounds, seed {}, {} small files, a "
      "large "
      "file of {} MiB.{}\n\n",
      setting.command, machine.distribution, machine.kernel, machine.processors, machine.processor,
      machine.memory_gib, setting.source_type, setting.work_type, machine.load, setting.load_at_end,
      setting.rounds, setting.parameters.seed, setting.parameters.files, setting.parameters.large_bytes >> 20,
      machine.load < kQuiet ? "" : " **Other programs ran at the same time: a rough picture only.**");
}

std::string FigureTable(const CompareResults& results) {
  std::string out = "| figure | asked | measured |\n|---|---|---|\n";
  for (const Figure& figure : Figures()) {
    const auto ratio = RatioOf(results, figure.above, figure.below);
    out += MarkdownRow({figure.what, figure.asked, ratio ? WithRange(*ratio) : "-"});
  }
  return out;
}

}  // namespace

std::string CompareTable(const CompareResults& results) {
  std::string out =
      fmt::format("{:<18}  {:<5}  {:<10}  {:>10}  {:>10}  {:>10}  {:>8}  {:>8}  {:>8}\n", "workload", "state",
                  "what", "median ms", "min ms", "max ms", "/ bare", "min", "max");
  ForEachCell(results, [&](const CompareKey& key, const Spread& seconds) {
    out +=
        fmt::format("{:<18}  {:<5}  {:<10}  {:>10.3f}  {:>10.3f}  {:>10.3f}", key.workload, NameOf(key.state),
                    key.contender, 1000 * seconds.median, 1000 * seconds.least, 1000 * seconds.greatest);
    if (const auto ratio = RatioOf(results, key, Bare(key))) {
      out += fmt::format("  {:>8}  {:>8}  {:>8}", Short(ratio->median), Short(ratio->least),
                         Short(ratio->greatest));
    }
    out += "\n";
  });
  for (const Figure& figure : Figures()) {
    if (const auto ratio = RatioOf(results, figure.above, figure.below)) {
      out += fmt::format("{}: {}{}{}\n", figure.what, WithRange(*ratio),
                         *figure.asked == '\0' ? "" : ", asked ", figure.asked);
    }
  }
  for (const CompareSkip& skip : results.skipped) out += "skipped: " + SkipLine(skip) + "\n";
  if (results.interrupted) out += "interrupted: this is not all that was asked for\n";
  return out;
}

std::string CompareCsv(const CompareResults& results) {
  std::string out = "workload,state,contender,rounds,median_s,min_s,max_s,ratio_median,ratio_min,ratio_max\n";
  ForEachCell(results, [&](const CompareKey& key, const Spread& seconds) {
    out += fmt::format("{},{},{},{},{:.9f},{:.9f},{:.9f}", key.workload, NameOf(key.state), key.contender,
                       results.cells.at(key).size(), seconds.median, seconds.least, seconds.greatest);
    const auto ratio = RatioOf(results, key, Bare(key));
    out += ratio ? fmt::format(",{:.4f},{:.4f},{:.4f}\n", ratio->median, ratio->least, ratio->greatest)
                 : ",,,\n";
  });
  return out;
}

std::string CompareJson(const CompareSetting& setting, const CompareResults& results) {
  Json cells = Json::array(), figures = Json::array(), skipped = Json::array();
  ForEachCell(results, [&](const CompareKey& key, const Spread& seconds) {
    Json rounds = Json::array();
    for (const auto& [round, value] : results.cells.at(key)) rounds.push_back(value);
    cells.push_back({{"workload", key.workload},
                     {"state", NameOf(key.state)},
                     {"contender", key.contender},
                     {"seconds_of_rounds", std::move(rounds)},
                     {"seconds", SpreadJson(seconds)},
                     {"ratio_to_bare", SpreadJson(RatioOf(results, key, Bare(key)))}});
  });
  for (const Figure& figure : Figures()) {
    figures.push_back({{"figure", figure.what},
                       {"asked", figure.asked},
                       {"measured", SpreadJson(RatioOf(results, figure.above, figure.below))}});
  }
  for (const CompareSkip& skip : results.skipped) {
    skipped.push_back({{"contender", skip.contender}, {"workload", skip.workload}, {"reason", skip.reason}});
  }
  const Machine& machine = setting.machine;
  const Json all = {{"command", setting.command},
                    {"rounds", setting.rounds},
                    {"seed", setting.parameters.seed},
                    {"files", setting.parameters.files},
                    {"large_bytes", setting.parameters.large_bytes},
                    {"machine",
                     {{"kernel", machine.kernel},
                      {"distribution", machine.distribution},
                      {"processor", machine.processor},
                      {"processors", machine.processors},
                      {"memory_gib", machine.memory_gib},
                      {"load", machine.load},
                      {"load_at_end", setting.load_at_end},
                      {"source_file_system", setting.source_type},
                      {"work_file_system", setting.work_type}}},
                    {"commands", results.commands},
                    {"versions", results.versions},
                    {"interrupted", results.interrupted},
                    {"skipped", std::move(skipped)},
                    {"figures", std::move(figures)},
                    {"cells", std::move(cells)}};
  return all.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

std::string CompareMarkdown(const CompareSetting& setting, const CompareResults& results,
                            const std::string& chart) {
  std::string out = Header(setting);
  if (results.interrupted) out += "**Interrupted: this is not all that was asked for.**\n\n";
  out +=
      "## Figures\nRatios of each round: their median (least to greatest). Below 1, the first is faster.\n\n";
  out += FigureTable(results);
  out +=
      "\n## All\n`bare`: median time of the system calls of a pass (least to greatest); the others: the "
      "same ";
  out += "divided by that of `bare` in the same round.\n\n" + RatioTable(results);
  if (!chart.empty()) out += fmt::format("\n![Ratios to the bare directory]({})\n", chart);
  out += "\n## Contenders\n";
  for (const std::string& contender : results.contenders) {
    const auto command = results.commands.find(contender);
    if (command == results.commands.end()) continue;
    const auto version = results.versions.find(contender);
    out += fmt::format(
        "- {}{}{}\n", contender,
        command->second.empty() ? ": the directory itself" : fmt::format(": `{}`", command->second),
        version == results.versions.end() || version->second.empty() ? "" : " (" + version->second + ")");
  }
  if (!results.skipped.empty()) out += "\nSkipped:\n";
  for (const CompareSkip& skip : results.skipped) out += "- " + SkipLine(skip) + "\n";
  return out;
}

}  // namespace ocfsgw::bench
