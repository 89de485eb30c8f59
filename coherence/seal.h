#pragma once

#include <string>
#include <string_view>

#include "base/ids.h"
#include "base/status.h"
#include "coherence/attr.h"

namespace ocfsgw::coherence {

/// What an extended attribute (kName) of a directory says of the tree below it, root included:
///
/// | state     | the tree                                                                               |
/// |-----------|----------------------------------------------------------------------------------------|
/// | sealing   | somebody is setting the immutable flags, or died doing it                               |
/// | sealed    | every regular file and directory of it is immutable, if Covers says so                   |
/// | unsealing | somebody is taking the flags away, or died doing it                                      |
///
/// Nobody can change an inode of a sealed tree but by taking a flag away first, and `unseal` takes that of
/// the root first, for which every node that has a lease of the root has to give it back. So the root's lease
/// stands for all of them. `id` is new with each sealing: two equal ones mean equal trees.
struct Seal {
  static constexpr const char* kName = "trusted.ocfsgw.seal";
  enum class State { kSealing, kSealed, kUnsealing };

  State state = State::kSealing;
  uint64_t id = 0;
  FileTime root_mtime;  ///< Of kSealed: the root's when all of the tree was immutable.
  uint64_t inodes = 0;  ///< Of kSealed: how many are immutable.

  /// Whether the tree is sealed. `root`: of its root, under a lease. The root cannot be immutable while this
  /// attribute is set; its mtime shows a name that was made in that moment.
  bool Covers(const FileAttr& root) const {
    return state == State::kSealed && root.immutable == true && root.mtime == root_mtime;
  }
  /// Under which records of the tree's attributes are stored.
  StampHash Records() const;

  /// One line of ASCII, for getfattr(1) to show.
  std::string Format() const;
  /// kCorrupt if `text` is not what Format made.
  static Result<Seal> Parse(std::string_view text);
};

}  // namespace ocfsgw::coherence
