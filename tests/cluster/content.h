#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace ocfsgw::cluster {

/// Bytes that depend on the seed and on their position only.
inline std::vector<unsigned char> Pattern(size_t size, uint64_t seed) {
  std::vector<unsigned char> bytes(size);
  uint64_t x = (seed + 1) * 0x9E3779B97F4A7C15ULL;
  for (auto& byte : bytes) {
    x ^= x << 13, x ^= x >> 7, x ^= x << 17;
    byte = static_cast<unsigned char>(x);
  }
  return bytes;
}

/// FNV-1a (http://www.isthe.com/chongo/tech/comp/fnv/).
inline uint64_t Hash(const unsigned char* bytes, size_t size, uint64_t hash = 0xCBF29CE484222325ULL) {
  for (size_t i = 0; i < size; ++i) {
    hash = (hash ^ bytes[i]) * 0x100000001B3ULL;
  }
  return hash;
}

}  // namespace ocfsgw::cluster
