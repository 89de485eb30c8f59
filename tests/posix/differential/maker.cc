#include "tests/posix/differential/maker.h"

#include <limits>

#include "tests/posix/differential/actor.h"

namespace ocfsgw::posixdiff {

namespace {
constexpr int kOpensFirst = 3;
}

const std::vector<Call>& AllCalls() {
  static const std::vector<Call> calls = [] {
    std::vector<Call> all;
    for (const auto& family : {OpenCalls(), DataCalls(), SpaceCalls(), MapCalls(), NameCalls(),
                               AttributeCalls(), StatCalls(), XattrCalls(), DirectoryCalls(), LockCalls()}) {
      all.insert(all.end(), family.begin(), family.end());
    }
    return all;
  }();
  return calls;
}

uint64_t Maker::Next() {
  // SplitMix64: neighbouring seeds give sequences that have nothing in common.
  uint64_t z = state_ += 0x9e3779b97f4a7c15ULL;
  z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
  z = (z ^ z >> 27) * 0x94d049bb133111ebULL;
  return z ^ z >> 31;
}

std::vector<Step> Maker::Sequence(size_t steps) {
  int64_t total = 0;
  for (const Call& call : AllCalls()) total += call.weight;
  std::vector<Step> sequence(steps);
  for (Step& step : sequence) {
    int64_t at = Below(total);
    for (const Call& call : AllCalls()) {
      step.call = &call;
      if ((at -= call.weight) < 0) break;
    }
    step.actor = SomeActor();
    // Without descriptors nothing much can happen.
    if (&step - sequence.data() < kOpensFirst) step.call = &AllCalls().front();
    step.call->make(*this, step);
  }
  return sequence;
}

std::string Maker::Name() {
  switch (Below(24)) {
    case 0:
      return std::string(255, static_cast<char>('a' + Below(3)));
    case 1:
      return std::string(256, 'n');
    case 2: {
      std::string name;
      for (int64_t n = 1 + Below(6); n > 0; --n) {
        const char c = static_cast<char>(1 + Below(255));
        name += c == '/' ? '_' : c;
      }
      return name;
    }
    default:
      return Of<const char*>(
          {"f0", "f1", "f2", "f3", "a", "b", "c", "l0", "l1", "l2", "h0", "p0", "f", "f", "a"});
  }
}

std::string Maker::DirectoryPath() {
  if (OneIn(8)) return Path();
  return Of<const char*>({".", "d0", "d1", "d2", "d3", "d4", "d0/e", "l1"});
}

std::string Maker::StrangePath() {
  switch (Below(12)) {
    case 0:
      return "";
    case 1:
      return ".";
    case 2:
      return "..";
    case 3:
      return Name() + "/";
    case 4:
      return DirectoryPath() + "/.";
    case 5:
      return DirectoryPath() + "/..";
    case 6:
      return "l3/" + Name();
    case 7:
      return DirectoryPath() + "//" + Name() + "//";
    case 8: {
      std::string longest;
      while (longest.size() < 4093) longest += "./";
      return longest.substr(0, 4092) + (OneIn(2) ? "/f0" : "//f0");  // of 4095 and 4096 bytes
    }
    case 9:
      return std::string(5000, '/') + Name();
    case 10:
      return "l4/d0/../" + Name();
    default:
      return "f0/" + Name();
  }
}

std::string Maker::Existing() {
  return Of<const char*>(
      {"f0", "f1", "f2", "f3", "h0", "d0/f", "d1/f", "d2/f", "d3/f", "d0", "d4", "l0", "d2/l0"});
}

std::string Maker::Path() {
  if (OneIn(14)) return StrangePath();
  const std::string name =
      OneIn(5) ? Of<const char*>({"d0", "d1", "d2", "d3", "d4", "l3", "l4", "e"}) : Name();
  return OneIn(2) ? name
                  : std::string(Of<const char*>({"d0", "d1", "d2", "d3", "d4", "l1", "d0/e"})) + "/" + name;
}

int64_t Maker::Offset() {
  if (OneIn(16)) {
    return Of<int64_t>({-1, std::numeric_limits<int64_t>::min(), std::numeric_limits<int64_t>::max(),
                        std::numeric_limits<int64_t>::max() - 4095, int64_t{1} << 40, int64_t{1} << 45,
                        int64_t{1} << 62});
  }
  if (OneIn(2)) return Below(20) * 4096;
  return Of<int64_t>({0, 0, 1, 2, 100, 4095, 4097, 5000, 10'000, 65'535, 1 << 20});
}

int64_t Maker::Length() {
  if (OneIn(2)) return (1 + Below(8)) * 4096;
  return Of<int64_t>({0, 1, 3, 100, 512, 4095, 5000, 10'000, 65'536, 200'000});
}

int64_t Maker::Mode() {
  return Of<int64_t>(
      {0644, 0666, 0600, 0777, 0, 0640, 0755, 01777, 02755, 02777, 04755, 06777, 07777, 0444, 0222, 02644});
}

void Maker::Open(Step& step) {
  step.fd = static_cast<int>(Below(Actor::kSlots));
  open_.push_back({step.actor, step.fd});
}

void Maker::UseOpen(Step& step) {
  if (open_.empty()) return;
  if (OneIn(30)) return;
  // The youngest are most likely still open.
  const int64_t back = Below(std::min<int64_t>(static_cast<int64_t>(open_.size()), 6));
  const Slot& slot = open_[open_.size() - 1 - static_cast<size_t>(back)];
  step.actor = slot.actor;
  step.fd = slot.fd;
}

}  // namespace ocfsgw::posixdiff
