#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <thread>

#include "base/mutex.h"
#include "base/status.h"
#include "coherence/coherent_fs.h"
#include "coherence/sealer.h"
#include "ctl/control_server.h"

namespace ocfsgw::fusefs {

/// A tree being sealed or unsealed, as the control socket tells of it: {"inodes":N} now and then, in the end
/// {"inodes":N,"already":BOOL} or {"error":TEXT}. Works on a thread of its own. When it is destroyed it stops
/// half-way, after the call of the backend that is under way.
class SealStream final : public ctl::ControlServer::Stream {
 public:
  enum class Direction { kSeal, kUnseal };

  /// `path`: of the tree, relative to the root of `fs`, without symbolic links. kInvalidArgument: there is no
  /// such directory.
  static Result<std::unique_ptr<Stream>> Start(coherence::CoherentFs& fs, const std::string& path,
                                               Direction direction);
  ~SealStream() override;
  SealStream(const SealStream&) = delete;
  SealStream& operator=(const SealStream&) = delete;

  std::string Next() override;

 private:
  SealStream(coherence::CoherentFs& fs, coherence::NodeRef root, std::string path, Direction direction);
  void Run(const coherence::NodeRef& root, const std::string& path, Direction direction);

  coherence::CoherentFs& fs_;
  std::atomic<bool> stop_{false};
  std::atomic<uint64_t> inodes_{0};
  uint64_t told_ = 0;
  Mutex mutex_;
  std::string last_ GUARDED_BY(mutex_);  // the last line; empty: not yet, or told
  std::thread thread_;                   // last: it uses the others
};

}  // namespace ocfsgw::fusefs
