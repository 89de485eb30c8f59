// Writers, the threads of the gateway and what befalls it; and what a world's states have in common.

#include <algorithm>
#include <array>

#include "tests/unit/coherence/lease_world.h"

namespace ocfsgw::coherence {

/// What LeaseState keeps to itself, as far as its future depends on it: marks count from what was taken back.
struct LeaseStateProbe {
  static const PageMarks& gone(const LeaseState& s) { return s.gone_; }
  template <typename Add>
  static void Visit(const LeaseState& s, const Add& add) {
    add(static_cast<uint64_t>(s.phase_));
    add(s.cancelled_);
    add(s.mutations_);
    add(s.invalidations_);
    add(s.replies_);
    add(s.present_.covered - s.gone_.covered);
    add(s.present_.suspect - s.gone_.suspect);
    add(s.trust_ > s.gone_.covered ? s.trust_ - s.gone_.covered : 0);
    add(s.hold_off_until_ > TimePoint{});
    for (const uint64_t ticket : s.open_) add(ticket - s.gone_.suspect);
    add(0);
  }
};

bool World::Write(Thread& t, Node& n, uint8_t choice) {
  const bool cached = t.role == Role::kCachedWriter;
  if (t.at != 4 && choice != 0) return false;
  switch (t.at) {
    case 0:
      if (n.dead) {
        t.at = kDone;
        return true;
      }
      if (cached && n.locked) return false;
      if (cached) n.locked = true;
      t.at = 1;
      return true;
    case 1: {  // Mutation::Add, Mutation::AddPages
      LeaseActions pages;
      if (cached) {
        ++n.in_flight;
        t.mark = n.state.BeginUncovered(pages);
      }
      ++n.changes;
      LeaseActions actions = n.state.OnMutationBegin();
      actions.distrust |= pages.distrust;
      Take(t, n, actions);
      t.at = 2;
      return true;
    }
    case 2:
      ++queued_;
      t.at = 3;
      return true;
    case 3:
      t.at = 4;
      return TakeExclusively(t);
    case 4:  // answered; choice 1: of a part of the page, whose other parts stay as they are
      if (cached) {
        if (choice == 0) n.page = t.version;
        if (choice == 0) n.uptodate = true;
        n.covered = false;
        n.locked = false;
      } else if (choice != 0) {
        return false;
      }
      done_ = std::max(done_, t.version);
      t.version = 0;
      t.at = 5;
      return true;
    default:
      --n.changes;
      n.state.OnMutationEnd(kHoldOffEnd);
      if (cached) {
        --n.in_flight;
        Take(t, n, n.state.EndUncovered(t.mark));
      }
      t.at = kDone;
      return true;
  }
}

bool World::WriteRemotely(Thread& t) {
  switch (t.at++) {
    case 0:
      ++queued_;
      return true;
    case 1:
      return TakeExclusively(t);
    default:
      done_ = std::max(done_, t.version);
      t.version = 0;
      t.at = kDone;
      return true;
  }
}

bool World::Recall(Thread& t, Node& n) {
  if (t.at == 0) {
    if (queued_ == 0 || n.open == 0 || n.told == n.open || n.dead) return false;
    n.told = t.key = n.open;
    t.at = 1;
    return true;
  }
  t.at = 0;
  const bool acquiring = n.state.phase() == LeasePhase::kAcquiring;
  if (!acquiring && n.key != t.key) {
    t.key = 0;
    return true;
  }
  if (acquiring) {
    n.key = t.key;
    seen_ |= kCancelled;
  }
  Take(t, n, n.state.OnRecall(kHoldOffEnd, scenario_->at_once));
  if (!t.todo.release) t.key = 0;
  return true;
}

bool World::Acquire(Thread& t, Node& n, uint8_t choice) {
  switch (t.at) {
    case 0:
      return false;
    case 1:
      if (choice == 1) {
        if (refusals_ == 0 && acquisitions_ > 0) return false;
        if (refusals_ > 0) --refusals_;
        seen_ |= kRefused;
        t.at = 0;
        Take(t, n, n.state.OnRefused(kHoldOffEnd));
        return true;
      }
      if (acquisitions_ == 0 || queued_ > 0 || n.open != 0) return false;
      --acquisitions_;
      keys_ = keys_ % 4 + 1;
      n.open = t.key = keys_;
      t.version = volume_;
      t.at = 2;
      return true;
    default:
      if (choice != 0) return false;
      n.key = t.key;
      n.attr = t.version;
      Take(t, n, n.state.OnGranted());
      if (!t.todo.release) t.key = 0;
      t.version = 0;
      t.at = 0;
      return true;
  }
}

bool World::TakePagesBack(Thread& t, Node& n) {
  switch (t.at) {
    case 0:
      ForgetAttributes(t.node);
      t.at = t.pages && scenario_->mistake != Mistake::kForgetsToInvalidate ? 1 : 2;
      return true;
    case 1:
      if (n.locked) return false;
      n.uptodate = n.covered = false;
      n.page = 0;
      t.at = 2;
      return true;
    default:
      t.at = kDone;
      Take(t, n, n.state.OnInvalidated(t.marks));
      t.marks = t.todo.marks;
      return true;
  }
}

/// The locks are gone at once, and the news comes with that.
bool World::Lose(Thread& t, Node& n) {
  seen_ |= kLost;
  n.open = 0;
  Excuse(t.node);
  t.at = kDone;
  Take(t, n, n.state.OnLost());
  return true;
}

bool World::Crash(Thread& t, Node& n) {
  switch (t.at++) {
    case 0:
      seen_ |= kCrashed;
      n.dead = true;
      for (Thread& x : threads_) {
        if (x.node != t.node || x.role == Role::kCrash || x.role == Role::kRemoteWriter) continue;
        x.todo = {};
        if (x.role == Role::kRecalls || x.role == Role::kAcquirer) {
          x.at = x.key = x.version = 0;
          continue;
        }
        const bool reads = x.role == Role::kReader || x.role == Role::kStat;
        const bool in_kernel = (x.role < Role::kLoss && x.at == 0) || (reads && (x.at == 5 || x.at == 6));
        if (in_kernel) continue;
        if (x.role == Role::kCachedWriter || x.role == Role::kDirectWriter) {
          if (x.at == 3) --queued_;
        }
        x.at = kDone;  // the request fails
      }
      n.locked = false;
      return true;
    case 1:
      ForgetAttributes(t.node);
      return true;
    case 2:
      n.uptodate = n.covered = false;
      n.page = 0;
      return true;
    default:
      n.open = n.key = n.in_flight = n.changes = 0;
      n.state = LeaseState();
      t.at = kDone;
      return true;
  }
}

bool World::Finished() const {
  for (const Thread& t : threads_) {
    if (t.role == Role::kTimer) continue;
    const bool serves = t.role == Role::kRecalls || t.role == Role::kAcquirer;
    if (t.at != (serves ? 0 : kDone) || !Idle(t.todo)) return false;
  }
  for (const Node& n : nodes_) {
    if (n.locked || n.state.suspect() || !(n.state.held() || n.state.idle())) return false;
  }
  return queued_ == 0;
}

std::string World::Signature() const {
  std::string all;
  all.reserve(256);
  const auto add = [&](uint64_t v) { all.push_back(static_cast<char>(v)); };
  for (const uint64_t v : {volume_, done_, queued_, keys_, acquisitions_, refusals_}) add(v);
  for (const Node& n : nodes_) {
    for (const uint64_t v : {n.key, n.attr, n.changes, n.in_flight, n.known, n.page, n.open, n.told}) add(v);
    add(n.dead | n.lost << 1 | n.trusted << 2 | n.locked << 3 | n.uptodate << 4 | n.covered << 5);
    LeaseStateProbe::Visit(n.state, add);
  }
  using One = std::array<uint8_t, 14>;
  std::vector<One> threads;
  threads.reserve(threads_.size());
  for (const Thread& t : threads_) {
    const LeaseState& state = nodes_[t.node].state;
    const PageMarks& gone = LeaseStateProbe::gone(state);
    const auto since = [](uint64_t mark, uint64_t from) {
      return static_cast<uint8_t>(mark > from ? mark - from : 0);
    };
    const auto bits = [](std::initializer_list<bool> flags) {
      uint8_t all_flags = 0;
      for (const bool flag : flags) all_flags = static_cast<uint8_t>(all_flags << 1 | flag);
      return all_flags;
    };
    threads.push_back(
        {static_cast<uint8_t>(t.role), t.node, t.at, t.tries, t.version, t.must, t.key,
         bits({t.have, t.trust, t.asked, t.pages, t.excused, t.epoch == state.epoch(),
               t.todo_epoch == state.epoch()}),
         since(t.mark, gone.suspect), since(t.marks.covered, gone.covered),
         since(t.marks.suspect, gone.suspect),
         bits({t.todo.distrust, t.todo.release, t.todo.acquire, t.todo.invalidate, t.todo.start_timer}),
         since(t.todo.marks.covered, gone.covered), since(t.todo.marks.suspect, gone.suspect)});
  }
  std::sort(threads.begin(), threads.end());
  for (const One& one : threads) all.append(one.begin(), one.end());
  return all;
}

std::string World::Describe(const Step& step) const {
  static constexpr const char* kNames[] = {"reader",        "stat",     "cached writer", "direct writer",
                                           "remote writer", "loss",     "crash",         "recalls",
                                           "acquirer",      "notifier", "timer"};
  const Thread& t = threads_[step.thread];
  const LeaseActions& todo = t.todo;
  std::string text = std::string(kNames[static_cast<size_t>(t.role)]) + " " + std::to_string(step.thread) +
                     " on node " + std::to_string(t.node) + ": ";
  if (todo.distrust) return text + "takes attributes back";
  if (todo.release) return text + "releases";
  if (todo.invalidate) return text + "starts an invalidation";
  if (todo.start_timer) return text + "starts a timer";
  if (todo.acquire) return text + "starts an acquisition";
  return text + "step " + std::to_string(t.at) + " choice " + std::to_string(step.choice);
}

}  // namespace ocfsgw::coherence
