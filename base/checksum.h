#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace ocfsgw {

/// XXH3, 64 bits (https://github.com/Cyan4973/xxHash): integrity of stored blocks and hashing of stamps. Not
/// cryptographic. The value is part of the on-disk format.
uint64_t Xxh3(std::span<const std::byte> bytes, uint64_t seed = 0);

}  // namespace ocfsgw
