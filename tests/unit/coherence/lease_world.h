#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "coherence/lease_state.h"

namespace ocfsgw::coherence {

/// What the driver of LeaseState can do wrong: the exploration must find each of them.
enum class Mistake : uint8_t {
  kNone,
  kIgnoresDistrust,           ///< Attributes are not taken back before the lease is released.
  kAnswersAnyway,             ///< A READ is answered although BeginReply said no.
  kInvalidatesPagesInFlight,  ///< Pages of requests that the kernel has sent are not left out.
  kTicketsTooLate,            ///< An uncovered READ draws its ticket after it has read.
  kAnswersWhileSuspect,       ///< GETATTR does not wait for suspect pages.
  kForgetsToInvalidate,       ///< Says that pages were taken back which were not.
};

enum class Role : uint8_t {
  kReader,        ///< read(): asks for attributes unless they are trusted, then uses the page or asks for it.
  kStat,          ///< stat()
  kCachedWriter,  ///< write() through the page cache, of all or of a part of a page.
  kDirectWriter,  ///< A change without pages: truncate, O_DIRECT.
  kRemoteWriter,  ///< On a node without gateway; `node` means nothing.
  kLoss,          ///< The provider loses all leases of the node.
  kCrash,         ///< The gateway dies; its guardian takes everything back and closes the lease.
  kRecalls,       ///< The provider's thread. This and the following are made by World itself.
  kAcquirer,
  kNotifier,
  kTimer,
};

struct Job {
  Role role;
  uint8_t node = 0;
};

struct Scenario {
  uint8_t nodes = 1;
  std::vector<Job> jobs;
  uint8_t acquisitions = 2;  ///< At most so many are granted, of all nodes; with 0 none is asked for.
  uint8_t refusals = 0;      ///< At most so many of them may be refused.
  bool timers = false;       ///< Timers may fire, at any moment.
  bool at_once = false;      ///< Recalls release at once: nobody has the file open for a mapping.
  bool stored = false;       ///< Blocks are found in the page store, under the stamp of the lease.
  Mistake mistake = Mistake::kNone;
};

/// Thread::at when nothing is left to do.
constexpr uint8_t kDone = 255;

/// One thread of a node, program, kernel and gateway in one, at step `at` of its role.
struct Thread {
  Role role = Role::kReader;
  uint8_t node = 0;
  uint8_t at = 0;
  uint8_t tries = 0;
  uint8_t version = 0;  ///< What it has read or written.
  uint8_t must = 0;     ///< The version whose write had returned when it began.
  uint8_t key = 0;      ///< Of a lease being granted or recalled, then of the one that `todo` releases.
  bool have = false;    ///< It has a view of `epoch`.
  bool trust = false;
  bool asked = false;    ///< Its GETATTR was sent, and no attributes were taken back since.
  bool pages = true;     ///< kNotifier: its invalidation has the page in its ranges.
  bool excused = false;  ///< Leases were lost while it read.
  uint32_t epoch = 0;
  uint64_t mark = 0;  ///< Ticket, or what GETATTR waits for.
  PageMarks marks;    ///< kNotifier
  LeaseActions todo;  ///< What its last event asked for and it has not done yet.
  uint32_t todo_epoch = 0;
};

struct Node {
  LeaseState state;
  uint8_t key = 0;   ///< Of the lease; 0: none.
  uint8_t attr = 0;  ///< The version that it was granted for.
  uint8_t changes = 0;
  uint8_t in_flight = 0;  ///< Requests whose page is locked and left out by invalidations.
  bool dead = false;
  bool lost = false;  ///< As `excused`, and not everything has been taken back yet.
  // The kernel.
  bool trusted = false;
  uint8_t known = 0;  ///< The version of its attributes.
  bool locked = false;
  bool uptodate = false;
  bool covered = false;  ///< The page was answered under a lease.
  uint8_t page = 0;
  // The lock.
  uint8_t open = 0;  ///< Key of the open lease; 0: none.
  uint8_t told = 0;  ///< Key for which a recall was delivered.
};

/// Recalls and changes begin a hold-off that ends then.
constexpr TimePoint kHoldOffEnd = TimePoint(std::chrono::seconds(2));

inline bool Idle(const LeaseActions& todo) {
  return !todo.distrust && !todo.release && !todo.acquire && !todo.invalidate && !todo.start_timer;
}

/// One file of one page on a shared volume, the lock manager, and nodes with a kernel and a gateway each: a
/// tiny model around real LeaseState objects. The lock: an exclusive request that is queued lets nobody pass,
/// not even the node's own kernel, and is granted when no lease is open.
class World {
 public:
  /// `scenario` outlives the world and its copies.
  explicit World(const Scenario& scenario);

  struct Step {
    size_t thread;
    uint8_t choice;
  };
  /// The steps that may be possible now; Do says which are.
  std::vector<Step> Candidates() const;
  /// False if the step is not possible: the world is of no use then.
  bool Do(const Step& step);
  /// Of a step before it is done.
  std::string Describe(const Step& step) const;

  /// What went wrong, or empty.
  const std::string& violation() const { return violation_; }
  /// All operations are finished, nothing is suspect, nobody waits.
  bool Finished() const;
  /// All that the future depends on; threads that are alike are not told apart.
  std::string Signature() const;

  /// What has happened so far, as bits.
  enum Seen : uint32_t {
    kHit = 1,
    kTrusted = 2,
    kForced = 4,
    kCancelled = 8,
    kRefused = 16,
    kUncovered = 32,
    kReadAgain = 64,
    kTimerFired = 128,
    kLost = 256,
    kCrashed = 512,
  };
  uint32_t seen() const { return seen_; }

 private:
  bool DoTodo(Thread& t, Node& n);
  void Take(Thread& t, Node& n, const LeaseActions& actions);
  bool Run(Thread& t, Node& n, uint8_t choice);
  bool AskForAttributes(Thread& t, Node& n, uint8_t choice);
  bool AskForPage(Thread& t, Node& n, uint8_t choice);
  bool Write(Thread& t, Node& n, uint8_t choice);
  bool WriteRemotely(Thread& t);
  bool Recall(Thread& t, Node& n);
  bool Acquire(Thread& t, Node& n, uint8_t choice);
  bool TakePagesBack(Thread& t, Node& n);
  bool Lose(Thread& t, Node& n);
  bool Crash(Thread& t, Node& n);

  void Want(Thread& t, Node& n, bool urgent, uint8_t choice);
  bool ReadBackend(Thread& t) const;
  bool TakeExclusively(Thread& t);
  void ForgetAttributes(uint8_t node);
  void Check(const Thread& t, uint8_t version, const char* what);
  void Excuse(uint8_t node);
  void Require(bool holds, const char* what);

  const Scenario* scenario_;
  uint8_t acquisitions_;
  uint8_t refusals_;
  std::vector<Node> nodes_;
  std::vector<Thread> threads_;
  std::vector<Thread> born_;
  uint8_t volume_ = 1;
  uint8_t done_ = 1;  ///< The youngest version whose write has returned.
  uint8_t queued_ = 0;
  uint8_t keys_ = 0;
  uint32_t seen_ = 0;
  std::string violation_;
};

}  // namespace ocfsgw::coherence
