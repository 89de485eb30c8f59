#include "fusefs/reader_gate.h"

#include <algorithm>
#include <thread>
#include <utility>

namespace ocfsgw::fusefs {
namespace {

/// For what is counted: it decides about speed alone.
constexpr auto kRelaxed = std::memory_order_relaxed;

}  // namespace

ReaderGate::~ReaderGate() = default;

bool ReaderGate::Enter() {
  if (!Admit()) return false;
  begun_.fetch_add(1);
  return true;
}

bool ReaderGate::Admit() {
  if (thread_duty == this) {
    thread_duty = nullptr;
    return true;
  }
  Place* place = nullptr;
  const size_t readers_max = quick_in_a_row_.load(kRelaxed) < kCalm ? readers_max_ : 1;
  {
    MutexLock lock(mutex_);
    if (readers_ < readers_max) {
      ++readers_;
      return true;
    }
    if (free_.empty()) {
      places_.push_back(std::make_unique<Place>());
      free_.push_back(places_.back().get());
    }
    place = free_.back();
    free_.pop_back();
    parked_.push_back(place);
  }
  const bool called = sem_wait(&place->called) == 0;
  MutexLock lock(mutex_);
  free_.push_back(place);
  if (called) return true;
  const auto at = std::find(parked_.begin(), parked_.end(), place);
  if (at != parked_.end()) {
    parked_.erase(at);
    return false;
  }
  sem_wait(&place->called);  // called in the meantime
  return true;
}

bool ReaderGate::MayPoll() {
  if (quick_in_a_row_.load(kRelaxed) < kCalm) return false;
  if (in_vain_in_a_row_.load(kRelaxed) >= 0) return true;
  in_vain_in_a_row_.fetch_add(1, kRelaxed);
  return false;
}

void ReaderGate::Leave(Received received) {
  ended_.fetch_add(1);
  if (!received.polled_in_vain) {
    if (in_vain_in_a_row_.load(kRelaxed) > 0) in_vain_in_a_row_.store(0, kRelaxed);
  } else if (in_vain_in_a_row_.fetch_add(1, kRelaxed) + 1 >= kInVain) {
    in_vain_in_a_row_.store(-kNoPolls, kRelaxed);
  }
  if (received.waited) {
    at_once_in_a_row_.store(0, kRelaxed);
  } else if (at_once_in_a_row_.fetch_add(1, kRelaxed) + 1 >= kCrowd) {
    at_once_in_a_row_.store(0, kRelaxed);
    quick_in_a_row_.store(kCalm - kCrowdLasts, kRelaxed);
  }
  const int quick = quick_in_a_row_.load(kRelaxed);
  if (!received.quick) {
    if (quick > 0) quick_in_a_row_.store(0, kRelaxed);
  } else if (quick < kCalm) {
    quick_in_a_row_.fetch_add(1, kRelaxed);
  } else {
    thread_duty = this;
    return;
  }
  Withdraw();
}

void ReaderGate::Leave() {
  ended_.fetch_add(1);
  Withdraw();
}

void ReaderGate::HandOver() {
  quick_in_a_row_.store(0, kRelaxed);
  Withdraw();
}

bool ReaderGate::CallIfStuck() {
  const uint64_t begun = begun_.load();
  if (begun_before_.exchange(begun) != begun || ended_.load() != begun) return false;
  MutexLock lock(mutex_);
  if (parked_.empty()) return false;
  ++readers_;
  sem_post(&parked_.back()->called);
  parked_.pop_back();
  return true;
}

void ReaderGate::Withdraw() {
  Place* place = nullptr;
  {
    MutexLock lock(mutex_);
    --readers_;
    if (readers_ > 0 || parked_.empty()) return;
    place = parked_.back();
    parked_.pop_back();
    ++readers_;
  }
  sem_post(&place->called);
}

size_t ReaderGate::ReadersForThisMachine() {
  return std::clamp<size_t>(std::thread::hardware_concurrency(), 2, 8);
}

}  // namespace ocfsgw::fusefs
