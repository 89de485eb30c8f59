#include "bench/lock_cost.h"

#include <fmt/format.h>
#include <poll.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <fstream>
#include <nlohmann/json.hpp>

#include "bench/o2net_capture.h"

namespace ocfsgw::bench {
namespace {

using std::chrono::steady_clock;

constexpr int kDrainMilliseconds = 100;  // seldom, so that counting takes no time from what is measured

/// Documentation/block/stat.rst: reads completed, reads merged, sectors of 512 bytes.
Result<DiskReads> ReadsOf(const std::string& disk) {
  const std::string path = "/sys/class/block/" + disk + "/stat";
  std::ifstream file(path);
  uint64_t requests = 0, merged = 0, sectors = 0;
  if (!(file >> requests >> merged >> sectors)) {
    return Status(StatusCode::kInvalidArgument, "no block device " + disk + ": " + path);
  }
  return DiskReads{.requests = requests, .bytes = sectors * 512};
}

/// A running command.
class Child {
 public:
  static Result<Child> Start(const std::vector<std::string>& command) {
    std::vector<char*> arguments;
    for (const std::string& argument : command) arguments.push_back(const_cast<char*>(argument.c_str()));
    arguments.push_back(nullptr);
    pid_t pid = 0;
    if (const int error = posix_spawnp(&pid, arguments[0], nullptr, nullptr, arguments.data(), environ)) {
      return Status::FromErrno(error, command[0]);
    }
    return Child(pid);
  }

  bool Ended() {
    int status = 0;
    if (waitpid(pid_, &status, WNOHANG) != pid_) return false;
    exit_status_ = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    return true;
  }
  void Terminate() const { kill(pid_, SIGTERM); }
  int exit_status() const { return exit_status_; }
  /// Readable when it has ended; -1 where the kernel has none (pidfd_open(2)).
  int OpenPidFd() const { return static_cast<int>(syscall(SYS_pidfd_open, pid_, 0)); }

 private:
  explicit Child(pid_t pid) : pid_(pid) {}
  pid_t pid_;
  int exit_status_ = 0;
};

/// Until the end of the command, or of the time, captured packets are taken now and then.
Status WaitFor(Child* child, double seconds, const std::atomic<bool>& stop, O2netCapture& capture,
               O2netParser& parser) {
  const auto begin = steady_clock::now();
  pollfd ended{.fd = child ? child->OpenPidFd() : -1, .events = POLLIN, .revents = 0};
  bool told = false;
  Status status;
  for (;;) {
    const double left = seconds - std::chrono::duration<double>(steady_clock::now() - begin).count();
    if (child ? child->Ended() : left <= 0 || stop) break;
    if (child && stop && !told) child->Terminate();
    told = told || stop;
    const double patience =
        child ? kDrainMilliseconds : std::min<double>(kDrainMilliseconds, left * 1000 + 1);
    poll(&ended, 1, static_cast<int>(patience));
    if (status.ok()) status = capture.Drain(parser);
  }
  if (ended.fd >= 0) close(ended.fd);
  return status;
}

double Each(uint64_t count, double of) { return of > 0 ? static_cast<double>(count) / of : 0; }

O2netCounts Both(const LockCost& cost) {
  O2netCounts both = cost.sent;
  for (const auto& [type, count] : cost.received) both[type] += count;
  return both;
}

}  // namespace

Result<LockCost> MeasureLockCost(const LockCostOptions& options, const std::atomic<bool>& stop) {
  LockCost cost;
  DiskReads before;
  if (!options.disk.empty()) {
    OCFSGW_ASSIGN_OR_RETURN(before, ReadsOf(options.disk));
  }
  OCFSGW_ASSIGN_OR_RETURN(O2netCapture capture, O2netCapture::Open(options.interface, options.port));
  O2netParser parser;
  const auto begin = steady_clock::now();
  std::optional<Child> child;
  if (!options.command.empty()) {
    OCFSGW_ASSIGN_OR_RETURN(child, Child::Start(options.command));
  }
  OCFSGW_RETURN_IF_ERROR(WaitFor(child ? &*child : nullptr, options.seconds, stop, capture, parser));
  cost.seconds = std::chrono::duration<double>(steady_clock::now() - begin).count();
  OCFSGW_RETURN_IF_ERROR(capture.Drain(parser));
  parser.Finish();
  OCFSGW_ASSIGN_OR_RETURN(const uint64_t lost, capture.Lost());
  if (!options.disk.empty()) {
    OCFSGW_ASSIGN_OR_RETURN(const DiskReads after, ReadsOf(options.disk));
    cost.disk = DiskReads{.requests = after.requests - before.requests, .bytes = after.bytes - before.bytes};
  }
  if (child) cost.exit_status = child->exit_status();
  cost.sent = parser.sent();
  cost.received = parser.received();
  cost.packets = parser.packets();
  cost.incomplete = lost + parser.gaps();
  return cost;
}

std::string LockCostText(const LockCost& cost, uint64_t operations) {
  std::string out =
      fmt::format("{:<20}  {:>9}  {:>9}  {:>9}  {:>9}", "message", "sent", "received", "all", "per s");
  if (operations > 0) out += fmt::format("  {:>9}", "per op");
  const auto line = [&](const std::string& name, uint64_t sent, uint64_t received) {
    out += fmt::format("\n{:<20}  {:>9}  {:>9}  {:>9}  {:>9.2f}", name, sent, received, sent + received,
                       Each(sent + received, cost.seconds));
    if (operations > 0) {
      out += fmt::format("  {:>9.3f}", Each(sent + received, static_cast<double>(operations)));
    }
  };
  const auto of = [](const O2netCounts& counts, uint16_t type) {
    const auto found = counts.find(type);
    return found == counts.end() ? 0 : found->second;
  };
  for (const auto& [type, count] : Both(cost)) {
    line(O2netTypeName(type), of(cost.sent, type), of(cost.received, type));
  }
  line("all", Sum(cost.sent), Sum(cost.received));
  out += fmt::format("\n{} packets in {:.3f} s", cost.packets, cost.seconds);
  if (cost.disk) {
    out += fmt::format("; {} reads, {} bytes of the disk", cost.disk->requests, cost.disk->bytes);
    if (operations > 0) {
      out += fmt::format(", {:.3f} reads per op", Each(cost.disk->requests, static_cast<double>(operations)));
    }
  }
  return out + "\n";
}

std::string LockCostJson(const LockCost& cost, uint64_t operations) {
  using Json = nlohmann::ordered_json;
  const auto by_name = [](const O2netCounts& counts) {
    Json json = Json::object();
    for (const auto& [type, count] : counts) json[O2netTypeName(type)] = count;
    return json;
  };
  Json json = {{"messages", Sum(cost.sent) + Sum(cost.received)},
               {"seconds", cost.seconds},
               {"sent", by_name(cost.sent)},
               {"received", by_name(cost.received)},
               {"packets", cost.packets},
               {"incomplete", cost.incomplete},
               {"exit_status", cost.exit_status}};
  if (cost.disk) {
    json["disk_reads"] = cost.disk->requests;
    json["disk_bytes"] = cost.disk->bytes;
  }
  if (operations > 0) json["operations"] = operations;
  return json.dump() + "\n";
}

}  // namespace ocfsgw::bench
