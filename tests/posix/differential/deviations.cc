#include "tests/posix/differential/deviations.h"

#include <linux/falloc.h>

#include <array>

namespace ocfsgw::posixdiff {
namespace {

/// The first line: what the program saw. The others are what the tester saw.
std::string First(const std::string& text) { return text.substr(0, text.find('\n')); }

constexpr int64_t kFuseAllocates = FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE;

const std::array kKnown = {
    Deviation{"statx-btime",
              [](const Step& step, const std::string& bare, const std::string& gateway) {
                const std::string first = First(bare);
                return step.Is("statx") && first.ends_with(" btime") &&
                       first.substr(0, first.size() - 6) + bare.substr(first.size()) == gateway;
              },
              Deviation::After::kGoOn,
              "libfuse 3.14 has no STATX: the kernel cannot ask for the time of birth"},
    Deviation{"fallocate-modes",
              [](const Step& step, const std::string&, const std::string& gateway) {
                return step.Is("fallocate") && (step.a & ~kFuseAllocates) != 0 &&
                       First(gateway) == "-EOPNOTSUPP";
              },
              Deviation::After::kEnd,
              "the kernel's FUSE refuses collapse, insert and unshare (fuse_file_fallocate)"},
};

}  // namespace

std::span<const Deviation> KnownDeviations() { return kKnown; }

}  // namespace ocfsgw::posixdiff
