#include "coherence/stamp.h"

#include <array>
#include <cstring>

#include "base/checksum.h"

namespace ocfsgw::coherence {

StampHash Stamp::Hash(uint64_t salt) const {
  const std::array<uint64_t, 7> words = {id.ino,     id.generation,
                                         size,       static_cast<uint64_t>(mtime.sec),
                                         mtime.nsec, static_cast<uint64_t>(ctime.sec),
                                         ctime.nsec};
  return StampHash(Xxh3(std::as_bytes(std::span(words)), salt));
}

bool Stamp::RacyAt(int64_t wall_now_ns, int64_t guard_ns) const {
  constexpr int64_t kNsPerSecond = 1'000'000'000;
  // In seconds first: a ctime far outside the range of nanoseconds must not overflow.
  const int64_t now_sec = wall_now_ns / kNsPerSecond;
  const int64_t guard_sec = guard_ns / kNsPerSecond + 1;
  if (ctime.sec < now_sec - guard_sec - 1) return false;
  if (ctime.sec > now_sec + guard_sec + 1) return true;
  return ctime.sec * kNsPerSecond + ctime.nsec + guard_ns >= wall_now_ns;
}

}  // namespace ocfsgw::coherence
