#include "ocfs2-backend/byte_range_locks.h"

#include <algorithm>
#include <cerrno>
#include <utility>

#include "base/log.h"

namespace ocfsgw::ocfs2 {
namespace {

constexpr size_t kAcquirers = 16;
constexpr size_t kWorkers = 8;
// One task for each table that is worked on, never more.
constexpr size_t kQueueMax = 2 * TableDomain::kTables;
// Taking away from the middle of a lock makes two of it: room for that is left.
constexpr size_t kLocksMax = kTableLocksMax - 512;

Status NoLock(const char* why) { return Status::FromErrno(ENOLCK, why); }

}  // namespace

ByteRangeLocks::ByteRangeLocks(std::unique_ptr<TableDomain> domain, Executor& timers, const Clock& clock)
    : domain_(std::move(domain)),
      timers_(timers),
      clock_(clock),
      acquirers_({.name = "range-acquire", .threads = kAcquirers, .queue_max = kQueueMax}),
      workers_({.name = "ranges", .threads = kWorkers, .queue_max = kQueueMax}) {
  for (uint32_t number = 0; number < tables_.size(); ++number) tables_[number].number = number;
  domain_->Start([this](uint32_t number, uint32_t grant) { OnWanted(number, grant); });
}

ByteRangeLocks::Table& ByteRangeLocks::TableOf(InodeId inode) {
  return tables_[HashMix(inode.ino, inode.generation) % tables_.size()];
}

// --- requests ---

void ByteRangeLocks::Set(const RequestPtr& request) {
  request->lock_.instance = instance();
  Submit(request);
}

void ByteRangeLocks::Cancel(const RequestPtr& request) { GiveUp(request, EINTR); }

void ByteRangeLocks::GiveUp(const RequestPtr& request, int error) {
  request->give_up_.store(error);
  Table& table = TableOf(request->lock_.inode);
  {
    MutexLock lock(table.mutex);
    table.look = true;
  }
  Kick(table);
}

void ByteRangeLocks::Unset(const RangeLock& range, Done done) {
  RangeLock mine = range;
  mine.instance = instance();
  Submit(RequestPtr(new Request(Kind::kUnset, mine, std::move(done))));
}

void ByteRangeLocks::Test(const RangeLock& lock, Found found) {
  RangeLock mine = lock;
  mine.instance = instance();
  RequestPtr request(new Request(Kind::kTest, mine, nullptr));
  request->found_ = std::move(found);
  Submit(request);
}

void ByteRangeLocks::DropOwner(InodeId inode, uint64_t owner, Done done) {
  const RangeLock all{.inode = inode, .instance = instance(), .owner = owner};
  Submit(RequestPtr(new Request(Kind::kDropOwner, all, std::move(done))));
}

void ByteRangeLocks::DropHandle(InodeId inode, uint64_t handle) {
  const RangeLock all{.inode = inode, .instance = instance(), .handle = handle};
  Submit(RequestPtr(new Request(Kind::kDropHandle, all, [](const Status&) {})));
}

void ByteRangeLocks::Submit(const RequestPtr& request) {
  Table& table = TableOf(request->lock_.inode);
  const bool adds = request->kind_ == Kind::kSet;
  bool nothing_there = false;
  {
    MutexLock lock(table.mutex);
    nothing_there = !adds && request->kind_ != Kind::kTest && !table.used;
    if (!nothing_there) table.queue.push_back(request);
    table.used = table.used || adds;
  }
  if (nothing_there) {
    Answer(request, Status::Ok());
  } else {
    Kick(table);
  }
}

void ByteRangeLocks::Answer(const RequestPtr& request, const Status& status) {
  if (request->kind_ == Kind::kTest) {
    request->found_(status);
  } else {
    request->done_(status);
  }
}

// --- who works on a table ---

void ByteRangeLocks::OnWanted(uint32_t number, uint32_t grant) {
  Table& table = tables_[number];
  {
    MutexLock lock(table.mutex);
    if (grant != table.grant) return;
    table.wanted = grant;
  }
  Kick(table);
}

void ByteRangeLocks::Kick(Table& table) {
  {
    MutexLock lock(table.mutex);
    if (table.busy) return;
    table.busy = true;
  }
  if (workers_.Post([this, &table] { Run(table, nullptr, false); })) return;
  MutexLock lock(table.mutex);  // it has been stopped
  table.busy = false;
}

void ByteRangeLocks::LookAfter(Table& table, Duration delay) {
  timers_.PostAfter(delay, [this, &table] {
    {
      MutexLock lock(table.mutex);
      table.ticking = false;
      table.look = true;
    }
    Kick(table);
  });
}

void ByteRangeLocks::Run(Table& table, RequestPtr request, bool look) {
  for (;;) {
    if (stopped_.load()) {
      if (request) Answer(request, Status::FromErrno(EINTR, "byte-range lock"));
      AnswerAll(table);
      MutexLock lock(table.mutex);
      table.busy = false;
      return;
    }
    const Next next = request ? Next::kServe : look ? Next::kLook : WhatNext(table, request);
    look = false;
    TableLevel needed = TableLevel::kNone;
    switch (next) {
      case Next::kNothing:
        return;
      case Next::kGiveBack:
        GiveBack(table);
        break;
      case Next::kServe:
        needed = Serve(table, request);
        break;
      case Next::kLook:
        needed = Look(table);
        break;
      case Next::kPublish:
        needed = TableLevel::kExclusive;
        break;
    }
    if (needed != TableLevel::kNone) {
      if (acquirers_.Post([this, &table, needed, request] { TakeAndRun(table, needed, request); })) return;
      Fail(table, request);
    }
    request = nullptr;
  }
}

void ByteRangeLocks::TakeAndRun(Table& table, TableLevel level, RequestPtr request) {
  const bool taken = !stopped_.load() && Take(table, level);
  if (!taken) Fail(table, std::exchange(request, nullptr));
  const bool look = taken && !request;
  // Elsewhere: threads like this one are few, and all of them may have to wait.
  if (!workers_.Post([this, &table, request, look] { Run(table, request, look); })) Run(table, request, look);
}

ByteRangeLocks::Next ByteRangeLocks::WhatNext(Table& table, RequestPtr& request) {
  bool look_again = false;
  Duration keep{0};
  {
    MutexLock lock(table.mutex);
    const bool wanted = table.wanted == table.grant && table.level != TableLevel::kNone;
    if (wanted && MayGiveBack(table)) return Next::kGiveBack;
    if (!table.queue.empty()) {
      request = std::move(table.queue.front());
      table.queue.pop_front();
      return Next::kServe;
    }
    if (std::exchange(table.look, false)) {
      if (table.overdue) return Next::kPublish;
      if (!table.waiting.empty()) return Next::kLook;
    }
    const auto& locks = table.locks.locks();
    table.busy = false;
    table.used = !table.waiting.empty() ||
                 std::any_of(locks.begin(), locks.end(), [this](const RangeLock& l) { return Mine(l); });
    look_again = (table.overdue || !table.waiting.empty()) && !std::exchange(table.ticking, true);
    if (wanted) keep = std::max<Duration>(table.keep_until - clock_.Now(), std::chrono::milliseconds(1));
  }
  // Somebody else may work on the table by now.
  if (look_again) LookAfter(table, kLookAgain);
  if (keep > Duration{0}) timers_.PostAfter(keep, [this, &table] { Kick(table); });
  return Next::kNothing;
}

bool ByteRangeLocks::MayGiveBack(const Table& table) const {
  return table.level == TableLevel::kShared || clock_.Now() >= table.keep_until;
}

bool ByteRangeLocks::Take(Table& table, TableLevel level) {
  // Shared is not turned into exclusive: two gateways that both did would wait for each other.
  table.hold.reset();
  ForgetOthers(table);
  uint32_t grant = 0;
  {
    MutexLock lock(table.mutex);
    grant = ++table.grant == 0 ? ++table.grant : table.grant;
  }
  auto hold = domain_->Take(table.number, level, grant);
  Status status = hold.status();
  if (hold.ok()) {
    const auto locks = (*hold)->Read();
    status = locks.status();
    if (locks.ok()) {
      table.hold = std::move(*hold);
      table.level = level;
      table.taken_at = table.keep_until = clock_.Now();
      table.failing = false;
      if (level == TableLevel::kExclusive) table.overdue = false;
      for (const RangeLock& lock : *locks) {
        if (!Mine(lock)) table.locks.Add({&lock, 1});
      }
      return true;
    }
  }
  if (!std::exchange(table.failing, true)) {
    log::Error("byte-range locks, table {:03x}: {}; locks of its files fail with ENOLCK for now",
               table.number, status.ToString());
  }
  return false;
}

void ByteRangeLocks::Fail(Table& table, const RequestPtr& request) {
  if (!request) {
    for (const auto& waiter : std::exchange(table.waiting, {})) {
      waiters_.fetch_sub(1);
      Answer(waiter, NoLock("byte-range lock"));
    }
  } else if (request->kind_ == Kind::kSet || request->kind_ == Kind::kTest) {
    Answer(request, NoLock("byte-range lock"));
  } else {
    // What an application has given up it does not come back for.
    table.overdue = true;
    static_cast<void>(ServeRelease(table, *request));
    Answer(request, Status::Ok());
  }
}

void ByteRangeLocks::GiveBack(Table& table) {
  if (std::exchange(table.changed, false)) {
    if (const Status written = table.hold->Write(table.locks.locks()); !written.ok()) {
      log::Error("byte-range locks, table {:03x}: cannot be written ({}); other nodes do not see its locks",
                 table.number, written.ToString());
      table.changed = table.overdue = true;
    }
  }
  table.hold.reset();
  ForgetOthers(table);
  MutexLock lock(table.mutex);
  table.look = true;
}

void ByteRangeLocks::ForgetOthers(Table& table) {
  table.level = TableLevel::kNone;
  table.locks.Remove([this](const RangeLock& lock) { return !Mine(lock); });
}

// --- what is asked for ---

TableLevel ByteRangeLocks::Serve(Table& table, const RequestPtr& request) {
  if (request->kind_ == Kind::kSet) return ServeSet(table, request);
  if (request->kind_ == Kind::kTest) {
    if (table.level == TableLevel::kNone) return TableLevel::kShared;
    const RangeLock* const conflict = LiveConflict(table, request->lock_);
    request->found_(conflict == nullptr ? std::nullopt : std::optional(*conflict));
    return TableLevel::kNone;
  }
  const TableLevel needed = ServeRelease(table, *request);
  if (needed == TableLevel::kNone) Answer(request, Status::Ok());
  return needed;
}

TableLevel ByteRangeLocks::ServeSet(Table& table, const RequestPtr& request) {
  const RangeLock& lock = request->lock_;
  if (table.locks.Has(lock)) {
    Answer(request, Status::Ok());
    return TableLevel::kNone;
  }
  const bool known = table.level != TableLevel::kNone || table.locks.Conflict(lock) != nullptr;
  if (!known) return TableLevel::kExclusive;
  if (const RangeLock* const conflict = LiveConflict(table, lock); conflict != nullptr) {
    if (const int error = request->give_up_.load(); error != 0) {
      Answer(request, Status::FromErrno(error, "byte-range lock"));
    } else if (request->wait_) {
      Wait(table, request);
    } else if (!Mine(*conflict)) {
      Answer(request, Status::FromErrno(EAGAIN, "byte-range lock"));
    } else if (Wait(table, request)) {
      timers_.PostAfter(kLateRelease, [this, request] { GiveUp(request, EAGAIN); });
    }
    return TableLevel::kNone;
  }
  if (table.level == TableLevel::kShared) return TableLevel::kExclusive;
  if (table.locks.locks().size() >= kLocksMax && !RemoveDead(table)) {
    Answer(request, NoLock("too many byte-range locks"));
    return TableLevel::kNone;
  }
  table.locks.Set(lock);
  table.changed = true;
  table.keep_until = table.taken_at + kKeepLocked;
  Answer(request, Status::Ok());
  MutexLock mutex_lock(table.mutex);
  table.look = true;  // an exclusive lock may have become a shared one
  return TableLevel::kNone;
}

TableLevel ByteRangeLocks::ServeRelease(Table& table, const Request& request) {
  const RangeLock& what = request.lock_;
  const auto which = [this, &what, kind = request.kind_](const RangeLock& lock) {
    if (!Mine(lock) || lock.inode != what.inode) return false;
    return kind == Kind::kDropOwner ? lock.owner == what.owner : lock.handle == what.handle;
  };
  const auto& locks = table.locks.locks();
  const bool any = request.kind_ == Kind::kUnset ? table.locks.HasAny(what)
                                                 : std::any_of(locks.begin(), locks.end(), which);
  if (!any) return TableLevel::kNone;
  if (table.level != TableLevel::kExclusive && !table.overdue) return TableLevel::kExclusive;
  if (request.kind_ == Kind::kUnset) {
    table.locks.Unset(what);
  } else {
    table.locks.Remove(which);
  }
  table.changed = true;
  table.keep_until = table.taken_at + kKeepFree;
  MutexLock lock(table.mutex);
  table.look = true;
  return TableLevel::kNone;
}

bool ByteRangeLocks::Wait(Table& table, const RequestPtr& request) {
  if (waiters_.fetch_add(1) >= kWaitersMax) {
    waiters_.fetch_sub(1);
    Answer(request, NoLock("too many wait for byte-range locks"));
    return false;
  }
  table.waiting.push_back(request);
  return true;
}

TableLevel ByteRangeLocks::Look(Table& table) {
  auto& waiting = table.waiting;
  for (auto it = waiting.begin(); it != waiting.end();) {
    const RequestPtr request = *it;
    const int error = request->give_up_.load();
    if (error == 0) {
      if (LiveConflict(table, request->lock_) != nullptr) {
        ++it;
        continue;
      }
      if (table.level == TableLevel::kNone) return TableLevel::kShared;
      if (table.level == TableLevel::kShared) return TableLevel::kExclusive;
    }
    it = waiting.erase(it);
    waiters_.fetch_sub(1);
    if (error != 0) {
      Answer(request, Status::FromErrno(error, "byte-range lock"));
    } else {
      static_cast<void>(ServeSet(table, request));  // held exclusively, and nothing in the way
    }
  }
  return TableLevel::kNone;
}

const RangeLock* ByteRangeLocks::LiveConflict(Table& table, const RangeLock& wanted) {
  for (;;) {
    const RangeLock* const conflict = table.locks.Conflict(wanted);
    if (conflict == nullptr || Mine(*conflict) || domain_->Alive(conflict->instance)) return conflict;
    table.changed = table.changed || table.level == TableLevel::kExclusive;
    table.locks.Remove([dead = conflict->instance](const RangeLock& lock) { return lock.instance == dead; });
  }
}

bool ByteRangeLocks::RemoveDead(Table& table) {
  std::vector<uint64_t> dead;
  for (const RangeLock& lock : table.locks.locks()) {
    if (Mine(lock) || std::find(dead.begin(), dead.end(), lock.instance) != dead.end()) continue;
    if (!domain_->Alive(lock.instance)) dead.push_back(lock.instance);
  }
  return table.locks.Remove([&dead](const RangeLock& lock) {
    return std::find(dead.begin(), dead.end(), lock.instance) != dead.end();
  }) > 0;
}

// --- the end ---

void ByteRangeLocks::AnswerAll(Table& table) {
  std::deque<RequestPtr> all;
  {
    MutexLock lock(table.mutex);
    all = std::exchange(table.queue, {});
    table.look = false;
  }
  waiters_.fetch_sub(table.waiting.size());
  all.insert(all.end(), table.waiting.begin(), table.waiting.end());
  table.waiting.clear();
  for (const auto& request : all) Answer(request, Status::FromErrno(EINTR, "byte-range lock"));
  table.overdue = false;
  table.hold.reset();
  ForgetOthers(table);
}

void ByteRangeLocks::Stop() {
  if (stopped_.exchange(true)) return;
  domain_->Stop();
  for (Table& table : tables_) Kick(table);
  acquirers_.Stop();
  workers_.Stop();
  for (Table& table : tables_) AnswerAll(table);
}

}  // namespace ocfsgw::ocfs2
