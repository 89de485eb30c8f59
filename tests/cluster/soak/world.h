#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/mutex.h"
#include "tests/cluster/soak/node_line.h"
#include "tests/history/history.h"

namespace ocfsgw::cluster {

/// A mount in a node: the gateway's or OCFS2 itself.
struct Place {
  int node = 1;
  bool gateway = false;
  std::string Path(const std::string& name) const;
  uint32_t id() const { return static_cast<uint32_t>(node) * 2 + (gateway ? 1 : 0); }
  static uint32_t NodeOf(uint32_t id) { return id / 2; }
};

/// Registers and their values, as a write in the history has them.
using Writes = std::vector<std::pair<std::string, Words>>;

/// What a block is filled with says how it was written.
inline std::string BlockValue(uint64_t number, bool direct) {
  return std::to_string(2 * number + (direct ? 1 : 0));
}
inline bool IsDirectWrite(const history::Operation& write) {
  return write.object.starts_with("block:") && (write.values.back().back() - '0') % 2 == 1;
}

/// Something with registers of its own, changed by one client at a time.
///
/// A node that loses power may lose what it changed last: its objects are *unknown* then, and what is seen of
/// them does not go into the history until a client has repaired them (given them a known content).
struct Object {
  enum class Kind { kBlock, kDirectBlock, kFile, kName };
  Kind kind;
  std::string path;     ///< Below the soak's directory.
  uint64_t offset = 0;  ///< Blocks: in bytes.

  // For whoever has taken it:
  std::vector<unsigned char> content;  ///< kFile
  bool present = true;                 ///< kName
  std::string inode, hash;             ///< kName, while present

  std::atomic<bool> taken{false};
  std::atomic<int> last_node{0};   ///< That changed it.
  std::atomic<uint64_t> lost{0};   ///< Times that its node lost power,
  std::atomic<uint64_t> known{0};  ///< and the one after which it was repaired.

  Object(Kind k, std::string p, uint64_t o = 0) : kind(k), path(std::move(p)), offset(o) {}
  bool Known() const { return lost == known; }
  bool Take() { return !taken.exchange(true); }
  void Give() { taken = false; }
  std::string Register(const char* what) const { return std::string(what) + ":" + path; }
  std::string BlockRegister() const { return "block:" + path + "@" + std::to_string(offset / 4096); }
};

struct Options {
  int minutes = 3;
  uint64_t seed = 1;
  int nodes = 3;
  bool faults = true;
  bool known_gaps = false;
  std::string history;
};

struct Counters {
  std::atomic<uint64_t> looks{0}, announced{0}, changes{0}, failed{0}, unexpected{0};
};

/// What clients and faults share.
class World {
 public:
  struct Node {
    std::unique_ptr<NodeLine> line;
    std::atomic<bool> dying{false};    ///< From before it loses power until it is back.
    std::atomic<bool> faulty{false};   ///< Operations in it may fail or be late.
    std::atomic<bool> suspect{false};  ///< An operation failed.
    std::atomic<int> quiet{0};         ///< Grows when nothing is in flight any more of what failed before.
  };

  explicit World(const Options& options);

  Answer Ask(int client, const Place& place, const std::string& request);
  Node& At(int node) { return *nodes_[static_cast<size_t>(node - 1)]; }
  int nodes() const { return static_cast<int>(nodes_.size()); }
  void Record(history::Operation operation) EXCLUDES(mutex_);
  /// REQUIRES: nobody records any more.
  const std::vector<history::Operation>& history() const NO_THREAD_SAFETY_ANALYSIS { return history_; }
  /// One line on standard error.
  void Complain(const std::string& what);
  /// Waits until what failed in the node is over, or the soak is given up.
  void AwaitQuiet(int node);
  /// What the node changed last is unknown from now on.
  void LosePower(int node);

  const Options options;
  Counters counters;
  std::vector<std::unique_ptr<Object>> objects;
  std::map<std::string, std::vector<Object*>> directories;  ///< Names by directory.
  std::atomic<uint64_t> next_value{1};
  std::atomic<bool> stop{false};
  std::atomic<bool> give_up{false};  ///< Something hangs or does not come back.

 private:
  std::vector<std::unique_ptr<Node>> nodes_;
  Mutex mutex_;
  std::vector<history::Operation> history_ GUARDED_BY(mutex_);
};

}  // namespace ocfsgw::cluster
