#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/mutex.h"
#include "base/status.h"
#include "coherence/backend.h"
#include "coherence/walk.h"

namespace ocfsgw::coherence {

/// All names of a directory at one version. Immutable.
class Listing {
 public:
  explicit Listing(std::vector<DirectoryEntry> entries);

  const std::vector<DirectoryEntry>& entries() const { return entries_; }
  /// The entry, or null if the directory has no such name.
  const DirectoryEntry* Find(std::string_view name) const;

  /// For the page store: little-endian {u64 ino, u8 type, u8 0, u16 name length, name} after a u32 count.
  std::string Serialize() const;
  /// kCorrupt if `bytes` are not a serialized listing.
  static Result<std::shared_ptr<const Listing>> Parse(std::string_view bytes);

 private:
  const std::vector<DirectoryEntry> entries_;
  std::unordered_map<std::string_view, uint32_t> index_;  // into entries_, whose strings never move
};

/// What is known of a directory's names under one lease; thrown away with it. Thread-safe; its mutex is a
/// leaf.
class Directory {
 public:
  /// Single names remembered where the whole listing was not worth reading; beyond it they are forgotten.
  static constexpr size_t kSingleNamesMax = 4096;
  /// So many names asked one by one are a reason to read the whole listing.
  static constexpr size_t kSingleNamesMany = 256;

  struct Answer {
    bool known = false;  ///< false: ask the backend.
    bool exists = false;
    uint64_t ino = 0;  ///< 0 if it does not exist.
  };
  Answer Find(const std::string& name) const;

  std::shared_ptr<const Listing> listing() const;
  void SetListing(std::shared_ptr<const Listing> listing);
  /// `ino` 0: the name does not exist.
  void AddName(const std::string& name, uint64_t ino);
  bool ManyAsked() const;
  struct AheadOfWalk {
    std::shared_ptr<Walk> walk;  ///< Null: it is none.
    std::vector<std::string> names;
  };
  /// Whoever asks for names in the order of the listing will go on: the names that he will ask for next, each
  /// told once, and once more when he turns out to read the files. Nothing if `name` is not the next one
  /// after the last that was asked for, or the listing is not known.
  AheadOfWalk Ahead(const std::string& name);
  /// Names asked for in order before it is taken for a walk; how far ahead of it names are told, at most.
  static constexpr size_t kWalkMin = 4;
  static constexpr size_t kAheadMax = 64;

  /// True for the first caller only: the listing is to be put into the page store once a lease.
  bool FirstToStore() { return !stored_.exchange(true, std::memory_order_relaxed); }

  /// How the backend finds a child; null if that is not known.
  NodeRef FindNode(uint64_t ino) const;
  void AddNode(const NodeRef& node);

 private:
  mutable Mutex mutex_;
  std::shared_ptr<const Listing> listing_ GUARDED_BY(mutex_);
  std::unordered_map<std::string, uint64_t> singles_ GUARDED_BY(mutex_);
  std::unordered_map<uint64_t, NodeRef> nodes_ GUARDED_BY(mutex_);
  // A walk, by places in the listing: of the next name, how many were asked for in order, up to where was
  // told, and whether for one that reads.
  size_t next_ GUARDED_BY(mutex_) = 0;
  size_t in_order_ GUARDED_BY(mutex_) = 0;
  size_t told_ GUARDED_BY(mutex_) = 0;
  bool told_to_read_ GUARDED_BY(mutex_) = false;
  std::shared_ptr<Walk> walk_ GUARDED_BY(mutex_);  // not null: it is one
  std::atomic<bool> stored_{false};
};

}  // namespace ocfsgw::coherence
