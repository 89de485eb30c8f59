// posix_diff: the same random system calls on a bare file system and through the gateway; they must look the
// same.
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <exception>
#include <iostream>
#include <random>
#include <set>
#include <sstream>

#include "tests/posix/differential/comparison.h"
#include "tests/posix/differential/maker.h"

namespace ocfsgw::posixdiff {
namespace {

constexpr const char* kUsage =
    "posix_diff --bare DIR --gateway DIR [--seed N] [--sequences N] [--steps N] [--seconds N] [--keep "
    "I,J,...]\n"
    "           [--all] [--coverage] [--verbose]\n"
    "  --bare DIR     a directory of a file system, as root\n"
    "  --gateway DIR  a directory of a gateway's mount over a file system of the same kind\n"
    "  --keep I,J     only these steps of the sequence, as printed for a failure\n"
    "  --all          go on after a failure, and report each kind of failure once\n"
    "  --seconds N    stop after that time, however many sequences are left\n"
    "Exit status: 0 no unknown difference, 1 there is one, 2 it cannot run.\n";

struct Options {
  std::string bare;
  std::string gateway;
  uint64_t seed = std::random_device{}();
  uint64_t sequences = 100;
  uint64_t steps = 60;
  int64_t seconds = 0;
  std::vector<size_t> keep;
  bool all = false;
  bool coverage = false;
  bool verbose = false;
};

bool Parse(int argc, char** argv, Options* options) {
  for (int i = 1; i < argc; ++i) {
    const std::string name = argv[i];
    bool* const flag = name == "--all"        ? &options->all
                       : name == "--coverage" ? &options->coverage
                       : name == "--verbose"  ? &options->verbose
                                              : nullptr;
    if (flag != nullptr) {
      *flag = true;
      continue;
    }
    if (++i == argc) return false;
    const std::string value = argv[i];
    const uint64_t number = std::strtoull(value.c_str(), nullptr, 10);
    if (name == "--bare") {
      options->bare = value;
    } else if (name == "--gateway") {
      options->gateway = value;
    } else if (name == "--seed") {
      options->seed = number;
    } else if (name == "--sequences") {
      options->sequences = number;
    } else if (name == "--steps") {
      options->steps = number;
    } else if (name == "--seconds") {
      options->seconds = static_cast<int64_t>(number);
    } else if (name == "--keep") {
      std::istringstream list(value);
      for (std::string index; std::getline(list, index, ',');) options->keep.push_back(std::stoul(index));
    } else {
      return false;
    }
  }
  return !options->bare.empty() && !options->gateway.empty();
}

/// Whether two changes in a row, with a look between them, always have different times (multigrain
/// timestamps).
bool TellsChangesApart(const std::string& directory) {
  const int fd = open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  struct stat before {};
  struct stat after {};
  struct statfs fs {};
  bool fine = fstat(fd, &before) == 0 && fstatfs(fd, &fs) == 0 && fs.f_type != TMPFS_MAGIC;
  for (int i = 0; fine && i < 20; ++i) {
    fine = fchmod(fd, before.st_mode & 07777) == 0 && fstat(fd, &after) == 0 &&
           std::memcmp(&before.st_ctim, &after.st_ctim, sizeof before.st_ctim) != 0;
    before = after;
  }
  close(fd);
  return fine;
}

void Print(const std::vector<Step>& steps, const Difference& difference) {
  for (size_t i = 0; i < steps.size(); ++i) std::cout << "  " << i + 1 << ". " << steps[i].Text() << '\n';
  const bool tree = difference.step == steps.size();
  std::cout << (tree ? "  the trees differ" : "  step " + std::to_string(difference.step + 1) + " differs")
            << "\n  bare:    " << difference.bare << "\n  gateway: " << difference.gateway << '\n';
}

class Program {
 public:
  explicit Program(const Options& options)
      : options_(options), comparison_(options.bare, options.gateway, TellsChangesApart(options.bare)) {}

  int Run() {
    std::cout << "seed " << options_.seed << ", " << options_.sequences << " sequences of " << options_.steps
              << " steps" << std::endl;
    const time_t start = time(nullptr);
    uint64_t done = 0;
    for (; done < options_.sequences; ++done) {
      if (options_.seconds > 0 && time(nullptr) - start >= options_.seconds) break;
      if (!One(options_.seed + done) && !options_.all) break;
    }
    std::cout << done << " sequences, " << comparison_.steps() << " steps, " << kinds_.size()
              << " kinds of failures\n";
    for (const Deviation& known : KnownDeviations()) {
      const auto seen = comparison_.seen().find(known.name);
      std::cout << "known deviation " << known.name << ": seen "
                << (seen == comparison_.seen().end() ? 0 : seen->second) << " times\n";
    }
    if (options_.coverage) {
      for (const auto& [name, count] : comparison_.counts()) {
        std::cout << name << ": worked " << count.worked << ", failed " << count.failed << '\n';
      }
    }
    return kinds_.empty() ? 0 : 1;
  }

 private:
  bool One(uint64_t seed) {
    std::vector<size_t> kept(options_.steps);
    for (size_t i = 0; i < kept.size(); ++i) kept[i] = i;
    if (!options_.keep.empty()) kept = options_.keep;
    const std::vector<Step> all = Maker(seed).Sequence(options_.steps);
    std::vector<Step> steps;
    for (const size_t index : kept) steps.push_back(all.at(index));
    if (options_.verbose) Print(steps, {});
    const bool watch = seed % 2 == 0;
    const auto difference = comparison_.Run(steps, watch);
    if (!difference) return true;
    if (!kinds_.insert(difference->Kind(steps)).second) return false;
    const Difference smallest = comparison_.Shrink(steps, kept, *difference, watch);
    std::cout << "\nseed " << seed << (watch ? ", watched" : "") << ": a difference that is not known\n";
    Print(steps, smallest);
    std::cout << "  replay: posix_diff --bare " << options_.bare << " --gateway " << options_.gateway
              << " --seed " << seed << " --sequences 1 --steps " << options_.steps << " --keep ";
    for (size_t i = 0; i < kept.size(); ++i) std::cout << (i == 0 ? "" : ",") << kept[i];
    std::cout << std::endl;
    return false;
  }

  const Options options_;
  Comparison comparison_;
  std::set<std::string> kinds_;
};

}  // namespace
}  // namespace ocfsgw::posixdiff

int main(int argc, char** argv) {
  ocfsgw::posixdiff::Options options;
  if (!ocfsgw::posixdiff::Parse(argc, argv, &options)) {
    std::cerr << ocfsgw::posixdiff::kUsage;
    return 2;
  }
  try {
    return ocfsgw::posixdiff::Program(options).Run();
  } catch (const std::exception& error) {
    std::cerr << "posix_diff: " << error.what() << '\n';
    return 2;
  }
}
