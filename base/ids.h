#pragma once

#include <compare>
#include <cstdint>
#include <functional>

namespace ocfsgw {

/// An integer that cannot be mixed up with another kind of integer. `Tag` is any type, only its name counts.
template <typename Tag, typename Rep>
struct StrongId {
  using rep = Rep;
  Rep value{};

  constexpr StrongId() = default;
  constexpr explicit StrongId(Rep v) : value(v) {}
  constexpr auto operator<=>(const StrongId&) const = default;
};

/// Which file system the bytes come from: XXH3 of its UUID (OCFS2) or of its fsid (others).
using VolumeId = StrongId<struct VolumeIdTag, uint64_t>;
/// Index of a block within a file: byte offset / block size.
using BlockIndex = StrongId<struct BlockIndexTag, uint64_t>;
/// Hash of a version stamp; equal hashes mean equal content (see coherence/stamp.h).
using StampHash = StrongId<struct StampHashTag, uint64_t>;

/// An inode for its whole life: a re-used inode number comes with another generation.
/// On OCFS2 `ino` is the block number and `generation` the on-disk generation; elsewhere `generation`
/// is a hash of the file handle.
struct InodeId {
  uint64_t ino = 0;
  uint32_t generation = 0;
  constexpr auto operator<=>(const InodeId&) const = default;
};

/// Mixes two words into one well-spread hash (the 64-bit finalizer of MurmurHash3).
constexpr uint64_t HashMix(uint64_t a, uint64_t b) {
  uint64_t h = a ^ (b * 0x9E3779B97F4A7C15ULL);
  h = (h ^ (h >> 33)) * 0xFF51AFD7ED558CCDULL;
  h = (h ^ (h >> 33)) * 0xC4CEB9FE1A85EC53ULL;
  return h ^ (h >> 33);
}

}  // namespace ocfsgw

template <typename Tag, typename Rep>
struct std::hash<ocfsgw::StrongId<Tag, Rep>> {
  size_t operator()(const ocfsgw::StrongId<Tag, Rep>& id) const noexcept {
    return ocfsgw::HashMix(static_cast<uint64_t>(id.value), 0);
  }
};

template <>
struct std::hash<ocfsgw::InodeId> {
  size_t operator()(const ocfsgw::InodeId& id) const noexcept {
    return ocfsgw::HashMix(id.ino, id.generation);
  }
};
