#pragma once

#include <array>
#include <atomic>
#include <deque>
#include <functional>
#include <list>
#include <memory>
#include <optional>

#include "base/clock.h"
#include "base/executor.h"
#include "base/mutex.h"
#include "ocfs2-backend/table_domain.h"

namespace ocfsgw::ocfs2 {

/// Byte-range locks of fcntl(2) among all gateways of a volume. Thread-safe; nothing here blocks its caller
/// but Stop. Every request is answered once: on a thread of this class, or before the call returns.
///
/// A table has the locks of the inodes that its number is a hash of. What this gateway does to it happens in
/// memory, for as long as the table is held exclusively:
///
/// | held        | for                                      | given back                |
/// |-------------|------------------------------------------|---------------------------|
/// | nothing     | to give up what is not there             |                           |
/// | shared      | requests that wait, F_GETLK              | when wanted               |
/// | exclusively | whatever changes this gateway's locks    | when wanted, after a time |
///
/// Giving back writes the table to its file first. So the file has what other gateways hold, as none can
/// change that unseen, and of this one what it held then; its own locks it always knows, and when it dies
/// they are void. Whoever waits for a lock holds the table shared, so that the next change of it, by
/// whomever, makes him look again.
///
/// Locks of a gateway that is dead are removed by whom they hinder; a wait looks for that every kLookAgain.
/// A change is kept a moment before it is given back, so that two nodes that want the same lock over and over
/// do not write the table each time; a release ends that early.
///
/// Lock order: the mutex of a table is a leaf. Work on one table is done by one thread at a time. Threads
/// that may wait for another gateway give nothing back: two gateways cannot wait for each other.
class ByteRangeLocks {
 public:
  static constexpr size_t kWaitersMax = 1024;
  static constexpr Duration kLookAgain = std::chrono::seconds(1);
  static constexpr Duration kLateRelease = std::chrono::milliseconds(10);
  static constexpr Duration kKeepFree = std::chrono::milliseconds(10);
  static constexpr Duration kKeepLocked = std::chrono::milliseconds(40);

  using Done = std::function<void(const Status&)>;
  /// What excludes the lock asked for, if anything does.
  using Found = std::function<void(const Result<std::optional<RangeLock>>&)>;

  /// A lock that is asked for; to be made first, so that it can be cancelled from the beginning.
  class Request : public std::enable_shared_from_this<Request> {
   public:
    /// `instance` of `lock` does not count. `wait`: until it can be had, or Cancel.
    Request(const RangeLock& lock, bool wait, Done done)
        : kind_(Kind::kSet), lock_(lock), wait_(wait), done_(std::move(done)) {}

   private:
    friend class ByteRangeLocks;
    enum class Kind { kSet, kUnset, kDropOwner, kDropHandle, kTest };
    Request(Kind kind, const RangeLock& lock, Done done) : kind_(kind), lock_(lock), done_(std::move(done)) {}

    const Kind kind_;
    RangeLock lock_;
    const bool wait_ = false;
    const Done done_;
    Found found_;
    std::atomic<int> give_up_{0};  // errno to stop waiting with
  };
  using RequestPtr = std::shared_ptr<Request>;

  /// `timers` and `clock` outlive this; `timers` runs nothing any more when this is destroyed.
  ByteRangeLocks(std::unique_ptr<TableDomain> domain, Executor& timers, const Clock& clock);
  ~ByteRangeLocks() { Stop(); }

  /// EAGAIN if it cannot be had and is not to wait, EINTR if cancelled, ENOLCK if a bound is reached or the
  /// table cannot be used. A lock of this gateway that is in the way gets kLateRelease to go: the kernel says
  /// that an open file is closed only after close(2) has returned.
  void Set(const RequestPtr& request);
  /// Has `request` answered soon, if it still waits. May be called more than once, and before Set.
  void Cancel(const RequestPtr& request);
  void Unset(const RangeLock& range, Done done);
  void Test(const RangeLock& lock, Found found);
  /// All locks of an owner on an inode: a process has closed the file.
  void DropOwner(InodeId inode, uint64_t owner, Done done);
  /// All that were set through an open file: it is gone.
  void DropHandle(InodeId inode, uint64_t handle);

  /// Answers what waits with EINTR; returns when everything is answered. Its locks are void from here on.
  void Stop();
  uint64_t instance() const { return domain_->instance(); }

 private:
  using Kind = Request::Kind;
  struct Table {
    uint32_t number = 0;
    Mutex mutex;
    std::deque<RequestPtr> queue GUARDED_BY(mutex);
    bool busy GUARDED_BY(mutex) = false;     // a thread works on it, or is about to
    bool used GUARDED_BY(mutex) = false;     // has locks of this gateway, or may soon
    bool look GUARDED_BY(mutex) = false;     // waiting requests are to be looked at
    bool ticking GUARDED_BY(mutex) = false;  // a timer looks at the table later
    uint32_t grant GUARDED_BY(mutex) = 0;
    uint32_t wanted GUARDED_BY(mutex) = 0;  // the grant that somebody else wants

    // Of the thread that works on it.
    std::unique_ptr<TableDomain::Hold> hold;
    TableLevel level = TableLevel::kNone;
    RangeTable locks;      // this gateway's; everybody's while held
    bool changed = false;  // the file does not have it
    bool overdue = false;  // the same, and the table could not be had to write it
    bool failing = false;  // the last try to take it failed
    TimePoint taken_at{};
    TimePoint keep_until{};
    std::list<RequestPtr> waiting;
  };
  enum class Next { kNothing, kGiveBack, kServe, kLook, kPublish };

  Table& TableOf(InodeId inode);
  void Submit(const RequestPtr& request);
  void GiveUp(const RequestPtr& request, int error);
  void Kick(Table& table) EXCLUDES(table.mutex);
  void LookAfter(Table& table, Duration delay) EXCLUDES(table.mutex);
  void OnWanted(uint32_t number, uint32_t grant);

  // Works on the table until nothing is left to do, beginning with `request`, or with a look.
  void Run(Table& table, RequestPtr request, bool look);
  // On a thread that may wait; goes on with `request`, or a look if there is none.
  void TakeAndRun(Table& table, TableLevel level, RequestPtr request);
  Next WhatNext(Table& table, RequestPtr& request) EXCLUDES(table.mutex);
  bool MayGiveBack(const Table& table) const;
  // Does what is asked for; what has to be held first, kNone if it is done.
  TableLevel Serve(Table& table, const RequestPtr& request);
  TableLevel ServeSet(Table& table, const RequestPtr& request);
  TableLevel ServeRelease(Table& table, const Request& request);
  TableLevel Look(Table& table);
  bool Take(Table& table, TableLevel level) EXCLUDES(table.mutex);
  // The table could not be had: for `request`, or for what waits.
  void Fail(Table& table, const RequestPtr& request);
  void GiveBack(Table& table);
  void AnswerAll(Table& table) EXCLUDES(table.mutex);

  const RangeLock* LiveConflict(Table& table, const RangeLock& wanted);
  bool RemoveDead(Table& table);
  void ForgetOthers(Table& table);
  bool Mine(const RangeLock& lock) const { return lock.instance == domain_->instance(); }
  // False: too many wait, and it has been answered.
  bool Wait(Table& table, const RequestPtr& request);
  void Answer(const RequestPtr& request, const Status& status);

  const std::unique_ptr<TableDomain> domain_;
  Executor& timers_;
  const Clock& clock_;
  std::array<Table, TableDomain::kTables> tables_;
  std::atomic<size_t> waiters_{0};
  std::atomic<bool> stopped_{false};
  AsioExecutor acquirers_;  // threads that wait for other gateways
  AsioExecutor workers_;
};

}  // namespace ocfsgw::ocfs2
