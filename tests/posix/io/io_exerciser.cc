// io_exerciser: random operations on one file, each checked against a model in memory, in the manner of fsx.
// With several ways to the file (two mounts, or another node) a process for each takes turns with the others,
// and what one has done must be seen by the next at once. Linked statically: it also runs in the lab's nodes.
//
//   io_exerciser --path FILE [--second FILE] --ops N    makes FILE anew, exercises it, leaves it
//   io_exerciser --path FILE --serve PORT               goes into the background and does what the other
//   program says io_exerciser --path FILE --peer ADDRESS:PORT        takes turns with that one
//
// Exit status: 0 no difference; 1 a difference, described on standard output; 2 it could not run.
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <deque>
#include <iostream>
#include <memory>
#include <sstream>
#include <system_error>
#include <vector>

#include "tests/posix/io/lines.h"
#include "tests/posix/io/side.h"

namespace {

using namespace ocfsgw::posixio;  // NOLINT(google-build-using-namespace): this is its program

constexpr size_t kRemembered = 20;
constexpr const char* kDo = "do ";
constexpr const char* kNote = "note ";

struct Arguments {
  SideOptions side;
  std::string second, peer;
  int serve = 0;
  uint64_t seed = 1, ops = 1000;
  std::vector<std::string> without;
  bool verbose = false;
};

/// A side's process: does what comes down the line until it ends.
int Serve(Lines& lines, const SideOptions& options) {
  Side side(options);
  while (const auto line = lines.Receive()) {
    const bool note = line->starts_with(kNote);
    const auto op = Operation::Parse(line->substr(note ? 5 : 3));
    if (!op) return 2;
    if (note) {
      side.Note(*op);
      continue;
    }
    const Verdict verdict = side.Do(*op);
    const bool sent = lines.Send(verdict.what == Verdict::What::kDone      ? "done"
                                 : verdict.what == Verdict::What::kSkipped ? "skipped"
                                                                           : "wrong " + verdict.why);
    if (!sent) return 2;
  }
  return 0;
}

/// Starts a side in a process of its own, which ends with the line.
std::unique_ptr<Lines> StartSide(const SideOptions& options) {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
    throw std::system_error(errno, std::generic_category(), "socketpair");
  const pid_t pid = fork();
  if (pid < 0) throw std::system_error(errno, std::generic_category(), "fork");
  if (pid == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    close(ends[0]);
    Lines lines(ends[1]);
    _exit(Serve(lines, options));
  }
  close(ends[1]);
  return std::make_unique<Lines>(ends[0]);
}

/// Returns in the first process, when the other can be connected to.
int ServeInBackground(const Arguments& arguments) {
  const int listener = Lines::Listen(arguments.serve);
  const pid_t pid = fork();
  if (pid < 0) throw std::system_error(errno, std::generic_category(), "fork");
  if (pid > 0) return 0;
  setsid();
  const int null = open("/dev/null", O_RDWR | O_CLOEXEC);
  for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) dup2(null, fd);
  Lines lines(Lines::Accept(listener));
  return Serve(lines, arguments.side);
}

class Exerciser {
 public:
  explicit Exerciser(const Arguments& arguments) : arguments_(arguments) {
    const int fd = open(arguments.side.path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0) throw std::system_error(errno, std::generic_category(), arguments.side.path);
    close(fd);
    sides_.push_back(StartSide(arguments.side));
    if (!arguments.second.empty()) {
      SideOptions second = arguments.side;
      second.path = arguments.second;
      sides_.push_back(StartSide(second));
    }
    const size_t colon = arguments.peer.find(':');
    if (colon != std::string::npos) {
      const int port = std::stoi(arguments.peer.substr(colon + 1));
      sides_.push_back(std::make_unique<Lines>(Lines::Connect(arguments.peer.substr(0, colon), port)));
    }
  }

  /// Nobody has the file open any more when it returns: the mount can be taken away.
  ~Exerciser() {
    for (const auto& side : sides_) side->End();
  }
  Exerciser(const Exerciser&) = delete;
  Exerciser& operator=(const Exerciser&) = delete;

  int Run() {
    std::set<Kind> without;
    for (const std::string& name : arguments_.without) without.insert(KindOf(name).value());
    Plan plan(arguments_.seed, arguments_.side.size_max, without);
    for (uint64_t i = 0; i < arguments_.ops; ++i) {
      const size_t side = plan.Side(sides_.size());
      if (!Step(side, plan.Next(side, model_.size()))) return 1;
    }
    // In the end everybody sees everything.
    for (size_t side = 0; side < sides_.size(); ++side) {
      for (const Kind kind : {Kind::kReadAll, Kind::kClose, Kind::kReadAll}) {
        if (!Step(side, {kind, Via::kBoth, 0, 0, 1, 0})) return 1;
      }
    }
    Summary();
    return 0;
  }

 private:
  bool Step(size_t side, const Operation& op) {
    last_.push_back(std::to_string(++step_) + ": side " + std::to_string(side) + " " + op.Text());
    if (last_.size() > kRemembered) last_.pop_front();
    if (arguments_.verbose) std::cout << last_.back() << std::endl;
    const bool sent = sides_[side]->Send(kDo + op.Text());
    const std::string answer =
        sent ? sides_[side]->Receive().value_or("wrong: it has gone") : "wrong: it has gone";
    if (answer == "skipped") {
      ++skipped_[static_cast<size_t>(op.kind)];
      last_.back() += " (not supported)";
      return true;
    }
    if (answer != "done") return Fail(answer);
    ++done_[static_cast<size_t>(op.kind)];
    model_.Apply(op);
    for (size_t other = 0; other < sides_.size(); ++other) {
      if (other != side) sides_[other]->Send(kNote + op.Text());
    }
    return true;
  }

  bool Fail(const std::string& answer) const {
    std::cout << "DIFFERENCE: " << answer
              << "\nThe last operations (name, via, number, offset, length, target):\n";
    for (const std::string& line : last_) std::cout << "  " << line << '\n';
    std::cout << "Seed " << arguments_.seed << ". Replay: io_exerciser --path " << arguments_.side.path;
    if (!arguments_.second.empty()) std::cout << " --second " << arguments_.second;
    if (!arguments_.peer.empty()) std::cout << " --peer " << arguments_.peer;
    std::cout << " --seed " << arguments_.seed << " --ops " << arguments_.ops << " --size "
              << arguments_.side.size_max;
    for (const std::string& name : arguments_.without) std::cout << " --without " << name;
    if (arguments_.side.unasked) std::cout << " --unasked";
    std::cout << std::endl;
    return false;
  }

  void Summary() const {
    std::cout << step_ << " operations, no difference:";
    for (size_t i = 0; i < kKinds; ++i) {
      std::cout << ' ' << NameOf(static_cast<Kind>(i)) << ' ' << done_[i];
      if (skipped_[i] != 0) std::cout << " (not supported: " << skipped_[i] << ')';
    }
    std::cout << std::endl;
  }

  const Arguments& arguments_;
  std::vector<std::unique_ptr<Lines>> sides_;
  Model model_;
  uint64_t step_ = 0;
  std::deque<std::string> last_;
  std::array<uint64_t, kKinds> done_{}, skipped_{};
};

}  // namespace

int main(int argc, char** argv) {
  Arguments arguments;
  arguments.side.size_max = 300'000;
  CLI::App app("Random operations on one file, checked against a model");
  app.add_option("--path", arguments.side.path, "the file")->required();
  app.add_option("--second", arguments.second, "the same file by another way");
  app.add_option("--peer", arguments.peer, "ADDRESS:PORT of another one that serves");
  app.add_option("--serve", arguments.serve, "do what is asked for at this port");
  app.add_option("--seed", arguments.seed, "decides everything");
  app.add_option("--ops", arguments.ops, "how many operations");
  app.add_option("--size", arguments.side.size_max, "the file's largest size");
  app.add_option("--without", arguments.without, "operations to leave out");
  app.add_flag("--unasked", arguments.side.unasked,
               "look at held mappings before anything asks about the file");
  app.add_flag("--verbose", arguments.verbose, "print every operation");
  CLI11_PARSE(app, argc, argv);
  try {
    if (arguments.serve == 0) return Exerciser(arguments).Run();
    return ServeInBackground(arguments);
  } catch (const std::exception& error) {
    std::cerr << "io_exerciser: " << error.what() << std::endl;
    return 2;
  }
}
