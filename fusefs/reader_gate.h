#pragma once

#include <semaphore.h>

#include <atomic>
#include <memory>
#include <vector>

#include "base/blocking.h"
#include "base/mutex.h"

namespace ocfsgw::fusefs {

/// Lets few workers of a session wait for requests at a time, and always one at least: the others are parked,
/// and the one parked last is the first to come back. The kernel gives requests to all that wait in turn, so
/// with 64 of them each request would go to a thread that has long been asleep, with cold caches.
///
/// No request waits: whoever gets one while nobody else waits for the next calls a parked worker. If none is
/// parked, libfuse starts one.
///
/// An answer from memory is given sooner than another worker is awake, which would only take the processor
/// from the application that the answer is for. So after kCalm requests in a row of such a kind, one worker
/// alone waits, and stays the one who does while it answers; AboutToBlock makes it call another. It polls for
/// a moment before it sleeps, as to be woken takes longer than most applications take to ask again (much
/// longer where an idle processor is given back to a hypervisor); if that does not pay, seldom. If requests
/// come faster than one worker answers them, all wait again for a time. Should it block without AboutToBlock,
/// which is a fault, CallIfStuck calls another, late.
///
/// Thread-safe; the mutex is a leaf.
class ReaderGate final : public DutyHandover {
 public:
  /// What is known of a request that has been received.
  struct Received {
    bool quick = false;   ///< Answered from memory as a rule, and whatever blocks then calls AboutToBlock.
    bool waited = false;  ///< It was not there yet when the worker began to wait.
    bool polled_in_vain = false;
  };
  static constexpr int kCalm = 16;         ///< Quick requests in a row.
  static constexpr int kCrowd = 8;         ///< Requests in a row that were there already.
  static constexpr int kCrowdLasts = 256;  ///< Quick requests until one worker alone is tried again.
  static constexpr int kInVain = 4;        ///< Polls in a row, after which
  static constexpr int kNoPolls = 64;      ///< so many requests are waited for without.

  /// `readers`: how many may wait at a time, 1 or more; with 1 each request wakes another worker.
  explicit ReaderGate(size_t readers) : readers_max_(readers) {}
  ~ReaderGate();
  ReaderGate(const ReaderGate&) = delete;
  ReaderGate& operator=(const ReaderGate&) = delete;

  /// Call before waiting for a request; may park this thread. False: a signal came, and it is not to wait. A
  /// cancellation point as long as it is parked.
  bool Enter();
  /// Whether a worker that has entered is to poll for a request before it waits for one.
  bool MayPoll();
  /// Call after a wait that has brought a request. The worker may stay the one who waits until it enters
  /// again.
  void Leave(Received received);
  /// Call after a wait that has brought none.
  void Leave();
  /// To be called again and again. Calls a parked worker if nobody waits, and nobody has come or gone since
  /// the last call; whether it has.
  bool CallIfStuck();
  /// As many as a machine's processors can use: those there are, from 2 to 8.
  static size_t ReadersForThisMachine();

 private:
  struct Place {
    Place() { sem_init(&called, 0, 0); }
    ~Place() { sem_destroy(&called); }
    Place(const Place&) = delete;
    Place& operator=(const Place&) = delete;
    sem_t called;
  };

  void HandOver() override;
  bool Admit();
  /// One less that waits or has the duty; calls another if it was the last.
  void Withdraw();

  const size_t readers_max_;
  std::atomic<int> quick_in_a_row_{0};  // below 0 while there is a crowd
  std::atomic<int> at_once_in_a_row_{0};
  std::atomic<int> in_vain_in_a_row_{0};       // below 0: polls left out
  std::atomic<uint64_t> begun_{0}, ended_{0};  // waits for a request
  std::atomic<uint64_t> begun_before_{0};      // CallIfStuck
  Mutex mutex_;
  size_t readers_ GUARDED_BY(mutex_) = 0;          // those that wait, or have been called to
  std::vector<Place*> parked_ GUARDED_BY(mutex_);  // the latest last
  std::vector<Place*> free_ GUARDED_BY(mutex_);
  std::vector<std::unique_ptr<Place>> places_
      GUARDED_BY(mutex_);  // all of them: they outlive cancelled threads
};

}  // namespace ocfsgw::fusefs
