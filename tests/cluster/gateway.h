#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "tests/cluster/lab.h"

namespace ocfsgw::cluster {

inline constexpr const char* kShared = "/mnt/shared";  // OCFS2 itself, in every node
inline constexpr const char* kGateway = "/mnt/gw";     // the gateway's mount, where there is one

/// A tree of files as one node sees it through one mount. In shell commands $d is the tree.
struct View {
  int node;
  std::string mount;
};

/// Runs a shell command in the node of the view, with d=MOUNT/NAME.
Outcome In(const View& view, const std::string& name, const std::string& command,
           std::chrono::seconds patience = Lab::kPatience);

/// Lets the other nodes run commands in this node within milliseconds, by the shell function kAsk.
Outcome ServeLooks(int node);
/// ask NODE 'COMMAND': in a command for Lab::On, prints what COMMAND prints in NODE. One line, no exit
/// status.
inline constexpr const char* kAsk =
    "ask() { exec 3<>/dev/tcp/192.0.2.$1/9000 || exit 1; printf '%s\\n' \"$2\" >&3; cat <&3; exec 3>&-; }\n";

/// The gateway of one node: mounted at kGateway over kShared, its cache on the node's own disk, leases from
/// o2dlm.
class Gateway {
 public:
  explicit Gateway(int node) : node_(node) {}

  int node() const { return node_; }
  View view() const { return {node_, kGateway}; }
  /// Mounts as an administrator would, with mount(8), unless it is mounted. `fresh`: with an empty cache
  /// directory. `more`: more options, as are those of OCFSGW_GATEWAY_OPTIONS in the environment.
  Outcome Mount(bool fresh = false, const std::string& more = {}) const;
  Outcome Unmount() const;
  /// Kills gateway and guardian together, as the kernel does when a container is out of memory, and removes
  /// the dead mount.
  Outcome Kill() const;
  /// Sends a signal to the gateway, not to its guardian.
  Outcome Signal(const std::string& signal) const;
  /// Where the gateway's threads and the processes that wait for it stand.
  std::string Stacks() const;
  /// How often the guardian has started it again since it was mounted.
  uint64_t Restarts() const;

  /// A metric as `ocfsgwctl status --json` reports it, by name and labels. Throws std::runtime_error if it is
  /// not there.
  uint64_t Metric(const std::string& name) const;
  /// "o2dlm" when leases come from OCFS2's lock manager.
  std::string LeaseProvider() const;

  /// Repeats `look` in $d until everything it shows is served under leases: at least `leases` more of them
  /// are held than `held_before`, and the last look read no block from the shared file system. The last
  /// look's output is the outcome.
  Outcome LookUntilLeased(const std::string& name, const std::string& look, uint64_t held_before,
                          uint64_t leases) const;

 private:
  std::string Status() const;
  int node_;
};

inline constexpr const char* kLeasesHeld = "ocfsgw_leases_held";
inline constexpr const char* kRecalls = "ocfsgw_recalls_total";
inline constexpr const char* kBackendReads = "ocfsgw_block_reads_total{from=\"backend\"}";
inline constexpr const char* kStoreReads = "ocfsgw_block_reads_total{from=\"store\"}";

}  // namespace ocfsgw::cluster
