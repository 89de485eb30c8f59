#include "fusefs/pulse.h"

#include <pthread.h>

namespace ocfsgw::fusefs {
namespace {

constexpr std::chrono::milliseconds kBeatInterval{kBeatMs};

void BeatByTimer(Executor& timers, SharedState& state) {
  ++state.beats[SharedState::kTimerBeat];
  timers.PostAfter(kBeatInterval, [&timers, &state] { BeatByTimer(timers, state); });
}

}  // namespace

Pulse::Pulse(coherence::LeaseProvider* provider, Executor& timers, SharedState& state)
    : provider_(provider), state_(state) {
  BeatByTimer(timers, state);
  thread_ = std::thread([this] { Run(); });
  state_.phase.store(SharedState::kServing);
}

Pulse::~Pulse() {
  state_.phase.store(SharedState::kStopping);
  {
    MutexLock lock(mutex_);
    stop_ = true;
  }
  changed_.NotifyAll();
  thread_.join();
}

void Pulse::Run() {
  pthread_setname_np(pthread_self(), "pulse");
  for (;;) {
    // Returns when the thread that receives recalls has been round once, or has ended.
    if (provider_ != nullptr) static_cast<void>(provider_->Barrier().ok());
    ++state_.beats[SharedState::kRecallBeat];
    const TimePoint next = std::chrono::steady_clock::now() + kBeatInterval;
    MutexLock lock(mutex_);
    while (!stop_ && changed_.WaitUntil(mutex_, next)) {
    }
    if (stop_) return;
  }
}

}  // namespace ocfsgw::fusefs
