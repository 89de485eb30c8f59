#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "tests/history/checker.h"

namespace ocfsgw::history {

struct Pages {
  std::function<bool(const Operation&)> is_direct;             ///< A write that goes past all page caches.
  std::function<uint32_t(uint32_t place)> node;                ///< Whose page cache a place uses.
  std::function<std::string(const std::string& object)> file;  ///< Whose page the register is.
};

/// Whether OCFS2 itself shows this (docs/COHERENCE.md, Known gaps): a direct write has other nodes forget
/// their pages and then writes; a node that reads the file in between keeps what it has read until the next
/// write. So the write before is shown, one direct write is all that has been done since, and during that
/// write somebody read the file on the reader's node.
bool MayBeOldPage(const Violation& violation, const std::vector<Operation>& history, const Pages& pages);

}  // namespace ocfsgw::history
