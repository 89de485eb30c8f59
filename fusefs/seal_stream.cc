#include "fusefs/seal_stream.h"

#include <sys/stat.h>

#include <filesystem>

#include "base/log.h"

namespace ocfsgw::fusefs {

using coherence::InodePtr;
using coherence::NodeRef;
using coherence::Sealer;

Result<std::unique_ptr<ctl::ControlServer::Stream>> SealStream::Start(coherence::CoherentFs& fs,
                                                                      const std::string& path,
                                                                      Direction direction) {
  OCFSGW_ASSIGN_OR_RETURN(const coherence::Entry root, fs.Root());
  InodePtr at = root.inode;
  for (const auto& name : std::filesystem::path(path)) {
    const auto next = fs.Lookup(at, name);
    if (!next.ok()) return Status(StatusCode::kInvalidArgument, path + ": " + next.status().ToString());
    at = next->inode;
  }
  return std::unique_ptr<Stream>(new SealStream(fs, at->node, path.empty() ? "." : path, direction));
}

SealStream::SealStream(coherence::CoherentFs& fs, NodeRef root, std::string path, Direction direction)
    : fs_(fs), thread_([this, root = std::move(root), path = std::move(path), direction] {
        Run(root, path, direction);
      }) {}

SealStream::~SealStream() {
  stop_.store(true);
  thread_.join();
}

void SealStream::Run(const NodeRef& root, const std::string& path, Direction direction) {
  Sealer sealer(fs_.backend(), [this](uint64_t inodes) {
    inodes_.store(inodes);
    return !stop_.load();
  });
  const bool seal = direction == Direction::kSeal;
  const char* const what = seal ? "sealed" : "unsealed";
  const auto report = seal ? sealer.Seal(root, path) : sealer.Unseal(root, path);
  nlohmann::json line;
  if (report.ok()) {
    log::Info("{}: {}, {} files and directories", path, what, report->inodes);
    line = {{"inodes", report->inodes}, {"already", report->already}};
  } else {
    log::Warning("{}: not {}: {}", path, what, report.status().ToString());
    line = {{"error", report.status().ToString()}};
  }
  MutexLock lock(mutex_);
  last_ = line.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

std::string SealStream::Next() {
  {
    MutexLock lock(mutex_);
    if (!last_.empty()) return std::exchange(last_, {});
  }
  const uint64_t inodes = inodes_.load();
  if (inodes == std::exchange(told_, inodes)) return {};
  return nlohmann::json{{"inodes", inodes}}.dump() + "\n";
}

}  // namespace ocfsgw::fusefs
