#include "fusefs/guardian.h"

#include <fmt/format.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <fstream>
#include <thread>

#include "base/exit_code.h"
#include "base/path.h"
#include "base/status.h"
#include "fusefs/dead_mount.h"
#include "fusefs/take_back.h"
#include "ocfs2-backend/lock_name.h"

namespace ocfsgw::fusefs {
namespace {

using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;

/// Not like the program's: who kills that, by name, means the gateway.
constexpr const char* kName = "gw-guardian";
constexpr milliseconds kTick{100};
/// Silence that is never taken for a hang, however short the recall deadline: a busy machine can be as slow.
constexpr milliseconds kSilenceMin{1000};
/// What the kernel gets to give everything back before the leases go all the same.
constexpr milliseconds kTakeBackMax{700};
/// After that, before the connection is cut.
constexpr milliseconds kTakeBackLate{30'000};
/// A killed process whose threads are in system calls may take long, or wait for a lease that is still held.
constexpr milliseconds kDeathSoon{200};

milliseconds Since(Clock::time_point start) {
  return std::chrono::duration_cast<milliseconds>(Clock::now() - start);
}

}  // namespace

Guardian::Guardian(const MountOptions& options, ProcessTitle& title, Startup& startup)
    : options_(options),
      budget_{options.grace.value_or(std::chrono::seconds(0))},
      title_(title),
      startup_(startup),
      descriptors_(startup.verdict_fd()) {
  sigemptyset(&signals_);
  for (const int signal : {SIGTERM, SIGINT, SIGCHLD}) sigaddset(&signals_, signal);
}

int Guardian::Run(const Gateway& gateway) {
  MeetPredecessor();
  const int code = RunUntilEnd(gateway);
  if (served_) RemoveDeadMounts(options_.mountpoint);  // else it is left to the one who gets further
  return code;
}

void Guardian::MeetPredecessor() {
  dead_mount_ = DeadMountAt(options_.mountpoint);
  if (dead_mount_ == 0) return;
  Say(log::Level::kWarning,
      fmt::format("{}: the gateway that was mounted here is dead; taking its place", options_.mountpoint));
  if (IsShared(options_.mountpoint) && !IsInside(options_.source, options_.mountpoint)) return;
  RemoveDeadMounts(options_.mountpoint);
  dead_mount_ = 0;
}

void Guardian::ToldToStop() {
  if (!stop_) stop_at_ = Clock::now();
  stop_ = true;
}

milliseconds Guardian::Left(milliseconds limit) const {
  const milliseconds grace = budget_.grace;
  if (!stop_ || grace.count() == 0) return limit;
  return std::clamp(grace - Since(stop_at_), milliseconds(0), limit);
}

int Guardian::RunUntilEnd(const Gateway& gateway) {
  if (!descriptors_.ok()) {
    Say(log::Level::kError, "cannot read /proc/self/fd: is /proc mounted?");
    return kExitRuntime;
  }
  pthread_sigmask(SIG_BLOCK, &signals_, nullptr);
  for (uint32_t restarts = 0;; ++restarts) {
    SharedState* const state = SharedState::Map();
    if (state == nullptr)
      Say(log::Level::kError, Status::LastErrno("memory to share with the gateway").ToString());
    const auto started = Clock::now();
    gateway_ = state == nullptr ? 0 : Start(gateway, *state, restarts);
    if (gateway_ == 0) {
      // Whoever lacked memory or processes may have them in a moment, and there is a mount to be served.
      if (state != nullptr) SharedState::Unmap(state);
      if (restarts == 0) return kExitRuntime;
      if (const auto code = Pause({})) return *code;
      continue;
    }
    startup_.HandOver();
    title_.Set(kName, options_.mountpoint);
    End end = Watch(*state);
    const bool served = state->phase.load() != SharedState::kStarting;
    served_ = served_ || served;
    const bool exited = end.dead && WIFEXITED(end.status);
    if (exited && (stop_ || WEXITSTATUS(end.status) == kExitDone || (!served && restarts == 0))) {
      return WEXITSTATUS(end.status);
    }
    if (!served && restarts == 0) ToldToStop();  // it never worked
    if (!exited && state->phase.load() == SharedState::kStopping) ToldToStop();
    if (const auto code = AfterDeath(*state, end, served ? Clock::now() - started : Clock::duration{0})) {
      return *code;
    }
    SharedState::Unmap(state);
  }
}

pid_t Guardian::Start(const Gateway& gateway, SharedState& state, uint32_t restarts) {
  state.guardian = getpid();
  state.restarts = restarts;
  state.dead_mount = dead_mount_;
  state.preferred_slot = slot_;
  const auto pid = static_cast<pid_t>(syscall(SYS_clone, CLONE_FILES | SIGCHLD, 0, 0, 0, 0));
  if (pid < 0) Say(log::Level::kError, Status::LastErrno("starting the gateway").ToString());
  if (pid != 0) return std::max(pid, 0);

  title_.Restore();
  prctl(PR_SET_PDEATHSIG, SIGTERM);
  if (getppid() != state.guardian) _exit(kExitRuntime);
  sigset_t child;
  sigemptyset(&child);
  sigaddset(&child, SIGCHLD);
  pthread_sigmask(SIG_UNBLOCK, &child, nullptr);
  // In a thread of its own: the C library does not know that this one has another id now, as it would after
  // fork(2), and could not send signals to it.
  int code = kExitRuntime;
  std::thread([&] { code = gateway(state); }).join();
  std::exit(code);  // NOLINT(concurrency-mt-unsafe): the only thread
}

void Guardian::WaitForSignal(milliseconds limit) {
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(limit);
  const timespec time{seconds.count(), std::chrono::nanoseconds(limit - seconds).count()};
  const int signal = sigtimedwait(&signals_, nullptr, &time);
  if (signal == SIGTERM || signal == SIGINT) {
    ToldToStop();
    if (gateway_ > 0) kill(gateway_, SIGTERM);
  }
}

bool Guardian::Reap(End& end) {
  int status = 0;
  // All children: as process 1 of a container it inherits those of others.
  for (pid_t pid = waitpid(-1, &status, WNOHANG); pid > 0; pid = waitpid(-1, &status, WNOHANG)) {
    if (pid != gateway_) continue;
    gateway_ = 0;
    end.dead = true;
    end.status = status;
    if (end.why.empty()) {
      end.why = WIFSIGNALED(status) ? fmt::format("was killed by signal {}", WTERMSIG(status))
                                    : fmt::format("ended with exit status {}", WEXITSTATUS(status));
    }
  }
  return end.dead;
}

bool Guardian::AwaitDeath(End& end, milliseconds limit) {
  const auto start = Clock::now();
  while (!Reap(end) && Since(start) < limit) WaitForSignal(kTick / 5);
  return end.dead;
}

/// The first thread does nothing but wait for the others' end. If it is gone and they are not, then the
/// process was killed while they were in system calls.
bool Guardian::LeaderHasEnded() const {
  std::ifstream file(fmt::format("/proc/{}/stat", gateway_));
  std::string text;
  std::getline(file, text);
  const size_t name_end = text.rfind(')');
  return name_end != std::string::npos && text.compare(name_end, 3, ") Z") == 0;
}

Guardian::End Guardian::Watch(SharedState& state) {
  static constexpr std::array<const char*, SharedState::kBeats> kWhat{"receive recalls", "run timers"};
  const int64_t silent_max = std::max(options_.recall_deadline, kSilenceMin) / kTick;
  std::array<uint64_t, SharedState::kBeats> seen{};
  std::array<int64_t, SharedState::kBeats> silent{};  // in ticks of ours: time that we got, too
  auto tick = Clock::now() + kTick;
  End end;
  for (;;) {
    WaitForSignal(std::max(kTick - Since(tick - kTick), milliseconds(1)));
    if (Reap(end)) return end;
    if (Clock::now() < tick) continue;
    tick = Clock::now() + kTick;
    if (stop_ && budget_.grace.count() > 0 && Since(stop_at_) >= budget_.KillAfter()) {
      end.why = fmt::format("did not end in {} ms, and was killed", budget_.KillAfter().count());
      kill(gateway_, SIGKILL);
      return end;
    }
    if (state.phase.load() != SharedState::kServing) continue;
    for (size_t beat = 0; beat < seen.size(); ++beat) {
      const uint64_t now = state.beats[beat].load();
      silent[beat] = now == seen[beat] ? silent[beat] + 1 : 0;
      seen[beat] = now;
      if (silent[beat] * kTick > 2 * milliseconds(kBeatMs) && LeaderHasEnded()) {
        end.why = "was killed, and is still in system calls";
        return end;
      }
      if (silent[beat] >= silent_max) {
        end.why = fmt::format("did not {} for {} ms, and was killed", kWhat[beat],
                              milliseconds(silent[beat] * kTick).count());
        kill(gateway_, SIGKILL);
        return end;
      }
    }
  }
}

std::optional<int> Guardian::AfterDeath(SharedState& state, End& end, std::chrono::nanoseconds served) {
  const bool stopping = stop_;
  Say(log::Level::kError, fmt::format("the gateway of {} {}", options_.mountpoint, end.why));
  TakeOver(state, end);
  if (!stopping) return Pause(served);
  UnmountDead(options_.mountpoint, dead_mount_);
  return kExitRuntime;
}

std::optional<int> Guardian::Pause(std::chrono::nanoseconds served) {
  const std::optional<milliseconds> delay = policy_.OnFailure(served);
  if (!delay) {
    Say(log::Level::kError,
        fmt::format("{} is unmounted: the gateway died, or could not be started, {} times in a row",
                    options_.mountpoint, RestartPolicy::kFailuresMax));
  }
  const auto start = Clock::now();
  while (delay && !stop_ && Since(start) < *delay) WaitForSignal(*delay - Since(start));
  // The next one replaces the dead mount when it is about to mount: what is below must not be taken for it.
  // Unless the source itself is there.
  if (!delay || stop_ || IsInside(options_.source, options_.mountpoint)) {
    UnmountDead(options_.mountpoint, dead_mount_);
  }
  if (!delay) return kExitRuntime;
  if (stop_) return kExitDone;
  Say(log::Level::kInfo, fmt::format("starting the gateway of {} again", options_.mountpoint));
  return std::nullopt;
}

void Guardian::TakeOver(SharedState& state, End& end) {
  const auto start = Clock::now();
  std::array<int, kConnectionsMax> session_fds{};
  for (size_t i = 0; i < session_fds.size(); ++i) session_fds[i] = state.session_fds[i].load();
  const std::string fuse = session_fds[0] < 0 ? "" : descriptors_.PathOf(session_fds[0]);
  if (const uint64_t mounted = state.mount_id.load(); mounted != 0) dead_mount_ = mounted;
  if (const int slot = state.slot.load(); slot >= 0) slot_ = slot;
  if (fuse.empty()) {
    AwaitDeath(end, kDeathSoon);
    GiveLeasesBack({});
  } else {
    // The clones: requests read through them end now, and unlock their pages.
    descriptors_.Close(session_fds, [&fuse](const std::string& path) { return path == fuse; });
    TakeBack take_back(session_fds, state.grants);
    // An answer being written must not come after the invalidation. Threads in other system calls write none.
    AwaitDeath(end, kDeathSoon);
    take_back.Start();
    const bool in_time = take_back.Wait(kTakeBackMax);
    GiveLeasesBack(session_fds);
    Say(in_time ? log::Level::kInfo : log::Level::kError,
        fmt::format("{}: {} inodes taken back from the kernel{}, leases given back after {} ms",
                    options_.mountpoint, take_back.inodes(), in_time ? "" : ", NOT ALL OF THEM",
                    Since(start).count()));
    if (!in_time && !take_back.Wait(Left(kTakeBackLate))) {
      UnmountDead(options_.mountpoint, dead_mount_);
      for (size_t i = 1; i < session_fds.size(); ++i)
        AbortConnection(session_fds[i], state.devices[i].load());
    }
  }
  while (!AwaitDeath(end, Left(kTakeBackLate)) && Left(kTakeBackLate).count() > 0) {
    Say(log::Level::kWarning, fmt::format("waiting for the end of process {}, which was killed", gateway_));
  }
  GiveLeasesBack(
      {});  // a dying thread may have been opening one; and the sessions, which cuts the connections
}

void Guardian::GiveLeasesBack(std::span<const int> session_fds) const {
  // Closing another file may wait for the lock manager, and for our own leases.
  descriptors_.Close(session_fds, [this](const std::string& path) {
    // The name alone tells where dlmfs has been unmounted lazily.
    return IsInside(path, options_.dlmfs_dir) || ocfs2::IsLockName(path.substr(path.rfind('/') + 1));
  });
  descriptors_.Close(session_fds, [](const std::string&) { return true; });
}

void Guardian::Say(log::Level level, const std::string& line) const {
  const log::Options target{options_.log_level, options_.log_file, !options_.foreground};
  // Where that cannot be opened, the line goes to stderr.
  static_cast<void>(log::Configure(target).ok());
  log::Write(level, line);
  static_cast<void>(log::Configure({.level = options_.log_level, .file = {}, .syslog = false}).ok());
}

}  // namespace ocfsgw::fusefs
