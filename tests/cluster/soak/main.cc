// soak: random load and faults on a lab that is up (scripts/soak boots one), every look checked.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <fstream>
#include <thread>

#include "tests/cluster/soak/client.h"
#include "tests/cluster/soak/faults.h"
#include "tests/history/checker.h"
#include "tests/history/old_page.h"

namespace ocfsgw::cluster {
namespace {

constexpr int kClients = 6;
constexpr size_t kShown = 10;  // violations described in full

/// Number of illegal reads; describes the first of them, and what OCFS2 itself may show.
size_t CheckHistory(const std::vector<history::Operation>& operations) {
  // FUSE puts what is written into the pages of its own mount before it sends it.
  const auto report = history::Check(operations, {.backwards_between_places = false});
  const history::Pages pages{
      .is_direct = IsDirectWrite, .node = Place::NodeOf, .file = [](const std::string& object) {
        return object.substr(0, object.find('@'));
      }};
  size_t illegal = 0, old_pages = 0;
  for (const auto& violation : report.violations) {
    const bool old_page = MayBeOldPage(violation, operations, pages);
    ++(old_page ? old_pages : illegal);
    if (old_page || illegal <= kShown) {
      std::printf("%s: %s\n", old_page ? "old page of OCFS2's" : "ILLEGAL",
                  Describe(violation, operations).c_str());
    }
  }
  std::printf("%zu operations, %zu registers read, %zu illegal reads, %zu old pages of OCFS2's\n",
              operations.size(), report.reads, illegal, old_pages);
  return illegal;
}

int CheckFile(const std::string& path) {
  std::ifstream in(path);
  if (!in) {
    std::fprintf(stderr, "soak: %s cannot be read\n", path.c_str());
    return 1;
  }
  const auto operations = history::Parse(in);
  if (!operations.ok()) {
    std::fprintf(stderr, "soak: %s: %s\n", path.c_str(), operations.status().ToString().c_str());
    return 1;
  }
  return CheckHistory(*operations) == 0 ? 0 : 4;
}

int Soak(const Options& options) {
  World world(options);
  Faults faults(world, kClients, options.seed);
  if (!faults.Start()) return 4;
  std::vector<std::unique_ptr<Client>> clients;
  for (int i = 0; i < kClients; ++i) {
    clients.push_back(std::make_unique<Client>(world, i, options.seed * 1000 + static_cast<uint64_t>(i)));
  }
  const int64_t start = NowNs();
  std::thread breaker([&] { faults.Run(); });
  const bool set_up = clients[0]->SetUp();
  std::vector<std::thread> threads;
  if (set_up) {
    for (auto& client : clients) threads.emplace_back([&client] { client->Run(); });
    const int64_t end = start + options.minutes * 60'000'000'000;
    while (NowNs() < end && !world.stop) std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
  // Clients in the middle of a repair need somebody to put the gateways right.
  world.stop = true;
  breaker.join();
  std::atomic<bool> done{false};
  std::thread helper([&] {
    while (!done && !world.give_up) {
      faults.CheckSuspects();
      std::this_thread::sleep_for(std::chrono::milliseconds(100));
    }
  });
  for (auto& thread : threads) thread.join();
  done = true;
  helper.join();
  const bool all_back = set_up && !world.give_up && faults.AllBack();
  if (all_back) {  // nothing changes any more: what is seen now is all of one piece
    threads.clear();
    for (auto& client : clients) threads.emplace_back([&client] { client->Sweep(kClients); });
    for (auto& thread : threads) thread.join();
  }
  faults.Sample();

  const auto& c = world.counters;
  if (!options.history.empty()) {
    std::ofstream out(options.history);
    for (const auto& operation : world.history()) out << Format(operation) << "\n";
  }
  const size_t illegal = CheckHistory(world.history());
  std::printf(
      "%lu looks, %lu announced; %lu changes; %zu illegal reads; %lu recalls, %lu forced releases, %lu timer "
      "releases; faults: %s; %lu operations failed, %lu of them without a fault; %ld s\n",
      c.looks.load(), c.announced.load(), c.changes.load(), illegal, faults.Total("ocfsgw_recalls_total"),
      faults.Total("ocfsgw_forced_releases_total"), faults.Total("ocfsgw_timer_releases_total"),
      faults.Summary().c_str(), c.failed.load(), c.unexpected.load(), (NowNs() - start) / 1'000'000'000);
  return all_back && illegal == 0 && c.unexpected == 0 && c.looks > 0 ? 0 : 4;
}

}  // namespace
}  // namespace ocfsgw::cluster

int main(int argc, char** argv) {
  ocfsgw::cluster::Options options;
  std::string check;
  bool no_faults = false;
  CLI::App app("Random load and faults on the nodes of a lab, every look checked");
  app.add_option("--minutes", options.minutes, "How long")->check(CLI::Range(1, 10'000));
  app.add_option("--seed", options.seed, "Of the load and the faults");
  app.add_option("--nodes", options.nodes, "Of the lab")->check(CLI::Range(2, 8));
  app.add_flag("--no-faults", no_faults, "Load only");
  app.add_flag("--known-gaps", options.known_gaps, "Also what docs/COHERENCE.md lists as gaps");
  app.add_option("--history", options.history, "Write the history to this file");
  app.add_option("--check", check, "Check the history in this file; no lab");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 1;
  }
  options.faults = !no_faults;
  return check.empty() ? ocfsgw::cluster::Soak(options) : ocfsgw::cluster::CheckFile(check);
}
