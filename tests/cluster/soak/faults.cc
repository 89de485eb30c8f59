#include "tests/cluster/soak/faults.h"

#include <cstdlib>
#include <sstream>
#include <thread>

#include "tests/cluster/gateway.h"

namespace ocfsgw::cluster {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr milliseconds kTick{200};
constexpr seconds kSampleEvery{10};
constexpr seconds kFenceWithin{90};  // a node without network kills itself: idle time-out, then quorum

// Waits for the gateways that were killed ($pids) to be gone, with whatever they had begun; then for the
// mount to come back by itself (status 0), else removes it.
constexpr const char* kAwaitGateway =
    "for p in $pids; do while [ -e /proc/$p ]; do sleep 0.05; done; done\n"
    "for i in {1..15}; do stat /mnt/gw/soak >/dev/null 2>&1 && exit 0; sleep 0.1; done\n"
    "umount -l /mnt/gw 2>/dev/null; ";

}  // namespace

bool Faults::StartNode(int node) {
  if (!world_.At(node).line->Start(clients_)) return false;
  return EnsureGateway(node);
}

bool Faults::EnsureGateway(int node) {
  const Outcome mounted = Gateway(node).Mount(/*fresh=*/false, node % 2 == 0 ? "names=all" : "");
  if (!mounted.ok()) {
    world_.Complain("node " + std::to_string(node) + ": the gateway does not come up: " + mounted.output);
    world_.give_up = world_.stop = true;
  }
  return mounted.ok();
}

bool Faults::Start() {
  for (int n = 1; n <= world_.nodes(); ++n) {
    if (!StartNode(n)) return false;
  }
  return true;
}

void Faults::Sample() {
  for (int n = 1; n <= world_.nodes(); ++n) {
    if (world_.At(n).dying) continue;
    const Outcome stats = Lab().On(n, std::string("ocfsgwctl --mount ") + kGateway + " stats 2>/dev/null");
    std::istringstream lines(stats.output);
    for (std::string line; stats.ok() && std::getline(lines, line);) {
      const size_t blank = line.rfind(' ');
      if (blank == line.npos) continue;
      const uint64_t value = std::strtoull(line.c_str() + blank, nullptr, 10);
      Counts& counts = counts_[{n, line.substr(0, blank)}];
      if (value < counts.now) counts.past += counts.now;  // another life
      counts.now = value;
    }
  }
}

uint64_t Faults::Total(const std::string& metric) const {
  uint64_t total = 0;
  for (const auto& [key, counts] : counts_) {
    if (key.second == metric) total += counts.past + counts.now;
  }
  return total;
}

std::string Faults::Summary() const {
  std::string text;
  for (const auto& [what, times] : done_) {
    text += (text.empty() ? "" : ", ") + std::to_string(times) + " " + what;
  }
  return text.empty() ? "none" : text;
}

void Faults::Wait(milliseconds time) {
  const auto end = std::chrono::steady_clock::now() + time;
  while (!world_.stop && std::chrono::steady_clock::now() < end) {
    std::this_thread::sleep_for(kTick);
    CheckSuspects();
  }
}

void Faults::Quiet(int node) {
  auto& n = world_.At(node);
  n.suspect = false;
  n.faulty = n.dying = false;
  ++n.quiet;
}

void Faults::CheckSuspects() {
  for (int n = 1; n <= world_.nodes(); ++n) {
    if (!world_.At(n).suspect) continue;
    const Outcome mounted = Lab().On(n, std::string("pids=\n") + kAwaitGateway + "exit 1");
    if (mounted.ok() || EnsureGateway(n)) Quiet(n);
  }
}

void Faults::KillGateway(int node) {
  world_.At(node).faulty = true;
  Sample();
  const Outcome back =
      Lab().On(node, std::string("pids=$(pgrep -x ocfsgw); kill -KILL $pids\n") + kAwaitGateway + "exit 1");
  if (back.ok() || EnsureGateway(node)) Quiet(node);
}

void Faults::StopGateway(int node) {
  world_.At(node).faulty = true;
  const uint64_t ms = 500 + random_() % 2500;
  const Outcome gone =
      Lab().On(node, "pids=$(pgrep -x ocfsgw); kill -STOP $pids; sleep " + std::to_string(ms / 1000) + "." +
                         std::to_string(100 + ms % 900) + "; kill -CONT $pids 2>/dev/null\npids=\n" +
                         kAwaitGateway + "exit 1");
  if (gone.ok() || EnsureGateway(node)) Quiet(node);
}

void Faults::CutShortly(int node) {
  // Shorter than o2net's idle time-out: connections go on, operations are late.
  Lab().On(node, "ip link set eth0 down; sleep 3; ip link set eth0 up");
}

void Faults::LoseNode(int node, bool by_cut) {
  Sample();
  world_.LosePower(node);
  if (by_cut) {
    const auto deadline = std::chrono::steady_clock::now() + kFenceWithin;
    Lab().On(node, "ip link set eth0 down");
    // It dies when it has noticed; while it is up, a command in it succeeds.
    while (Lab().On(node, "true", seconds(20)).ok() && std::chrono::steady_clock::now() < deadline) {
      std::this_thread::sleep_for(seconds(1));
    }
  }
  Lab().Kill(node);
  world_.At(node).line->Drop();
  const Outcome booted = Lab().Boot(node);
  if (!booted.ok()) {
    world_.Complain("node " + std::to_string(node) + " does not boot: " + booted.output);
    world_.give_up = world_.stop = true;
    return;
  }
  if (StartNode(node)) {
    Quiet(node);
  } else {
    world_.give_up = world_.stop = true;
  }
}

void Faults::One() {
  const int node = 1 + static_cast<int>(random_() % static_cast<uint64_t>(world_.nodes()));
  const uint64_t sort = random_() % 12;
  if (sort < 5) {
    ++done_["gateways killed"];
    KillGateway(node);
  } else if (sort < 8) {
    ++done_["gateways stopped"];
    StopGateway(node);
  } else if (sort < 10) {
    ++done_["short cuts of the network"];
    CutShortly(node);
  } else if (sort == 10) {
    ++done_["nodes killed"];
    LoseNode(node, false);
  } else {
    ++done_["nodes cut off until they died"];
    LoseNode(node, true);
  }
}

bool Faults::AllBack() {
  bool all = true;
  for (int n = 1; n <= world_.nodes(); ++n) {
    const Outcome seen = Lab().On(n, "mountpoint -q /mnt/gw && stat /mnt/gw/soak /mnt/shared/soak");
    if (!seen.ok()) world_.Complain("node " + std::to_string(n) + " did not come back: " + seen.output);
    all = all && seen.ok();
  }
  return all;
}

void Faults::Run() {
  auto sampled = std::chrono::steady_clock::now();
  while (!world_.stop) {
    Wait(milliseconds(4000 + random_() % 8000));
    if (world_.stop) return;
    if (world_.options.faults) One();
    if (std::chrono::steady_clock::now() - sampled > kSampleEvery) {
      Sample();
      sampled = std::chrono::steady_clock::now();
    }
  }
}

}  // namespace ocfsgw::cluster
