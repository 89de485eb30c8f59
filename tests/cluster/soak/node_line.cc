#include "tests/cluster/soak/node_line.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <sstream>
#include <stdexcept>

#include "tests/cluster/lab.h"

namespace ocfsgw::cluster {
namespace {

int OpenLine(const std::string& path) {
  // Also for reading, so that the line survives the node.
  const int fd = open(path.c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC);
  if (fd < 0) throw std::runtime_error("no line to the node: " + path);
  return fd;
}

void Drain(int fd) {
  char bytes[4096];
  while (read(fd, bytes, sizeof bytes) > 0) continue;
}

}  // namespace

int64_t NowNs() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

NodeLine::NodeLine(int node, const std::string& directory)
    : node_(node),
      in_(OpenLine(directory + "/line.in")),
      out_(OpenLine(directory + "/line.out")),
      generation_(static_cast<int>(NowNs() / 1'000'000'000 % 1'000'000'000)),
      receiver_([this] { Receive(); }) {}

NodeLine::~NodeLine() {
  {
    const MutexLock lock(mutex_);
    stop_ = true;
  }
  receiver_.join();
  close(in_);
  close(out_);
}

bool NodeLine::Start(int lanes) {
  int generation;
  {
    const MutexLock lock(mutex_);
    generation = ++generation_;
    ready_ = false;
  }
  const Outcome started =
      Lab().On(node_, "pkill -KILL -x soak_worker; soak_worker " + std::to_string(lanes) + " " +
                          std::to_string(generation) + " </dev/ttyS0 >/dev/ttyS0 2>/lab/soak_worker.err &");
  const TimePoint deadline = std::chrono::steady_clock::now() + Lab::kPatience;
  const MutexLock lock(mutex_);
  while (started.ok() && !ready_ && changed_.WaitUntil(mutex_, deadline)) continue;
  if (!ready_)
    std::fprintf(stderr, "node %d: the worker does not start: %s\n", node_, started.output.c_str());
  return ready_;
}

void NodeLine::Drop() {
  const MutexLock lock(mutex_);
  Drain(in_);
  ++generation_;
  ready_ = false;
  for (auto& [lane, request] : waiting_) request->done = true;
  changed_.NotifyAll();
}

Answer NodeLine::Ask(int lane, const std::string& request, std::chrono::seconds patience) {
  Request mine;
  mine.answer.sent = NowNs();
  const TimePoint deadline = std::chrono::steady_clock::now() + patience;
  const MutexLock lock(mutex_);
  if (ready_) {
    waiting_[lane] = &mine;
    const std::string line = std::to_string(generation_) + " " + std::to_string(lane) + " " + request + "\n";
    // Short enough for a FIFO to take it whole or not at all.
    if (write(in_, line.data(), line.size()) == static_cast<ssize_t>(line.size())) {
      while (!mine.done && changed_.WaitUntil(mutex_, deadline)) continue;
    }
    waiting_.erase(lane);
  }
  mine.answer.received = NowNs();
  return mine.answer;
}

void NodeLine::Receive() {
  std::string buffer;
  while (true) {
    {
      const MutexLock lock(mutex_);
      if (stop_) return;
    }
    pollfd readable{out_, POLLIN, 0};
    poll(&readable, 1, 100);
    char bytes[4096];
    const ssize_t n = read(out_, bytes, sizeof bytes);
    if (n <= 0) continue;
    buffer.append(bytes, static_cast<size_t>(n));
    for (size_t end = 0; (end = buffer.find('\n')) != buffer.npos; buffer.erase(0, end + 1)) {
      Take(buffer.substr(0, end));
    }
  }
}

void NodeLine::Take(const std::string& line) {
  std::istringstream in(line);
  int generation = 0;
  std::string lane, outcome;
  if (!(in >> generation >> lane)) return;
  const MutexLock lock(mutex_);
  if (generation != generation_) return;  // of a worker that is gone
  if (lane == "ready") {
    ready_ = true;
  } else if (const auto it = waiting_.find(std::atoi(lane.c_str())); it != waiting_.end() && in >> outcome) {
    Answer& answer = it->second->answer;
    if (outcome == "ok") {
      answer.outcome = Answer::Outcome::kOk;
      for (std::string word; in >> word;) answer.results.push_back(word);
    } else {
      answer.outcome = Answer::Outcome::kFailed;
      answer.error = std::atoi(outcome.c_str());
    }
    it->second->done = true;
  }
  changed_.NotifyAll();
}

}  // namespace ocfsgw::cluster
