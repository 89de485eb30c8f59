#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <unordered_map>
#include <vector>

#include "coherence/backend.h"
#include "coherence/seal.h"

namespace ocfsgw::coherence {

/// Makes a tree immutable, and changeable again, for all nodes (seal.h says what that is good for).
///
/// Works on the backend as any other program would: leases, of whichever gateway, are recalled. flock(2) on
/// the root keeps two of them apart, on whatever nodes. Whoever dies half-way leaves a tree that nobody takes
/// for sealed: Seal goes on where it ended, Unseal undoes it.
///
/// | step of Seal                     | why, and why here |
/// |----------------------------------|----------------------------------------------------------------------|
/// | attribute of the root: sealing   | the root cannot be given one while it is immutable | | directory,
/// then what is in it    | no name comes into a directory that is immutable                     | | files
/// that changed all the same  | somebody has them open for writing since before, on any node         | |
/// links counted                    | a file's flag must not be taken away by another tree's Unseal        |
/// | root: flag off, sealed, flag on  | the last step, so that the attribute is never there too early; a
/// name| |                                  | made in between shows in the root's mtime: then once more |
///
/// Unseal takes the root's flag first, for which every lease of the tree has to be given back.
/// Not thread-safe; one object for each tree and direction.
class Sealer {
 public:
  /// How many inodes are done; false: stop, and leave it half-way.
  using Progress = std::function<bool(uint64_t inodes)>;
  struct Report {
    uint64_t inodes = 0;   ///< Regular files and directories, the root included.
    bool already = false;  ///< It was as asked for, nothing was done.
  };

  Sealer(Backend& backend, Progress progress) : backend_(backend), progress_(std::move(progress)) {}

  /// Seals the directory `root`, named `path` in messages. Fails, with the tree as it was, where something of
  /// it is immutable already, is open for writing on this node, is written to meanwhile, or has names outside
  /// of the tree. kShutdown: told to stop.
  Result<Report> Seal(const NodeRef& root, const std::string& path);
  /// Undoes that. kNotFound: it is no sealed tree, nor was it to become one.
  Result<Report> Unseal(const NodeRef& root, const std::string& path);

 private:
  enum class Step {
    kLook,  // nothing of it may be immutable yet: Undo could not tell
    kFreeze,
    kThaw,
  };
  struct Item {
    NodeRef node;
    std::string path;
  };
  struct File {
    Item item;
    FileAttr attr;  // when it had become immutable
    uint64_t names = 0;
  };

  Result<coherence::Seal> Attribute(const NodeRef& root);
  Status SetAttribute(const NodeRef& root, const coherence::Seal& seal);
  Result<uint32_t> Flags(const Item& item);
  Result<bool> IsImmutable(const Item& item);
  Status SetImmutable(const Item& item, bool immutable);
  Status Walk(const Item& root, Step step);
  Status Visit(const Item& item, const FileAttr& attr, Step step, std::vector<Item>& directories);
  Status Do(const Item& item, Step step);
  Status CheckFiles();
  Status Complete(const Item& root);
  Status Undo(const Item& root, const Status& why);
  Status Count();
  Status GoOn();

  Backend& backend_;
  const Progress progress_;
  uint64_t inodes_ = 0;
  std::unordered_map<InodeId, File> files_;
};

}  // namespace ocfsgw::coherence
