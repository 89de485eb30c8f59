#include "tests/unit/coherence/lease_world.h"

#include <algorithm>

namespace ocfsgw::coherence {

namespace {

constexpr TimePoint kBefore = TimePoint(std::chrono::seconds(1));
constexpr TimePoint kAfter = TimePoint(std::chrono::seconds(3));
/// How often a READ asks for a lease again.
constexpr uint8_t kTries = 1;

}  // namespace

World::World(const Scenario& scenario)
    : scenario_(&scenario),
      acquisitions_(scenario.acquisitions),
      refusals_(scenario.refusals),
      nodes_(scenario.nodes) {
  const auto add = [this](Role role, uint8_t node) {
    Thread t;
    t.role = role;
    t.node = node;
    threads_.push_back(t);
  };
  for (uint8_t node = 0; node < scenario.nodes; ++node) {
    add(Role::kRecalls, node);
    add(Role::kAcquirer, node);
  }
  for (const Job& job : scenario.jobs) add(job.role, job.node);
}

std::vector<World::Step> World::Candidates() const {
  std::vector<Step> steps;
  for (size_t i = 0; i < threads_.size(); ++i) {
    if (threads_[i].at == kDone && Idle(threads_[i].todo)) continue;
    steps.push_back({i, 0});
    if (Idle(threads_[i].todo)) steps.push_back({i, 1});
  }
  return steps;
}

bool World::Do(const Step& step) {
  Thread& t = threads_[step.thread];
  Node& n = nodes_[t.node];
  const uint32_t epoch = n.state.epoch();
  if (!(Idle(t.todo) ? Run(t, n, step.choice) : DoTodo(t, n))) return false;

  Require(n.state.epoch() >= epoch || n.dead, "invariant 2: the epoch went back");
  Require(!n.state.held() || n.changes == 0, "invariant 1: held while a change of our own is under way");
  Require(!n.state.held() || n.dead || n.open == n.key, "the lease is held, and its lock is not");
  std::erase_if(threads_,
                [](const Thread& x) { return x.role >= Role::kNotifier && x.at == kDone && Idle(x.todo); });
  threads_.insert(threads_.end(), born_.begin(), born_.end());
  born_.clear();
  for (uint8_t i = 0; i < nodes_.size(); ++i) {
    const bool busy = std::any_of(threads_.begin(), threads_.end(), [&](const Thread& x) {
      return x.node == i && (x.role == Role::kNotifier || !Idle(x.todo));
    });
    if (!busy && !nodes_[i].state.suspect() && !nodes_[i].trusted) nodes_[i].lost = false;
  }
  return true;
}

bool World::Run(Thread& t, Node& n, uint8_t choice) {
  switch (t.role) {
    case Role::kReader:
    case Role::kStat:
      return t.at < 6 ? AskForAttributes(t, n, choice) : AskForPage(t, n, choice);
    case Role::kCachedWriter:
    case Role::kDirectWriter:
      return Write(t, n, choice);
    case Role::kAcquirer:
      return Acquire(t, n, choice);
    case Role::kRemoteWriter:
      return choice == 0 && WriteRemotely(t);
    case Role::kRecalls:
      return choice == 0 && Recall(t, n);
    case Role::kNotifier:
      return choice == 0 && TakePagesBack(t, n);
    case Role::kLoss:
      return choice == 0 && Lose(t, n);
    case Role::kCrash:
      return choice == 0 && Crash(t, n);
    case Role::kTimer:
      if (choice != 0) return false;
      t.at = kDone;
      Take(t, n, n.state.OnTimer(t.epoch));
      if (t.todo.release) seen_ |= kTimerFired;
      return true;
  }
  return false;
}

/// What an event asks for, noted under the inode's mutex as in LeaseTable::Note; done by DoTodo.
void World::Take(Thread& t, Node& n, const LeaseActions& actions) {
  t.todo = actions;
  if (actions.forced && actions.release) seen_ |= kForced;
  if (actions.release) {
    const bool may_leave_pages = actions.forced || n.changes > 0 || n.lost || scenario_->at_once;
    Require(may_leave_pages || !n.uptodate || !n.covered, "invariant 3: released with covered pages");
    n.covered = false;
    if (n.key != 0) t.key = n.key;
    n.key = 0;
  }
  t.pages = n.in_flight == 0 || scenario_->mistake == Mistake::kInvalidatesPagesInFlight;
  t.todo_epoch = n.state.epoch();
}

/// LeaseTable::Do, one action at a time.
bool World::DoTodo(Thread& t, Node& n) {
  LeaseActions& todo = t.todo;
  Thread other;
  other.node = t.node;
  if (todo.distrust) {
    todo.distrust = false;
    if (scenario_->mistake != Mistake::kIgnoresDistrust) ForgetAttributes(t.node);
  } else if (todo.release) {
    todo.release = false;
    if (n.open == t.key) n.open = 0;
    t.key = 0;
  } else if (todo.invalidate) {
    todo.invalidate = false;
    other.role = Role::kNotifier;
    other.marks = todo.marks;
    other.pages = t.pages;
    born_.push_back(other);
  } else if (todo.start_timer) {
    todo.start_timer = false;
    other.role = Role::kTimer;
    other.epoch = t.todo_epoch;
    if (scenario_->timers) born_.push_back(other);
  } else {
    const auto acquirer = std::find_if(threads_.begin(), threads_.end(), [&](const Thread& x) {
      return x.role == Role::kAcquirer && x.node == t.node;
    });
    if (acquirer->at != 0 || !Idle(acquirer->todo))
      return false;  // gives the last grant back: one thread is enough
    acquirer->at = 1;
    todo.acquire = false;
  }
  if (Idle(todo)) todo = {};
  return true;
}

void World::ForgetAttributes(uint8_t node) {
  nodes_[node].trusted = false;
  for (Thread& x : threads_) {
    if (x.node == node) x.asked = false;
  }
}

void World::Check(const Thread& t, uint8_t version, const char* what) {
  Require(version >= t.must || t.excused || nodes_[t.node].lost, what);
}

/// What is read until everything has been taken back may be old.
void World::Excuse(uint8_t node) {
  nodes_[node].lost = true;
  for (Thread& x : threads_) {
    if (x.node == node) x.excused = true;
  }
}

void World::Require(bool holds, const char* what) {
  if (!holds && violation_.empty()) violation_ = what;
}

bool World::ReadBackend(Thread& t) const {
  if (queued_ > 0) return false;
  t.version = volume_;
  return true;
}

bool World::TakeExclusively(Thread& t) {
  if (std::any_of(nodes_.begin(), nodes_.end(), [](const Node& n) { return n.open != 0; })) return false;
  --queued_;
  t.version = ++volume_;
  return true;
}

/// What the handlers do: choice 0 where the hold-off is over or does not count, 1 where it is not.
void World::Want(Thread& t, Node& n, bool urgent, uint8_t choice) {
  t.have = false;
  if (scenario_->acquisitions == 0) return;
  t.have = n.state.serving();
  if (t.have) {
    t.epoch = n.state.epoch();
    t.version = n.attr;
    return;
  }
  Take(t, n, n.state.OnWant(urgent, choice == 0 ? kAfter : kBefore, choice != 0));
}

bool World::AskForAttributes(Thread& t, Node& n, uint8_t choice) {
  if (t.at != 2 && choice != 0) return false;
  switch (t.at) {
    case 0:
      t.must = done_;
      t.excused = n.lost;
      if (n.trusted) {
        seen_ |= kTrusted;
        Check(t, n.known, "stale attributes");
        t.at = t.role == Role::kStat ? kDone : 6;
      } else if (n.dead) {
        t.at = kDone;
      } else {
        t.asked = true;
        t.mark = n.state.suspect_mark();
        t.at = 1;
      }
      return true;
    case 1:
      if (!n.state.SettledUpTo(t.mark) && scenario_->mistake != Mistake::kAnswersWhileSuspect) return false;
      t.mark = 0;
      t.at = 2;
      return true;
    case 2:
      Want(t, n, false, choice);
      t.at = !t.have && n.state.phase() == LeasePhase::kAcquiring ? 3 : 4;
      return true;
    case 3:
      if (n.state.phase() == LeasePhase::kAcquiring) return false;
      if (n.state.held()) Want(t, n, false, 0);
      t.at = 4;
      return true;
    case 4:
      if (!t.have && !ReadBackend(t)) return false;
      t.trust = t.have && n.state.Trust(t.epoch);
      Require(!t.trust || !n.state.suspect(), "invariant 5: trusted while pages are suspect");
      t.have = false;
      t.at = 5;
      return true;
    default:  // the kernel has the answer
      if (t.trust && t.asked) {
        n.trusted = true;
        n.known = t.version;
      }
      Check(t, t.version, "stale attributes");
      t.trust = t.asked = false;
      t.version = 0;
      t.at = t.role == Role::kStat || n.dead ? kDone : 6;
      return true;
  }
}

bool World::AskForPage(Thread& t, Node& n, uint8_t choice) {
  if (t.at != 8 && choice != 0) return false;
  const auto answer = [&](bool covered) {
    n.page = t.version;
    n.uptodate = true;
    n.covered = covered;
    n.locked = false;
    Check(t, t.version, "stale answer to READ");
  };
  const auto again = [&] {
    t.have = false;
    t.at = t.tries++ < kTries ? 8 : 13;
  };
  switch (t.at) {
    case 6:
      if (n.locked) return false;
      if (n.uptodate) {
        seen_ |= kHit;
        Check(t, n.page, "stale page");
        t.at = kDone;
      } else if (n.dead) {
        t.at = kDone;
      } else {
        n.locked = true;
        t.at = 7;
      }
      return true;
    case 7:  // PageRequest
      ++n.in_flight;
      t.at = 8;
      return true;
    case 8:
      Want(t, n, true, choice);
      t.at = t.have ? 10 : n.state.phase() == LeasePhase::kAcquiring ? 9 : 13;
      return true;
    case 9:
      if (n.state.phase() == LeasePhase::kAcquiring) return false;
      if (n.state.held()) {
        Want(t, n, true, 0);
        t.at = 10;
      } else {
        again();
      }
      return true;
    case 10:
      t.at = 11;
      return scenario_->stored || ReadBackend(t);
    case 11:
      if (n.state.BeginReply(t.epoch)) {
        --n.in_flight;
        t.at = 12;
      } else if (scenario_->mistake == Mistake::kAnswersAnyway) {
        --n.in_flight;
        answer(true);
        t.at = kDone;
      } else {
        seen_ |= kReadAgain;
        again();
      }
      return true;
    case 12:
      answer(true);
      t.at = 17;
      return true;
    case 13:
      seen_ |= kUncovered;
      if (scenario_->mistake != Mistake::kTicketsTooLate) {
        LeaseActions actions;
        t.mark = n.state.BeginUncovered(actions);
        Take(t, n, actions);
      }
      t.at = 14;
      return true;
    case 14:
      t.at = 15;
      return ReadBackend(t);
    case 15:
      answer(false);
      t.at = 16;
      return true;
    case 16: {
      --n.in_flight;
      LeaseActions ignored;
      if (t.mark == 0) t.mark = n.state.BeginUncovered(ignored);
      Take(t, n, n.state.EndUncovered(t.mark));
      t.at = kDone;
      return true;
    }
    default:
      Take(t, n, n.state.EndReply());
      t.at = kDone;
      return true;
  }
}

}  // namespace ocfsgw::coherence
