// PHP sessions in files of one directory that all threads share.
//
// Source: the sequence of calls of PHP's "files" handler, php-src ext/session/mod_files.c (open, flock,
// fstat, pread, pwrite, close). Its clean-up runs in one of 100 requests by default (session.gc_probability
// 1, session.gc_divisor 100) and stats all files; here once in each round of 50 requests, so twice as often.
// That linux-cluster 2008-Dec/014518 names such directories as a trouble of cluster file systems is why it is
// here. The number of sessions (100 for each thread), their size (600 bytes) and that one request in 20 is a
// new session which replaces an old one are chosen.
#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>

#include "bench/workloads/files.h"
#include "bench/workloads/workload.h"

namespace ocfsgw::bench {
namespace {

constexpr size_t kSessions = 100;  // of each thread
constexpr size_t kRequests = 50;   // in a round
constexpr uint64_t kNewEvery = 20;
constexpr uint64_t kBytes = 600;

struct Session {
  std::string path;
  uint64_t version = 0;
};

class SessionDir : public Workload {
 public:
  explicit SessionDir(const WorkloadParameters& parameters)
      : seed_(parameters.seed), sessions_(parameters.threads), created_(parameters.threads) {}

  Status Prepare(Operations& ops) override {
    OCFSGW_RETURN_IF_ERROR(ops.MakeDirectory("sessions"));
    for (unsigned thread = 0; thread < sessions_.size(); ++thread) {
      for (size_t i = 0; i < kSessions; ++i) {
        const Session& session = sessions_[thread].emplace_back(NewSession(thread));
        OCFSGW_RETURN_IF_ERROR(MakeFile(ops, session.path, KeyFor(seed_, session.path, 0), kBytes));
      }
    }
    return Status::Ok();
  }

  Status Round(Operations& ops, unsigned thread, uint64_t round) override {
    Random random = RandomFor(seed_, thread, round);
    for (size_t i = 0; i < kRequests; ++i) {
      Session& session = sessions_[thread][random.Below(kSessions)];
      if (random.Below(kNewEvery) == 0) {
        OCFSGW_RETURN_IF_ERROR(Replace(ops, thread, session));
      } else {
        OCFSGW_RETURN_IF_ERROR(Request(ops, session));
      }
    }
    return CleanUp(ops, thread);
  }

 private:
  Session NewSession(unsigned thread) {
    const uint64_t number = created_[thread]++;
    return {fmt::format("sessions/sess_{:016x}_{}_{}", KeyFor(seed_, "session", number), thread, number), 0};
  }

  /// What was written last must be there; it is written over.
  Status Request(Operations& ops, Session& session) const {
    OCFSGW_ASSIGN_OR_RETURN(OpenedFile file, ops.Open(session.path, O_RDWR));
    OCFSGW_RETURN_IF_ERROR(ops.Lock(file));
    OCFSGW_ASSIGN_OR_RETURN(const uint64_t size, ops.Size(file));
    if (size != kBytes) return ops.Wrong(session.path, fmt::format("{} bytes long, not {}", size, kBytes));
    OCFSGW_RETURN_IF_ERROR(ReadPart(ops, file, KeyFor(seed_, session.path, session.version), 0, kBytes));
    std::array<std::byte, kBytes> bytes{};
    FillContent(KeyFor(seed_, session.path, ++session.version), 0, bytes);
    OCFSGW_RETURN_IF_ERROR(ops.Write(file, 0, bytes));
    return ops.Close(std::move(file));
  }

  Status Replace(Operations& ops, unsigned thread, Session& session) {
    OCFSGW_RETURN_IF_ERROR(ops.Remove(session.path));
    OCFSGW_RETURN_IF_ERROR(ops.StatMissing(session.path));
    session = NewSession(thread);
    return MakeFile(ops, session.path, KeyFor(seed_, session.path, 0), kBytes);
  }

  /// Lists and stats all; this thread's own sessions must be among them. Others' may be gone meanwhile.
  Status CleanUp(Operations& ops, unsigned thread) const {
    OCFSGW_ASSIGN_OR_RETURN(const std::vector<std::string> names, ops.List("sessions"));
    for (const std::string& name : names) {
      const Status status = ops.Stat("sessions/" + name);
      const bool own = name.find(fmt::format("_{}_", thread)) != std::string::npos;
      if (!status.ok() && (own || !status.IsErrno(ENOENT))) return status;
    }
    for (const Session& session : sessions_[thread]) {
      if (!std::binary_search(names.begin(), names.end(), session.path.substr(session.path.find('/') + 1))) {
        return ops.Wrong(session.path, "not listed");
      }
    }
    return Status::Ok();
  }

  const uint64_t seed_;
  std::vector<std::vector<Session>> sessions_;  // by thread: only that one uses them in a round
  std::vector<uint64_t> created_;
};

}  // namespace

std::unique_ptr<Workload> MakeSessionDir(const WorkloadParameters& parameters) {
  return std::make_unique<SessionDir>(parameters);
}

}  // namespace ocfsgw::bench
