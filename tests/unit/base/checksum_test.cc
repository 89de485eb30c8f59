#include "base/checksum.h"

#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <vector>

namespace ocfsgw {
namespace {

/// The buffer of xxHash's own sanity check (cli/xsum_sanity_check.c, XSUM_fillTestBuffer).
std::vector<std::byte> SanityBuffer(size_t length) {
  constexpr uint64_t kPrime32 = 2654435761U;
  constexpr uint64_t kPrime64 = 11400714785074694797ULL;
  std::vector<std::byte> buffer(length);
  uint64_t generator = kPrime32;
  for (std::byte& byte : buffer) {
    byte = static_cast<std::byte>(generator >> 56);
    generator *= kPrime64;
  }
  return buffer;
}

constexpr uint64_t kSeed64 = 0x9E3779B185EBCA8DULL;  // PRIME64 of the same file

// Values from XSUM_XXH3_testdata of that file: they are part of the on-disk format and must never change.
TEST(Xxh3Test, KnownAnswers) {
  struct Vector {
    size_t length;
    uint64_t seed;
    uint64_t expected;
  };
  constexpr std::array kVectors = {
      Vector{0, 0, 0x2D06800538D394C2ULL},    Vector{0, kSeed64, 0xA8A6B918B2F0364AULL},
      Vector{1, 0, 0xC44BDFF4074EECDBULL},    Vector{1, kSeed64, 0x032BE332DD766EF8ULL},
      Vector{6, 0, 0x27B56A84CD2D7325ULL},    Vector{6, kSeed64, 0x84589C116AB59AB9ULL},
      Vector{12, 0, 0xA713DAF0DFBB77E7ULL},   Vector{12, kSeed64, 0xE7303E1B2336DE0EULL},
      Vector{24, 0, 0xA3FE70BF9D3510EBULL},   Vector{24, kSeed64, 0x850E80FC35BDD690ULL},
      Vector{48, 0, 0x397DA259ECBA1F11ULL},   Vector{48, kSeed64, 0xADC2CBAA44ACC616ULL},
      Vector{80, 0, 0xBCDEFBBB2C47C90AULL},   Vector{80, kSeed64, 0xC6DD0CB699532E73ULL},
      Vector{195, 0, 0xCD94217EE362EC3AULL},  Vector{195, kSeed64, 0xBA68003D370CB3D9ULL},
      Vector{403, 0, 0xCDEB804D65C6DEA4ULL},  Vector{403, kSeed64, 0x6259F6ECFD6443FDULL},
      Vector{512, 0, 0x617E49599013CB6BULL},  Vector{512, kSeed64, 0x3CE457DE14C27708ULL},
      Vector{2048, 0, 0xDD59E2C3A5F038E0ULL}, Vector{2048, kSeed64, 0x66F81670669ABABCULL},
  };
  for (const Vector& vector : kVectors) {
    const auto buffer = SanityBuffer(vector.length);
    EXPECT_EQ(Xxh3(buffer, vector.seed), vector.expected)
        << "length " << vector.length << ", seed " << vector.seed;
  }
}

TEST(Xxh3Test, EmptySpanWithoutBuffer) { EXPECT_EQ(Xxh3({}), Xxh3(SanityBuffer(0))); }

TEST(Xxh3Test, EveryByteCounts) {
  auto buffer = SanityBuffer(300);
  const uint64_t before = Xxh3(buffer);
  for (std::byte& byte : buffer) {
    byte ^= std::byte{1};
    EXPECT_NE(Xxh3(buffer), before);
    byte ^= std::byte{1};
  }
}

}  // namespace
}  // namespace ocfsgw
