#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace ocfsgw::ocfs2 {

/// Which of an inode's cluster locks (OCFS2's: fs/ocfs2/ocfs2_lockid.h).
enum class LockKind : char {
  kMeta = 'M',   ///< Attributes, entries and cached pages: the lease.
  kWrite = 'W',  ///< Held at EX by a writer around the whole write, O_DIRECT included.
  kOpen = 'O',   ///< Held at PR by whoever has the inode open: it is not wiped meanwhile.
  /// Not OCFS2's, whose kinds are capitals: held at EX by the gateway that appends.
  kAppend = 'a',
};

/// Name of the lock of the inode at block `blkno`: kind, six zeros of padding, 16 hex digits of the block
/// number, 8 of a generation, 31 characters (ocfs2_build_lock_name in fs/ocfs2/dlmglue.c). As measured on two
/// nodes, the kernel names M and O with generation 0 but W with the inode's own `generation`; the wrong one
/// gives another lock, for which nobody ever contends. `volume_root`: the root directory of the volume is a
/// system inode to the kernel, whose names all carry its generation.
std::string LockName(LockKind kind, uint64_t blkno, uint32_t generation, bool volume_root = false);

/// Whether LockName could have made it. Tells lock files from others where only a path is left to look at.
bool IsLockName(std::string_view name);

}  // namespace ocfsgw::ocfs2
