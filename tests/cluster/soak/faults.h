#pragma once

#include <map>
#include <random>
#include <string>

#include "tests/cluster/soak/world.h"

namespace ocfsgw::cluster {

/// Brings gateways and workers up, breaks things one at a time, puts them right again, and adds up what the
/// gateways counted.
class Faults {
 public:
  Faults(World& world, int clients, uint64_t seed) : world_(world), clients_(clients), random_(seed) {}

  /// Worker and gateway of every node. False, with a line on standard error, if one does not come up.
  bool Start();
  /// Until World::stop.
  void Run();
  /// Whether every node serves both mounts.
  bool AllBack();
  /// A gateway's metric, over all gateways and all their lives.
  uint64_t Total(const std::string& metric) const;
  /// Sorts of faults, with how often each was done.
  std::string Summary() const;
  /// Asks the gateways for their metrics.
  void Sample();
  /// Puts right what clients have found broken.
  void CheckSuspects();

 private:
  struct Counts {
    uint64_t past = 0, now = 0;
  };
  bool StartNode(int node);
  void One();
  void KillGateway(int node);
  void StopGateway(int node);
  void CutShortly(int node);
  void LoseNode(int node, bool by_cut);
  bool EnsureGateway(int node);
  void Quiet(int node);
  void Wait(std::chrono::milliseconds time);

  World& world_;
  const int clients_;
  std::mt19937_64 random_;
  std::map<std::pair<int, std::string>, Counts> counts_;
  std::map<std::string, int> done_;
};

}  // namespace ocfsgw::cluster
