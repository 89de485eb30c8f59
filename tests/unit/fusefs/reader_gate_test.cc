#include "fusefs/reader_gate.h"

#include <gtest/gtest.h>
#include <pthread.h>
#include <signal.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <optional>
#include <thread>
#include <vector>

namespace ocfsgw::fusefs {
namespace {

bool Soon(const std::function<bool()>& condition) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (!condition() && std::chrono::steady_clock::now() < deadline) std::this_thread::yield();
  return condition();
}

/// A worker that waits for one request, which it has when the test says so.
class Worker {
 public:
  explicit Worker(ReaderGate& gate)
      : thread_([this, &gate] {
          entered_ = gate.Enter();
          returned_ = true;
          while (entered_ && !request_) std::this_thread::yield();
          if (entered_) gate.Leave();
        }) {}
  ~Worker() {
    request_ = true;
    thread_.join();
  }
  bool reads() const { return entered_; }
  bool refused() const { return returned_ && !entered_; }
  void GetRequest() { request_ = true; }
  pthread_t id() { return thread_.native_handle(); }

 private:
  std::atomic<bool> entered_{false};
  std::atomic<bool> returned_{false};
  std::atomic<bool> request_{false};
  std::thread thread_;
};

void Settle() { std::this_thread::sleep_for(std::chrono::milliseconds(20)); }

TEST(ReaderGate, ParksAllButSoMany) {
  ReaderGate gate(2);
  Worker a(gate);
  Worker b(gate);
  ASSERT_TRUE(Soon([&] { return a.reads() && b.reads(); }));
  Worker c(gate);
  Settle();
  EXPECT_FALSE(c.reads());
  a.GetRequest();
  Settle();
  EXPECT_FALSE(c.reads()) << "b waits for the next one already";
  b.GetRequest();
  EXPECT_TRUE(Soon([&] { return c.reads(); })) << "else nobody would";
}

TEST(ReaderGate, TheOneParkedLastComesFirst) {
  ReaderGate gate(1);
  Worker reader(gate);
  ASSERT_TRUE(Soon([&] { return reader.reads(); }));
  Worker first(gate);
  Settle();
  Worker second(gate);
  Settle();
  reader.GetRequest();
  EXPECT_TRUE(Soon([&] { return second.reads(); }));
  EXPECT_FALSE(first.reads());
  second.GetRequest();
  EXPECT_TRUE(Soon([&] { return first.reads(); }));
}

TEST(ReaderGate, ASignalCallsNobody) {
  struct sigaction wake {};
  wake.sa_handler = [](int) {};
  sigaction(SIGUSR1, &wake, nullptr);
  ReaderGate gate(1);
  Worker reader(gate);
  ASSERT_TRUE(Soon([&] { return reader.reads(); }));
  Worker parked(gate);
  Settle();
  EXPECT_TRUE(Soon([&] {
    pthread_kill(parked.id(), SIGUSR1);
    return parked.refused();
  }));
  Worker other(gate);
  Settle();
  reader.GetRequest();
  EXPECT_TRUE(Soon([&] { return other.reads(); })) << "the call went to the one that has left";
}

constexpr ReaderGate::Received kQuick{.quick = true, .waited = true};

/// This thread has had quick requests for long, and has another.
class ReaderGateCalm : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(gate_.Enter());
    for (int i = 0; i < ReaderGate::kCalm; ++i) {
      gate_.Leave(kQuick);
      ASSERT_TRUE(gate_.Enter());
    }
    gate_.Leave(kQuick);
    other_.emplace(gate_);
    Settle();
    ASSERT_FALSE(other_->reads()) << "this thread still is the reader";
  }
  void TearDown() override { AboutToBlock(); }

  ReaderGate gate_{2};
  std::optional<Worker> other_;
};

TEST_F(ReaderGateCalm, TheReaderStaysWhileAnswersAreQuick) {
  for (int i = 0; i < 3 * ReaderGate::kCrowd; ++i) {
    ASSERT_TRUE(gate_.Enter());
    gate_.Leave({.quick = true, .waited = i % 2 == 0});
  }
  Settle();
  EXPECT_FALSE(other_->reads());
}

TEST_F(ReaderGateCalm, WhoBlocksCallsAnother) {
  AboutToBlock();
  EXPECT_TRUE(Soon([&] { return other_->reads(); }));
  EXPECT_TRUE(gate_.Enter()) << "two may read again";
  gate_.Leave();
}

TEST_F(ReaderGateCalm, WhoBlocksAndDoesNotSaySoIsFoundOut) {
  EXPECT_FALSE(gate_.CallIfStuck()) << "it may have come this very moment";
  ASSERT_TRUE(gate_.Enter());
  gate_.Leave(kQuick);
  EXPECT_FALSE(gate_.CallIfStuck()) << "another request than at the last call";
  ASSERT_FALSE(other_->reads());
  EXPECT_TRUE(gate_.CallIfStuck());
  EXPECT_TRUE(Soon([&] { return other_->reads(); }));
  EXPECT_FALSE(gate_.CallIfStuck());
  EXPECT_FALSE(gate_.CallIfStuck()) << "it waits for requests, nothing is stuck";
}

TEST_F(ReaderGateCalm, ARequestOfAnotherKindCallsAnother) {
  ASSERT_TRUE(gate_.Enter());
  gate_.Leave({.quick = false, .waited = true});
  EXPECT_TRUE(Soon([&] { return other_->reads(); }));
}

TEST_F(ReaderGateCalm, ACrowdCallsAnother) {
  for (int i = 0; i < ReaderGate::kCrowd; ++i) {
    ASSERT_TRUE(gate_.Enter());
    gate_.Leave({.quick = true, .waited = false});
  }
  EXPECT_TRUE(Soon([&] { return other_->reads(); }));
  for (int i = 0; i < 2 * ReaderGate::kCalm; ++i) {
    ASSERT_TRUE(gate_.Enter());
    gate_.Leave(kQuick);
    EXPECT_EQ(thread_duty, nullptr) << "one alone is not tried again at once";
  }
}

TEST_F(ReaderGateCalm, PollsAsLongAsItPays) {
  const auto request = [&](bool in_vain) {
    ASSERT_TRUE(gate_.Enter());
    ASSERT_TRUE(gate_.MayPoll());
    gate_.Leave({.quick = true, .waited = true, .polled_in_vain = in_vain});
  };
  for (int i = 0; i <= 5 * ReaderGate::kInVain; ++i) request(i % ReaderGate::kInVain != 0);
  for (int i = 0; i < ReaderGate::kInVain; ++i) request(true);
  for (int i = 0; i < ReaderGate::kNoPolls; ++i) {
    ASSERT_TRUE(gate_.Enter());
    ASSERT_FALSE(gate_.MayPoll()) << i;
    gate_.Leave(kQuick);
  }
  request(false);
  AboutToBlock();
  EXPECT_FALSE(gate_.MayPoll()) << "not while requests of all kinds come";
}

TEST(ReaderGate, WhoeverBlocksIsNotTheOnlyReader) {
  ReaderGate gate(2);
  std::atomic<int64_t> rounds{0};
  std::atomic<bool> stop{false};
  const auto work = [&] {
    for (int i = 0; !stop; ++i) {
      if (!gate.Enter()) continue;
      const int64_t round = ++rounds;
      gate.Leave(kQuick);
      if (i % (2 * ReaderGate::kCalm) != 0) continue;
      AboutToBlock();  // for the answer to a later request
      while (rounds == round && !stop) std::this_thread::yield();
    }
    if (gate.Enter()) gate.Leave();  // lets those go on that are parked
  };
  std::vector<std::jthread> workers;
  for (int i = 0; i < 8; ++i) workers.emplace_back(work);
  EXPECT_TRUE(Soon([&] { return rounds > 20'000; }));
  stop = true;
}

TEST(ReaderGate, SomebodyAlwaysReads) {
  ReaderGate gate(2);
  std::atomic<int> reading{0};
  std::atomic<int64_t> rounds{0};
  std::atomic<bool> stop{false};
  const auto work = [&] {
    while (!stop) {
      if (!gate.Enter()) continue;
      EXPECT_LE(++reading, 2);
      ++rounds;
      --reading;
      gate.Leave();
      if (rounds % 7 == 0) std::this_thread::yield();
    }
    gate.Enter();  // lets those go on that are parked
    gate.Leave();
  };
  {
    std::vector<std::jthread> workers;
    for (int i = 0; i < 8; ++i) workers.emplace_back(work);
    EXPECT_TRUE(Soon([&] { return rounds > 20'000; }));
    stop = true;
  }
  EXPECT_EQ(reading, 0);
}

}  // namespace
}  // namespace ocfsgw::fusefs
