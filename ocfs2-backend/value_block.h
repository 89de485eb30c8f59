#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "coherence/attr.h"

namespace ocfsgw::ocfs2 {

/// Size of a lock's value block (DLM_LVB_LEN in fs/ocfs2/dlm/dlmapi.h).
inline constexpr size_t kValueBlockBytes = 64;

/// The inode attributes in the value block of the M lock of the inode at `blkno` (struct ocfs2_meta_lvb,
/// version 5, in fs/ocfs2/dlmglue.h; big-endian), as the kernel would make them of it. `cluster_size` in
/// bytes, 512 or more. Nothing if the block is not valid (another size or version, all zeros: nobody has held
/// EX yet) or does not say everything: device nodes (no rdev) and times that the kernel clamps (1970 and
/// before, 2514 and after).
std::optional<coherence::FileAttr> ParseValueBlock(std::span<const std::byte> bytes, uint64_t blkno,
                                                   uint32_t cluster_size);

}  // namespace ocfsgw::ocfs2
