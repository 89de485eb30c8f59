#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace ocfsgw::ocfs2 {

/// Which of an OCFS2 inode's cluster locks (fs/ocfs2/ocfs2_lockid.h), or a lock of ours with a letter that
/// OCFS2 does not use.
enum class LockKind : char {
  kMeta = 'M',     ///< Attributes, entries and cached pages: the lease.
  kWrite = 'W',    ///< Held at EX by a writer around the whole write, O_DIRECT included.
  kOpen = 'O',     ///< Held at PR by whoever has the inode open: it is not wiped meanwhile.
  kAppend = 'A',   ///< Held at EX by the gateway that appends.
  kTable = 'B',    ///< A table of byte-range locks (o2dlm_table_domain.h), by number.
  kGateway = 'G',  ///< A gateway, by instance: held at EX for as long as it lives.
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
