// Mappings.
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "tests/posix/differential/actor.h"
#include "tests/posix/differential/maker.h"

namespace ocfsgw::posixdiff {
namespace {

void MakeMap(Maker& maker, Step& step) {
  maker.UseOpen(step);
  step.fd2 = static_cast<int>(maker.Below(Actor::kMaps));
  step.a = maker.Of<int64_t>({PROT_READ, PROT_READ | PROT_WRITE, PROT_READ | PROT_WRITE});
  step.b = maker.Of<int64_t>({MAP_SHARED, MAP_SHARED, MAP_PRIVATE});
  step.c = maker.OneIn(8) ? maker.Offset() : maker.Below(3) * 4096;
}

constexpr size_t kMapBytes = 3 * 4096;

std::string RunMap(Actor& actor, const Step& step) {
  Actor::Map& map = actor.map(step.fd2);
  if (map.at != nullptr) munmap(map.at, map.size);
  if (map.fd >= 0) close(map.fd);
  map = {};
  void* const at =
      mmap(nullptr, kMapBytes, static_cast<int>(step.a), static_cast<int>(step.b), actor.fd(step.fd), step.c);
  if (at == MAP_FAILED) return Outcome(-1);
  map = {static_cast<char*>(at), kMapBytes, dup(actor.fd(step.fd))};
  return "mapped";
}

void MakeTouch(Maker& maker, Step& step) {
  maker.UseOpen(step);
  step.fd2 = static_cast<int>(maker.Below(Actor::kMaps));
  step.a = maker.Below(kMapBytes);
  step.b = 1 + maker.Below(5000);
  step.c = maker.Below(1000);
}

struct Range {
  char* at;
  std::string* data;
};

bool Within(const Actor::Map& map, const Step& step, Range* range, std::string* data) {
  if (map.at == nullptr) return false;
  const auto start = static_cast<size_t>(step.a);
  data->resize(std::min(static_cast<size_t>(step.b), map.size - start));
  *range = {map.at + start, data};
  return true;
}

std::string RunLoad(Actor& actor, const Step& step) {
  Range range{};
  std::string data;
  if (!Within(actor.map(step.fd2), step, &range, &data)) return "not mapped";
  const bool read = Touch(&range, [](const void* context) {
    const auto& here = *static_cast<const Range*>(context);
    std::memcpy(here.data->data(), here.at, here.data->size());
  });
  return read ? Bytes(data) : "SIGBUS";
}

// Ends with msync(2): until then the times need not tell of the stores.
std::string RunStore(Actor& actor, const Step& step) {
  const Actor::Map& map = actor.map(step.fd2);
  Range range{};
  std::string data;
  if (!Within(map, step, &range, &data)) return "not mapped";
  // mprotect would fail for a mapping that may not be written.
  if (mprotect(map.at, map.size, PROT_READ | PROT_WRITE) != 0) return Outcome(-1);
  data = Pattern(data.size(), step.c);
  const bool written = Touch(&range, [](const void* context) {
    const auto& here = *static_cast<const Range*>(context);
    std::memcpy(here.at, here.data->data(), here.data->size());
  });
  std::string seen(100, '\0');
  const bool direct = (fcntl(map.fd, F_GETFL) & O_DIRECT) != 0;  // such a read would have to be aligned
  const ssize_t got = direct ? 0 : pread(map.fd, seen.data(), seen.size(), step.a);
  const std::string synced = Outcome(msync(map.at, map.size, MS_SYNC));
  return std::string(written ? "stored" : "SIGBUS") + ", read " + Bytes(got, seen.data()) + ", msync " +
         synced;
}

}  // namespace

std::vector<Call> MapCalls() {
  return {{"mmap", "fgxyc", 8, MakeMap, RunMap},
          {"load", "gab", 8, MakeTouch, RunLoad},
          {"store_msync", "gabc", 8, MakeTouch, RunStore}};
}

}  // namespace ocfsgw::posixdiff
