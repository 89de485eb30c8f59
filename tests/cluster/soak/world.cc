#include "tests/cluster/soak/world.h"

#include <cstdio>
#include <cstdlib>
#include <thread>

#include "tests/cluster/gateway.h"

namespace ocfsgw::cluster {
namespace {

// Many inodes, so that most are left alone long enough to be cached under a lease.
constexpr int kBlockFiles = 20, kDirectFiles = 4, kBlocks = 8, kSmallFiles = 30, kDirectories = 6,
              kNames = 10;

}  // namespace

std::string Place::Path(const std::string& name) const {
  return std::string(gateway ? kGateway : kShared) + "/soak/" + name;
}

World::World(const Options& chosen) : options(chosen) {
  const char* lab = std::getenv("OCFSGW_LAB");
  for (int n = 1; n <= options.nodes; ++n) {
    nodes_.push_back(std::make_unique<Node>());
    nodes_.back()->line = std::make_unique<NodeLine>(
        n, std::string(lab == nullptr ? "/tmp/ocfsgw-lab" : lab) + "/node" + std::to_string(n));
  }
  const auto blocks = [this](Object::Kind kind, const std::string& path) {
    for (uint64_t i = 0; i < kBlocks; ++i) objects.push_back(std::make_unique<Object>(kind, path, i * 4096));
  };
  for (int i = 0; i < kBlockFiles; ++i) blocks(Object::Kind::kBlock, "b" + std::to_string(i));
  for (int i = 0; i < kDirectFiles; ++i) blocks(Object::Kind::kDirectBlock, "d" + std::to_string(i));
  for (int i = 0; i < kSmallFiles; ++i) {
    objects.push_back(std::make_unique<Object>(Object::Kind::kFile, "s" + std::to_string(i)));
  }
  for (int i = 0; i < kDirectories; ++i) {
    const std::string directory = "n" + std::to_string(i);
    for (int j = 0; j < kNames; ++j) {
      objects.push_back(std::make_unique<Object>(Object::Kind::kName, directory + "/" + std::to_string(j)));
      directories[directory].push_back(objects.back().get());
    }
  }
}

Answer World::Ask(int client, const Place& place, const std::string& request) {
  Node& node = At(place.node);
  const auto broken = [&] { return node.dying || node.faulty; };
  const int quiet = node.quiet;
  const bool before = broken();
  Answer answer = node.line->Ask(client, request);
  answer.excused = before || broken() || node.quiet != quiet;
  if (answer.outcome == Answer::Outcome::kLost && !answer.excused) {
    give_up = stop = true;
    Complain("node " + std::to_string(place.node) + " does not answer: " + request);
  }
  return answer;
}

void World::Record(history::Operation operation) {
  const MutexLock lock(mutex_);
  history_.push_back(std::move(operation));
}

void World::Complain(const std::string& what) { std::fprintf(stderr, "soak: %s\n", what.c_str()); }

void World::AwaitQuiet(int node) {
  Node& n = At(node);
  const int before = n.quiet;
  n.suspect = true;
  while (n.quiet == before && !give_up) std::this_thread::sleep_for(std::chrono::milliseconds(20));
}

void World::LosePower(int node) {
  At(node).dying = true;  // before the objects are looked at: a change that returns after this is not trusted
  for (const auto& object : objects) {
    if (object->last_node == node) ++object->lost;
  }
}

}  // namespace ocfsgw::cluster
