#pragma once

#include <functional>
#include <random>
#include <string>
#include <vector>

#include "tests/cluster/soak/world.h"

namespace ocfsgw::cluster {

/// One actor of the soak: changes something at one place, waits for the answer, then looks at others
/// (*announced* looks); or just looks. Has one lane in each node. What it records lies between the moments
/// when it asked and when it had the answer, by the host's clock: no two clocks are compared.
class Client {
 public:
  Client(World& world, int number, uint64_t seed) : world_(world), number_(number), random_(seed) {}

  /// Makes the objects. To be run once, by one client, before the others start. False if it cannot be done.
  bool SetUp();
  /// Until World::stop.
  void Run();
  /// Looks at every object whose index is `number` modulo `clients` at every place. REQUIRES: no changes any
  /// more.
  void Sweep(int clients);

 private:
  struct Step {
    std::function<std::string(const Place&)> request;
    std::function<Writes(const Words& results)> done;  ///< Takes it into the object, too.
    Writes unsure;                                     ///< If it is not known whether it was done.
    int harmless = 0;                                  ///< An errno that means that there was nothing to do.
  };
  using Objects = std::vector<Object*>;

  void Episode();
  void Change(const Objects& objects, const Place& place, const Step& step);
  void Repair(const Objects& objects, Writes unsure, int64_t since);
  bool Do(const Step& step, const Place& place, Writes& unsure);
  void RecordWrites(const Writes& writes, const Place& place, int64_t start, int64_t end);
  void Flush();
  bool Look(Object& object, const Place& place);
  void Judge(const Answer& answer, const Place& place, const std::string& request);

  Step PlanChange(Object& object, Object* other);
  std::vector<Step> PlanRepair(Object& object);
  Step WriteBlock(Object& object, const std::string& operation);
  Step WriteFile(Object& object, const std::string& operation, size_t keep, size_t add);
  Step SetAttribute(Object& object, bool mode);
  Step Create(Object& object);
  Step Unlink(Object& object);
  Step Rename(Object& from, Object& to);
  std::string PlanLook(const Object& object, const Place& place);

  uint64_t Random(uint64_t bound) { return random_() % bound; }
  Object& RandomObject();
  Place RandomPlace();

  World& world_;
  const int number_;
  std::mt19937_64 random_;
  int64_t sent_ = 0, received_ = 0;        // of the last step
  std::vector<history::Operation> batch_;  // writes not yet in the history
  uint32_t Writer() const { return 10'000 + static_cast<uint32_t>(number_); }
};

}  // namespace ocfsgw::cluster
