#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace ocfsgw::bench {

/// The output function of splitmix64 (https://prng.di.unimi.it/splitmix64.c).
uint64_t Mix(uint64_t value);

/// splitmix64: the same numbers everywhere for a seed, which the standard library's distributions do not
/// give.
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}
  uint64_t Next() { return Mix(state_ += 0x9e3779b97f4a7c15); }
  /// 0 to limit - 1, by remainder. REQUIRES: limit > 0.
  uint64_t Below(uint64_t limit) { return Next() % limit; }
  /// 0 to 1, without 1.
  double Share() { return static_cast<double>(Next() >> 11) * 0x1p-53; }

 private:
  uint64_t state_;
};

/// The numbers of one thread in one round.
Random RandomFor(uint64_t seed, unsigned thread, uint64_t round);

/// Numbers from 0 (the most popular) to n - 1, where number i is drawn in proportion to 1 / (i + 1)^exponent.
class Zipf {
 public:
  Zipf(size_t n, double exponent);
  size_t Draw(Random& random) const;

 private:
  std::vector<double> cumulative_;
};

/// What a file holds: byte i is a function of the key and i alone.
using ContentKey = uint64_t;

/// Differs for each seed, path and version.
ContentKey KeyFor(uint64_t seed, std::string_view path, uint64_t version = 0);
void FillContent(ContentKey key, uint64_t offset, std::span<std::byte> into);
/// The offset in the file of the first byte that is not as FillContent makes it; nothing if all are right.
std::optional<uint64_t> FirstWrongByte(ContentKey key, uint64_t offset, std::span<const std::byte> bytes);

}  // namespace ocfsgw::bench
