#include "ocfs2-backend/lock_name.h"

#include <fmt/format.h>

namespace ocfsgw::ocfs2 {

std::string LockName(LockKind kind, uint64_t blkno, uint32_t generation, bool volume_root) {
  return fmt::format("{}000000{:016x}{:08x}", static_cast<char>(kind), blkno,
                     kind == LockKind::kWrite || volume_root ? generation : 0);
}

bool IsLockName(std::string_view name) {
  constexpr size_t kLength = 31;
  return name.size() == kLength && std::string_view("MWOABG").find(name[0]) != std::string_view::npos &&
         name.substr(1, 6) == "000000" &&
         name.find_first_not_of("0123456789abcdef", 1) == std::string_view::npos;
}

}  // namespace ocfsgw::ocfs2
