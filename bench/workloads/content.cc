#include "bench/workloads/content.h"

#include <algorithm>
#include <cmath>

#include "base/checksum.h"

namespace ocfsgw::bench {
namespace {

std::byte ByteAt(uint64_t word, uint64_t position) {
  return static_cast<std::byte>(word >> (8 * (position % 8)));
}

}  // namespace

uint64_t Mix(uint64_t value) {
  value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9;
  value = (value ^ (value >> 27)) * 0x94d049bb133111eb;
  return value ^ (value >> 31);
}

Random RandomFor(uint64_t seed, unsigned thread, uint64_t round) {
  return Random(Mix(Mix(seed + 1) + thread) + round);
}

Zipf::Zipf(size_t n, double exponent) {
  double sum = 0;
  for (size_t i = 0; i < n; ++i) {
    sum += std::pow(static_cast<double>(i + 1), -exponent);
    cumulative_.push_back(sum);
  }
}

size_t Zipf::Draw(Random& random) const {
  const double at = random.Share() * cumulative_.back();
  const auto it = std::upper_bound(cumulative_.begin(), cumulative_.end(), at);
  return std::min<size_t>(static_cast<size_t>(it - cumulative_.begin()), cumulative_.size() - 1);
}

ContentKey KeyFor(uint64_t seed, std::string_view path, uint64_t version) {
  return Mix(Xxh3(std::as_bytes(std::span(path)), seed) + Mix(version));
}

void FillContent(ContentKey key, uint64_t offset, std::span<std::byte> into) {
  uint64_t word = Mix(key + offset / 8);
  for (size_t i = 0; i < into.size(); ++i) {
    const uint64_t at = offset + i;
    if (at % 8 == 0) word = Mix(key + at / 8);
    into[i] = ByteAt(word, at);
  }
}

std::optional<uint64_t> FirstWrongByte(ContentKey key, uint64_t offset, std::span<const std::byte> bytes) {
  uint64_t word = Mix(key + offset / 8);
  for (size_t i = 0; i < bytes.size(); ++i) {
    const uint64_t at = offset + i;
    if (at % 8 == 0) word = Mix(key + at / 8);
    if (bytes[i] != ByteAt(word, at)) return at;
  }
  return std::nullopt;
}

}  // namespace ocfsgw::bench
