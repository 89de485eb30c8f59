#include "tests/cluster/gateway.h"

#include <cstdlib>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <thread>

namespace ocfsgw::cluster {
namespace {

constexpr std::chrono::seconds kLeasedWithin{60};  // covers the hold-off after a recall
constexpr const char* kCacheDir = "/var/cache/ocfsgw-lab/gw";

}  // namespace

Outcome In(const View& view, const std::string& name, const std::string& command,
           std::chrono::seconds patience) {
  return Lab().On(view.node, "d=" + view.mount + "/" + name + "\n" + command, patience);
}

Outcome ServeLooks(int node) {
  return Lab().On(node, "pgrep -x fsop >/dev/null || { fsop serve / 9000 >/dev/null 2>&1 & }");
}

Outcome Gateway::Mount(bool fresh, const std::string& more) const {
  const std::string gw = kGateway, cache = kCacheDir;
  const char* const all = std::getenv("OCFSGW_GATEWAY_OPTIONS");  // NOLINT(concurrency-mt-unsafe)
  return Lab().On(
      node_,
      "mountpoint -q " + gw + " && exit 0\n" + (fresh ? "rm -rf " + cache + "\n" : "") + "mkdir -p " + gw +
          " " + cache + " && mount -t fuse.ocfsgw " + kShared + " " + gw + " -o cache_dir=" + cache +
          ",cache_size=64M,lease=o2dlm,dlmfs=/dlm,hold_off_ms=100,lease_idle_s=0" +  // leases are counted
          (more.empty() ? "" : "," + more) + (all == nullptr ? "" : "," + std::string(all)) +
          " && mountpoint -q " + gw);
}

Outcome Gateway::Unmount() const {
  const std::string gw = kGateway;
  return Lab().On(node_, "mountpoint -q " + gw + " || exit 0\n" + "umount " + gw +
                             " && while pgrep -x 'ocfsgw|gw-guardian' >/dev/null; do sleep 0.05; done");
}

Outcome Gateway::Kill() const {
  // Stopped first: neither is to act on the other's end.
  return Lab().On(node_,
                  std::string("pkill -STOP -x 'ocfsgw|gw-guardian'; pkill -KILL -x 'ocfsgw|gw-guardian'; "
                              "umount -f -l ") +
                      kGateway);
}

Outcome Gateway::Signal(const std::string& signal) const {
  return Lab().On(node_, "pkill -" + signal + " -x ocfsgw");
}

std::string Gateway::Stacks() const {
  // The kernel's view first: gdb cannot stop a process while one of its threads waits uninterruptibly.
  return Lab()
      .On(node_,
          "for p in $(pgrep -x ocfsgw) $(pgrep -x 'fsop|soak_worker|python3|bash'); do echo \"== $p $(tr "
          "'\\0' ' ' "
          "</proc/$p/cmdline)\"; for t in /proc/$p/task/*; do echo \"thread ${t##*/} $(<$t/comm) wchan "
          "$(<$t/wchan) syscall $(cat $t/syscall 2>/dev/null)\"; cat $t/stack; done; done\n"
          "timeout 20 gdb -nx -batch -p $(pgrep -x ocfsgw) -ex 'thread apply all bt 12' 2>/dev/null; "
          "pkill -CONT -x ocfsgw")
      .output;
}

uint64_t Gateway::Restarts() const { return nlohmann::json::parse(Status()).at("restarts").get<uint64_t>(); }

std::string Gateway::Status() const {
  // Standard error would not be JSON.
  const Outcome status =
      Lab().On(node_, std::string("ocfsgwctl --mount ") + kGateway + " status --json 2>/dev/null");
  if (!status.ok()) {
    throw std::runtime_error("ocfsgwctl status in node " + std::to_string(node_) + ": exit status " +
                             std::to_string(status.status) + ": " + status.output);
  }
  return status.output;
}

uint64_t Gateway::Metric(const std::string& name) const {
  return nlohmann::json::parse(Status()).at("metrics").at(name).get<uint64_t>();
}

std::string Gateway::LeaseProvider() const {
  return nlohmann::json::parse(Status()).at("lease_provider").get<std::string>();
}

Outcome Gateway::LookUntilLeased(const std::string& name, const std::string& look, uint64_t held_before,
                                 uint64_t leases) const {
  const auto deadline = std::chrono::steady_clock::now() + kLeasedWithin;
  uint64_t held = 0, reads = 0;
  do {
    const uint64_t reads_before = Metric(kBackendReads);
    Outcome outcome = In(view(), name, look);
    const auto metrics = nlohmann::json::parse(Status()).at("metrics");
    held = metrics.at(kLeasesHeld).get<uint64_t>();
    reads = metrics.at(kBackendReads).get<uint64_t>() - reads_before;
    if (!outcome.ok() || (reads == 0 && held >= held_before + leases)) {
      return outcome;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  } while (std::chrono::steady_clock::now() < deadline);
  return {4, "not served under leases: " + std::to_string(held) + " leases held, wanted " +
                 std::to_string(leases) + " more than " + std::to_string(held_before) +
                 "; the last look read " + std::to_string(reads) + " blocks from the shared file system"};
}

}  // namespace ocfsgw::cluster
