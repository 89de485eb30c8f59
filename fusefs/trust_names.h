#pragma once

#include <cstdint>

namespace ocfsgw::fusefs {

/// Which names the kernel may be told to trust.
enum class TrustNames : uint8_t {
  kNone,  ///< The kernel asks for every name at each walk.
  kSafe,  ///< Those that can be taken back without a trace: where the kernel cannot age a name but only drop
          ///< it, with what is mounted there (before Linux 6.2 and late 6.1), just names that do not exist.
  kAll,   ///< There, too, all but directories': the kernel drops them.
};

}  // namespace ocfsgw::fusefs
