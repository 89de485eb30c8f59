#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "base/status.h"
#include "ocfs2-backend/range_table.h"

namespace ocfsgw::ocfs2 {

enum class TableLevel { kNone, kShared, kExclusive };

/// What ByteRangeLocks needs of the cluster: tables that all gateways of a volume share, each under a lock of
/// the cluster, and whether a gateway lives. Thread-safe.
class TableDomain {
 public:
  static constexpr uint32_t kTables = 1024;

  /// A table's lock, held until this is destroyed, which waits for the lock manager, but not for a gateway.
  class Hold {
   public:
    virtual ~Hold() = default;
    /// Everything in the table. May block in the file system.
    virtual Result<std::vector<RangeLock>> Read() = 0;
    /// Replaces it, on disk when this returns: a node that dies afterwards takes nothing of it away.
    /// REQUIRES: held exclusively, and read before.
    virtual Status Write(std::span<const RangeLock> locks) = 0;
  };
  /// Another gateway wants what was taken as `grant`; may come after it was given back. Must not block.
  using OnWanted = std::function<void(uint32_t table, uint32_t grant)>;

  virtual ~TableDomain() = default;
  virtual void Start(OnWanted on_wanted) = 0;
  /// No OnWanted comes after this.
  virtual void Stop() = 0;
  /// Waits for whoever holds the table, who is told that it is wanted. `grant`: 1 or more. REQUIRES: this
  /// gateway does not hold the table.
  virtual Result<std::unique_ptr<Hold>> Take(uint32_t table, TableLevel level, uint32_t grant) = 0;
  /// Whether a gateway may still do something for its locks. Waits for nobody but the lock manager.
  virtual bool Alive(uint64_t instance) = 0;
  /// This gateway: a number that no other ever has.
  virtual uint64_t instance() const = 0;
};

}  // namespace ocfsgw::ocfs2
