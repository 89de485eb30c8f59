#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace ocfsgw::cluster {

struct Outcome {
  int status = -1;     ///< Exit status of the command; 4 when the node is dead or the time is up.
  std::string output;  ///< What it printed, standard error included.
  bool ok() const { return status == 0; }
};

struct DiskReads {
  uint64_t sectors = 0;  ///< Of 512 bytes.
  uint64_t requests = 0;
};

/// The lab of user-mode-linux nodes, as scripts/cluster runs it (its header says what a node looks like).
/// Nodes count from 1. Every call runs the script and blocks until it is done. Thread-safe: it has no state
/// but the script's.
class Lab {
 public:
  static constexpr std::chrono::seconds kPatience{60};

  /// Boots the lab, or does nothing if it is up with that many nodes.
  Outcome Up(int nodes) const;
  /// Runs a bash command in the node, as root; it is killed when `patience` is over.
  Outcome On(int node, const std::string& command, std::chrono::seconds patience = kPatience) const;
  /// Pulls the plug.
  Outcome Kill(int node) const;
  /// Boots a dead node and mounts the volume.
  Outcome Boot(int node) const;
  Outcome DropCaches(int node) const;
  /// Takes the node off the network; its disks stay.
  Outcome Cut(int node) const;
  bool Alive(int node) const;
  /// What the node's console has shown since it booted, also that of a dead one. Throws std::runtime_error.
  std::string Console(int node) const;
  /// Runs a command in the node as On does, without patience; how many messages of the lock manager the node
  /// has sent and received meanwhile. Throws std::runtime_error if the command fails.
  uint64_t Messages(int node, const std::string& command) const;
  /// What the node has read from the shared disk since it booted. Throws std::runtime_error if the node does
  /// not answer.
  DiskReads Reads(int node) const;
};

}  // namespace ocfsgw::cluster
