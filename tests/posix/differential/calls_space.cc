// Sizes and allocation.
#include <fcntl.h>
#include <linux/falloc.h>
#include <sys/resource.h>
#include <unistd.h>

#include "tests/posix/differential/actor.h"
#include "tests/posix/differential/maker.h"

namespace ocfsgw::posixdiff {
namespace {

void MakeTruncate(Maker& maker, Step& step) {
  step.path = maker.Target();
  step.a = maker.Offset();
}

void MakeFtruncate(Maker& maker, Step& step) {
  maker.UseOpen(step);
  step.a = maker.Offset();
}

void MakeAllocate(Maker& maker, Step& step) {
  maker.UseOpen(step);
  step.a = maker.OneIn(12)
               ? maker.Of<int64_t>({FALLOC_FL_COLLAPSE_RANGE, FALLOC_FL_INSERT_RANGE, FALLOC_FL_UNSHARE_RANGE,
                                    0x400, FALLOC_FL_PUNCH_HOLE})
               : maker.Of<int64_t>({0, 0, FALLOC_FL_KEEP_SIZE, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                                    FALLOC_FL_ZERO_RANGE, FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE});
  step.b = maker.Offset();
  step.c = maker.OneIn(20) ? maker.Of<int64_t>({-1, 0, int64_t{1} << 62}) : maker.Length();
}

void MakeLimit(Maker& maker, Step& step) {
  step.a = maker.Of<int64_t>({0, 1, 4096, 9000, 1 << 20, -1, -1, -1});
}

std::string RunLimit(Actor& /*actor*/, const Step& step) {
  // Only the soft limit: it is to be raised again.
  struct rlimit limit {};
  getrlimit(RLIMIT_FSIZE, &limit);
  limit.rlim_cur = static_cast<rlim_t>(step.a);
  return Outcome(setrlimit(RLIMIT_FSIZE, &limit));
}

}  // namespace

std::vector<Call> SpaceCalls() {
  return {
      {"truncate", "pa", 12, MakeTruncate,
       [](Actor&, const Step& step) { return Outcome(truncate(step.path.c_str(), step.a)); }},
      {"ftruncate", "fa", 12, MakeFtruncate,
       [](Actor& actor, const Step& step) { return Outcome(ftruncate(actor.fd(step.fd), step.a)); }},
      {"fallocate", "fxbc", 16, MakeAllocate,
       [](Actor& actor, const Step& step) {
         return Outcome(fallocate(actor.fd(step.fd), static_cast<int>(step.a), step.b, step.c));
       }},
      {"setrlimit_fsize", "a", 4, MakeLimit, RunLimit},
  };
}

}  // namespace ocfsgw::posixdiff
