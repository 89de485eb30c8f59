#include "ocfs2-backend/lock_name.h"

#include <fmt/format.h>

namespace ocfsgw::ocfs2 {

std::string LockName(LockKind kind, uint64_t blkno, uint32_t generation, bool volume_root) {
  return fmt::format("{}000000{:016x}{:08x}", static_cast<char>(kind), blkno,
                     kind == LockKind::kWrite || volume_root ? generation : 0);
}

}  // namespace ocfsgw::ocfs2
