#pragma once

#include "base/ids.h"
#include "coherence/attr.h"

namespace ocfsgw::coherence {

/// Version of an inode's content: two equal settled stamps, each read under a lease, mean equal content.
/// A stamp whose ctime is younger than the guard interval proves nothing later, since a second write within
/// one tick of the writer's clock leaves it unchanged (as with git's racy index entries).
struct Stamp {
  InodeId id;
  uint64_t size = 0;
  FileTime mtime;
  FileTime ctime;
  bool operator==(const Stamp&) const = default;

  static Stamp Of(const FileAttr& attr) { return {attr.id, attr.size, attr.mtime, attr.ctime}; }

  /// Hash under which records are stored. `salt` 0 for a settled stamp; a racy one is salted with a number
  /// that no later lease will use, so that what was stored under it dies with the lease, even across a crash.
  StampHash Hash(uint64_t salt = 0) const;

  /// True if a write that is still to come could leave this very stamp: the ctime is not older than
  /// `guard_ns` (the coarsest tick of a writer's clock plus the allowed clock skew between nodes) at
  /// `wall_now_ns`.
  bool RacyAt(int64_t wall_now_ns, int64_t guard_ns) const;
};

}  // namespace ocfsgw::coherence
