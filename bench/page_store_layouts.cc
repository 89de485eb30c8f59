// page_store_layouts: drives layouts of a cache on RocksDB with the same stream, and compares what they
// write, hit, wait for and take. docs/decisions/0001-page-store-layout.md has the result.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <functional>
#include <nlohmann/json.hpp>
#include <thread>

#include "base/exit_code.h"
#include "bench/cache_layout.h"
#include "bench/disk_watch.h"
#include "bench/latency_histogram.h"
#include "bench/layout_stream.h"
#include "bench/work_directory.h"
#include "cache/page_store.h"

namespace ocfsgw::bench {
namespace {

constexpr uint64_t kMiB = 1 << 20;
constexpr double kMilliseconds = 1e-6;  // of a nanosecond
constexpr std::chrono::microseconds kBusyWait(200);

struct Arguments {
  std::vector<std::string> layouts;
  std::string directory = ".";
  uint64_t cache_mib = 256;
  uint64_t memory_mib = 256;
  double turnovers = 10;
  double population = 4;
  double offered_max = 100;
  uint64_t seed = 1;
  uint64_t interval_ms = 20;
  bool json = false;
};

using Open = std::function<Result<std::unique_ptr<CacheLayout>>(const LayoutOptions&)>;

struct NamedLayout {
  std::string name;
  std::string what;
  Open open;
};

NamedLayout Blobs(std::string name, std::string what, const cache::BlobCacheOptions& settings) {
  return {std::move(name), std::move(what),
          [settings](const LayoutOptions& options) { return OpenBlobLayout(options, settings); }};
}

std::vector<NamedLayout> Layouts() {
  return {
      {"segments-admission", "the page store as ocfsgw has it",
       [](const LayoutOptions& options) { return OpenSegmentLayout(options, true); }},
      {"segments", "the page store, admission=0",
       [](const LayoutOptions& options) { return OpenSegmentLayout(options, false); }},
      Blobs("blobs-default", "BlobDB, LRU, RocksDB's defaults for garbage collection", {}),
      Blobs("blobs-eager", "BlobDB, LRU, 5 % oldest files collected, compaction of 2 files",
            {.age_cutoff = 0.05, .compaction_trigger = 2}),
      Blobs("blobs-lazy", "BlobDB, LRU, files collected when a half is garbage, 60 % live",
            {.age_cutoff = 0.05, .force_threshold = 0.5, .compaction_trigger = 2, .live_share = 0.6}),
      Blobs("blobs-fifo", "BlobDB, FIFO, whole files of garbage only, compaction of 2 files",
            {.lru = false, .age_cutoff = 0, .compaction_trigger = 2}),
  };
}

/// A field of /proc/self/io, proc(5).
uint64_t ProcessIo(const std::string& field) {
  std::ifstream file("/proc/self/io");
  std::string name;
  for (uint64_t value; file >> name >> value;) {
    if (name == field + ":") return value;
  }
  return 0;
}

double ProcessorSeconds() {
  rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

/// How long the calling thread was ready to run and had to wait for a processor, in all; nanoseconds. Only of
/// the thread that made it.
class RunDelay {
 public:
  RunDelay() : file_(open("/proc/thread-self/schedstat", O_RDONLY | O_CLOEXEC)) {}
  ~RunDelay() { close(file_); }
  RunDelay(const RunDelay&) = delete;
  RunDelay& operator=(const RunDelay&) = delete;

  /// 0 where the kernel does not count it.
  uint64_t Nanoseconds() const {
    std::array<char, 64> text{};
    unsigned long long ran = 0, waited = 0;
    if (pread(file_, text.data(), text.size() - 1, 0) <= 0) return 0;
    return std::sscanf(text.data(), "%llu %llu", &ran, &waited) == 2 ? waited : 0;
  }

 private:
  const int file_;
};

struct CallTimes {
  LatencyHistogram all;
  uint64_t longest_alone = 0;  // without the time that the caller waited for a processor
};

struct Outcome {
  std::string layout;
  uint64_t lookups = 0, hits = 0;
  uint64_t lookup_bytes = 0, hit_bytes = 0;
  uint64_t offered_bytes = 0;   // of all misses
  uint64_t inserted_bytes = 0;  // of these, those accepted
  uint64_t dropped = 0;
  uint64_t written_bytes = 0;  // by write(2) and the like
  uint64_t device_bytes = 0;   // that the kernel was made to write
  CallTimes insert, lookup;
  uint64_t wait_longest = 0;
  uint64_t disk_highest = 0;
  SpaceBack space_back;
  double processor_seconds = 0;
  double seconds = 0;
};

template <typename Call>
auto Timed(CallTimes& times, const RunDelay& delay, const Call& call) {
  const uint64_t delay_before = delay.Nanoseconds();
  const auto begin = std::chrono::steady_clock::now();
  auto result = call();
  const auto taken = static_cast<uint64_t>((std::chrono::steady_clock::now() - begin).count());
  const uint64_t delayed = delay.Nanoseconds() - delay_before;
  times.all.Add(taken);
  times.longest_alone = std::max(times.longest_alone, taken - std::min(taken, delayed));
  return result;
}

/// Gets what the stream asks for and puts what is missing, until so many turnovers were inserted.
void Drive(CacheLayout& layout, LayoutStream& stream, const Arguments& arguments, Outcome& outcome) {
  const auto cache_bytes = static_cast<double>(arguments.cache_mib * kMiB);
  const auto inserted_max = static_cast<uint64_t>(arguments.turnovers * cache_bytes);
  const auto offered_max = static_cast<uint64_t>(arguments.offered_max * cache_bytes);
  std::vector<std::byte> into(cache::kBlockBytes);
  const RunDelay delay;
  while (outcome.inserted_bytes < inserted_max && outcome.offered_bytes < offered_max) {
    const LayoutKey key = stream.Next();
    const uint64_t length = stream.Length();
    ++outcome.lookups;
    outcome.lookup_bytes += length;
    if (Timed(outcome.lookup, delay, [&] { return layout.Get(key, into); })) {
      ++outcome.hits;
      outcome.hit_bytes += length;
      continue;
    }
    const auto begin = std::chrono::steady_clock::now();
    while (layout.Busy()) std::this_thread::sleep_for(kBusyWait);
    const auto waited = static_cast<uint64_t>((std::chrono::steady_clock::now() - begin).count());
    outcome.wait_longest = std::max(outcome.wait_longest, waited);
    auto content = stream.Content();
    outcome.offered_bytes += length;
    switch (Timed(outcome.insert, delay, [&] { return layout.Put(key, std::move(content)); })) {
      case Inserted::kYes:
        outcome.inserted_bytes += length;
        break;
      case Inserted::kRefused:
        break;
      case Inserted::kDropped:
        ++outcome.dropped;
        break;
    }
  }
  layout.Flush();
}

Result<Outcome> Run(const NamedLayout& layout, const Arguments& arguments) {
  OCFSGW_ASSIGN_OR_RETURN(const WorkDirectory scratch, WorkDirectory::MakeIn(arguments.directory));
  LayoutStream stream(arguments.seed, static_cast<uint64_t>(arguments.population *
                                                            static_cast<double>(arguments.cache_mib * kMiB)));
  sync();  // what others left is not to be waited for
  OCFSGW_ASSIGN_OR_RETURN(const auto opened, layout.open({scratch.path(), arguments.cache_mib * kMiB,
                                                          arguments.memory_mib * kMiB}));
  Outcome outcome;
  outcome.layout = layout.name;
  const auto begin = std::chrono::steady_clock::now();
  const double processor_before = ProcessorSeconds();
  const uint64_t written_before = ProcessIo("wchar");
  const uint64_t device_before = ProcessIo("write_bytes");
  DiskWatch watch(*opened, scratch.path(), std::chrono::milliseconds(arguments.interval_ms));
  Drive(*opened, stream, arguments, outcome);
  watch.Stop();
  outcome.written_bytes = ProcessIo("wchar") - written_before;
  outcome.device_bytes = ProcessIo("write_bytes") - device_before;
  outcome.processor_seconds = ProcessorSeconds() - processor_before;
  outcome.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  for (const LayoutSample& sample : watch.samples()) {
    outcome.disk_highest = std::max(outcome.disk_highest, sample.disk_bytes);
  }
  outcome.space_back = opened->SpaceBackOf(watch.samples());
  return outcome;
}

double Ratio(uint64_t a, uint64_t b) { return b == 0 ? 0 : static_cast<double>(a) / static_cast<double>(b); }

/// Name and value of each column, in order; a value as it is printed.
std::vector<std::pair<std::string, std::string>> Columns(const Outcome& outcome, uint64_t cache_bytes) {
  const auto ms = [](uint64_t nanoseconds) {
    return fmt::format("{:.2f}", static_cast<double>(nanoseconds) * kMilliseconds);
  };
  const SpaceBack& back = outcome.space_back;
  return {
      {"lookups", fmt::format("{}", outcome.lookups)},
      {"hit ratio", fmt::format("{:.4f}", Ratio(outcome.hits, outcome.lookups))},
      {"hit ratio by bytes", fmt::format("{:.4f}", Ratio(outcome.hit_bytes, outcome.lookup_bytes))},
      {"offered MiB", fmt::format("{}", outcome.offered_bytes / kMiB)},
      {"inserted MiB", fmt::format("{}", outcome.inserted_bytes / kMiB)},
      {"dropped puts", fmt::format("{}", outcome.dropped)},
      {"written MiB", fmt::format("{}", outcome.written_bytes / kMiB)},
      {"written / inserted", fmt::format("{:.3f}", Ratio(outcome.written_bytes, outcome.inserted_bytes))},
      {"written / offered", fmt::format("{:.3f}", Ratio(outcome.written_bytes, outcome.offered_bytes))},
      {"written / looked up", fmt::format("{:.3f}", Ratio(outcome.written_bytes, outcome.lookup_bytes))},
      {"write_bytes / inserted", fmt::format("{:.3f}", Ratio(outcome.device_bytes, outcome.inserted_bytes))},
      {"insert p99.9 ms", ms(outcome.insert.all.Percentile(0.999))},
      {"insert longest ms", ms(outcome.insert.all.max())},
      {"insert longest, less waits for a processor, ms", ms(outcome.insert.longest_alone)},
      {"wait for room longest ms", ms(outcome.wait_longest)},
      {"lookup p99.9 ms", ms(outcome.lookup.all.Percentile(0.999))},
      {"lookup longest ms", ms(outcome.lookup.all.max())},
      {"lookup longest, less waits for a processor, ms", ms(outcome.lookup.longest_alone)},
      {"highest du / cache size", fmt::format("{:.4f}", Ratio(outcome.disk_highest, cache_bytes))},
      {"space back median s", fmt::format("{:.3f}", back.median_seconds)},
      {"space back longest s", fmt::format("{}{:.3f}", back.ever ? "" : ">", back.longest_seconds)},
      {"processor s", fmt::format("{:.1f}", outcome.processor_seconds)},
      {"processor us / lookup",
       fmt::format("{:.1f}", outcome.processor_seconds * 1e6 / static_cast<double>(outcome.lookups))},
      {"real s", fmt::format("{:.1f}", outcome.seconds)},
  };
}

/// In Markdown, a row for each figure.
std::string Table(const std::vector<Outcome>& outcomes, uint64_t cache_bytes) {
  std::string head = "| |", line = "|---|";
  std::vector<std::string> rows;
  for (const Outcome& outcome : outcomes) {
    head += fmt::format(" {} |", outcome.layout);
    line += "---|";
    const auto columns = Columns(outcome, cache_bytes);
    rows.resize(columns.size());
    for (size_t i = 0; i < columns.size(); ++i) {
      if (rows[i].empty()) rows[i] = fmt::format("| {} |", columns[i].first);
      rows[i] += fmt::format(" {} |", columns[i].second);
    }
  }
  return fmt::format("{}\n{}\n{}\n", head, line, fmt::join(rows, "\n"));
}

std::string Json(const std::vector<Outcome>& outcomes, uint64_t cache_bytes) {
  auto all = nlohmann::ordered_json::array();
  for (const Outcome& outcome : outcomes) {
    nlohmann::ordered_json one;
    one["layout"] = outcome.layout;
    for (const auto& [name, value] : Columns(outcome, cache_bytes)) {
      // ">12.3" is not a number.
      one[name] = nlohmann::ordered_json::accept(value) ? nlohmann::ordered_json::parse(value)
                                                        : nlohmann::ordered_json(value);
    }
    all.push_back(std::move(one));
  }
  return all.dump(2) + "\n";
}

int Fail(const std::string& message, ExitCode code) {
  fmt::print(stderr, "page_store_layouts: {}\n", message);
  return code;
}

int Main(int argc, char** argv) {
  Arguments arguments;
  CLI::App app("Compares layouts of a cache on RocksDB.", "page_store_layouts");
  std::string layouts_help = "these only, in this order, instead of all:";
  const std::vector<NamedLayout> layouts = Layouts();
  for (const NamedLayout& layout : layouts) layouts_help += fmt::format("\n{}: {}", layout.name, layout.what);
  app.add_option("--layout", arguments.layouts, layouts_help)->delimiter(',');
  app.add_option("--directory", arguments.directory, "work below it, on a real disk")->capture_default_str();
  app.add_option("--cache", arguments.cache_mib, "MiB of the cache")
      ->check(CLI::Range(64, 1 << 20))
      ->capture_default_str();
  app.add_option("--memory", arguments.memory_mib, "MiB of memory, as of a mount")
      ->check(CLI::Range(64, 1 << 20))
      ->capture_default_str();
  app.add_option("--turnovers", arguments.turnovers, "end when so many times the cache was inserted")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--offered-max", arguments.offered_max, "or when so many times the cache was missed")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--population", arguments.population, "all files together, in times the cache")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--seed", arguments.seed, "of the stream")->capture_default_str();
  app.add_option("--interval", arguments.interval_ms, "ms between looks at the disk")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  app.add_flag("--json", arguments.json, "JSON instead of a table");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return error.get_exit_code() == 0 ? (app.exit(error), kExitDone) : Fail(error.what(), kExitUsage);
  }
  std::vector<NamedLayout> wanted = arguments.layouts.empty() ? layouts : std::vector<NamedLayout>();
  for (const std::string& name : arguments.layouts) {
    const auto found = std::find_if(layouts.begin(), layouts.end(),
                                    [&](const NamedLayout& layout) { return layout.name == name; });
    if (found == layouts.end()) return Fail(fmt::format("no layout is called '{}'", name), kExitUsage);
    wanted.push_back(*found);
  }
  std::vector<Outcome> outcomes;
  for (const NamedLayout& layout : wanted) {
    auto outcome = Run(layout, arguments);
    if (!outcome.ok()) return Fail(outcome.status().ToString(), kExitRuntime);
    outcomes.push_back(*std::move(outcome));
  }
  const uint64_t cache_bytes = arguments.cache_mib * kMiB;
  fmt::print("{}", arguments.json ? Json(outcomes, cache_bytes) : Table(outcomes, cache_bytes));
  return kExitDone;
}

}  // namespace
}  // namespace ocfsgw::bench

int main(int argc, char** argv) { return ocfsgw::bench::Main(argc, argv); }
