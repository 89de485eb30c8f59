#pragma once

#include <thread>

#include "base/executor.h"
#include "base/mutex.h"
#include "coherence/lease_provider.h"
#include "fusefs/shared_state.h"

namespace ocfsgw::fusefs {

/// Shows the guardian that recalls are received and timers run, for as long as it lives: without either,
/// writers on other nodes would wait for this gateway.
class Pulse {
 public:
  /// From now on the guardian expects beats. `provider` may be null. `timers` and `state` outlive every task
  /// of `timers`.
  Pulse(coherence::LeaseProvider* provider, Executor& timers, SharedState& state);
  /// No more beats are expected. REQUIRES: all leases have been given back.
  ~Pulse();
  Pulse(const Pulse&) = delete;
  Pulse& operator=(const Pulse&) = delete;

 private:
  void Run();

  coherence::LeaseProvider* const provider_;
  SharedState& state_;
  Mutex mutex_;
  CondVar changed_;
  bool stop_ GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace ocfsgw::fusefs
