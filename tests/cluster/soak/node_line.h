#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "base/mutex.h"

namespace ocfsgw::cluster {

using Words = std::vector<std::string>;

struct Answer {
  enum class Outcome {
    kOk,
    kFailed,  ///< By `error`: it may have been done all the same, if it was a change.
    kLost,    ///< The node died or did not answer in time: likewise.
  };
  Outcome outcome = Outcome::kLost;
  int error = 0;         ///< errno for kFailed.
  Words results;         ///< For kOk.
  bool excused = false;  ///< Something was broken on purpose meanwhile. For the asker to set.
  /// ns of the host's monotonic clock. What was asked for happened between them.
  int64_t sent = 0, received = 0;
  bool ok() const { return outcome == Outcome::kOk; }
};

/// The serial line to the soak_worker of one node. Thread-safe; one request at a time for each lane.
class NodeLine {
 public:
  /// Opens the line; `directory` is the node's on the host.
  NodeLine(int node, const std::string& directory);
  ~NodeLine();
  NodeLine(const NodeLine&) = delete;
  NodeLine& operator=(const NodeLine&) = delete;

  /// Starts the worker and waits until it is ready. False, with a line on standard error, if it does not come
  /// up.
  bool Start(int lanes);
  /// The node is dead: all requests are lost, and what is still in the line is thrown away.
  void Drop();
  /// Sends a request and waits for its answer.
  Answer Ask(int lane, const std::string& request, std::chrono::seconds patience = kPatience);

  static constexpr std::chrono::seconds kPatience{150};

 private:
  struct Request {
    bool done = false;
    Answer answer;
  };
  void Receive();
  void Take(const std::string& line) EXCLUDES(mutex_);

  const int node_;
  const int in_, out_;  // as the node sees them
  Mutex mutex_;
  CondVar changed_;
  int generation_ GUARDED_BY(mutex_);
  bool ready_ GUARDED_BY(mutex_) = false;
  bool stop_ GUARDED_BY(mutex_) = false;
  std::map<int, Request*> waiting_ GUARDED_BY(mutex_);  // by lane
  std::thread receiver_;
};

int64_t NowNs();

}  // namespace ocfsgw::cluster
