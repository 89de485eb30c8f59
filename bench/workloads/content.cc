#include "bench/workloads/content.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

#include "base/checksum.h"

namespace ocfsgw::bench {
namespace {

static_assert(std::endian::native == std::endian::little, "the content is the same everywhere");

/// Calls use(bytes, n) with the content from `offset` on, in pieces of at most a word, until it is false or
/// there were `length` bytes; returns where it stopped.
template <typename Use>
uint64_t ForEachWord(ContentKey key, uint64_t offset, size_t length, const Use& use) {
  for (const uint64_t end = offset + length; offset < end;) {
    const uint64_t word = Mix(key + offset / 8);
    const size_t skip = offset % 8, n = std::min<uint64_t>(8 - skip, end - offset);
    if (!use(reinterpret_cast<const std::byte*>(&word) + skip, n)) return offset;
    offset += n;
  }
  return offset;
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
  std::byte* at = into.data();
  ForEachWord(key, offset, into.size(), [&at](const std::byte* bytes, size_t n) {
    std::memcpy(at, bytes, n);
    at += n;
    return true;
  });
}

std::optional<uint64_t> FirstWrongByte(ContentKey key, uint64_t offset, std::span<const std::byte> bytes) {
  const std::byte* at = bytes.data();
  size_t right = 0;  // bytes of the word that differs
  const uint64_t stop = ForEachWord(key, offset, bytes.size(), [&](const std::byte* expected, size_t n) {
    right = std::mismatch(expected, expected + n, at).first - expected;
    at += n;
    return right == n;
  });
  if (stop == offset + bytes.size()) return std::nullopt;
  return stop + right;
}

}  // namespace ocfsgw::bench
