#pragma once

#include <memory>
#include <optional>
#include <string>

#include "cache/page_store.h"
#include "coherence/backend.h"
#include "coherence/directory.h"

namespace ocfsgw::coherence {

/// Listings, symlink targets, extended attributes and node tokens as records of the page store, so that a
/// restart is warm for metadata too and one quota covers all. Thread-safe. Everything here may miss.
class MetadataRecords {
 public:
  explicit MetadataRecords(cache::PageStore& store) : store_(store) {}

  std::shared_ptr<const Listing> GetListing(InodeId directory, StampHash stamp);
  void PutListing(InodeId directory, StampHash stamp, const Listing& listing);

  std::optional<std::string> GetSymlink(InodeId inode, StampHash stamp);
  void PutSymlink(InodeId inode, StampHash stamp, const std::string& target);

  /// ENODATA is an answer, too.
  std::optional<Result<std::string>> GetXattr(InodeId inode, StampHash stamp, const std::string& name);
  void PutXattr(InodeId inode, StampHash stamp, const std::string& name, const Result<std::string>& answer);

  /// Of an inode of a sealed tree; `seal` is the tree's. Those of a symbolic link prove nothing but its type.
  std::optional<FileAttr> GetAttr(InodeId inode, StampHash seal);
  void PutAttr(StampHash seal, const FileAttr& attr);

  /// The node that inode number `ino` was last known to be. A hint: the number may have been re-used since;
  /// whoever uses it has it verified by the lease's generation or by ESTALE of the backend.
  NodeRef GetNode(uint64_t ino, Backend& backend);
  void PutNode(const NodeRef& node);

 private:
  cache::PageStore& store_;
};

}  // namespace ocfsgw::coherence
