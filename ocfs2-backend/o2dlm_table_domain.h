#pragma once

#include <memory>
#include <string>

#include "ocfs2-backend/descriptor.h"
#include "ocfs2-backend/lock_name.h"
#include "ocfs2-backend/recall_thread.h"
#include "ocfs2-backend/source_mount.h"
#include "ocfs2-backend/table_domain.h"

namespace ocfsgw::ocfs2 {

/// Tables in `.ocfsgw/locks/` at the root of the volume, under locks of the volume's own domain.
///
/// dlmfs is mounted once more, for this gateway alone, seen by nobody. A lock of dlmfs belongs to everybody
/// who uses the same mount of it: holders of one mount do not exclude each other, closing leaves the lock
/// with the mount, and unlinking is dangerous (lock_files.h). With a mount of its own a gateway is excluded
/// by, and hears of, every other one, on its own node too; and the end of its descriptors ends its locks.
///
/// | lock                                    | held                                                        |
/// |-----------------------------------------|-------------------------------------------------------------|
/// | table, B + number (lock_name.h)         | PR or EX by Hold                                            |
/// | gateway, G + instance                   | EX from Open to the end; who gets it at PR knows of the end |
///
/// A table's lock is unlinked as soon as it is closed, which nobody but us can notice. Left with the mount at
/// PR it would be turned into EX by the next open, and of two nodes that do that at once one has to give way:
/// its kernel cancels the request, and if the cancellation comes before the request, it is neither done nor
/// tried again (user_dlm_unblock_lock() in fs/ocfs2/dlmfs/userdlm.c). Both then wait for ever, as two nodes
/// did after some thousand turns. A new request waits for nothing that another one's could wait for.
///
/// The value blocks are not used: those of a dead node may be lost.
class O2dlmTableDomain final : public TableDomain {
 public:
  /// `uuid`: of the source's volume, which names the domain. kUnavailable or kUnsupported, with one line for
  /// the user, where the kernel, the cluster or the volume's root is not to be had.
  static Result<std::unique_ptr<O2dlmTableDomain>> Open(const SourceMount& source);
  ~O2dlmTableDomain() override { Stop(); }

  void Start(OnWanted on_wanted) override;
  void Stop() override { recalls_.Stop(); }
  Result<std::unique_ptr<Hold>> Take(uint32_t table, TableLevel level, uint32_t grant) override;
  bool Alive(uint64_t instance) override;
  uint64_t instance() const override { return instance_; }

 private:
  class TableHold;
  O2dlmTableDomain() = default;
  Status OpenDomain(const std::string& uuid);
  Status OpenFiles(const SourceMount& source);
  // REQUIRES: it is not open, and nobody opens it meanwhile.
  void DropLock(LockKind kind, uint64_t number) const;
  Result<UniqueFd> OpenLock(LockKind kind, uint64_t number, int flags) const;

  uint64_t instance_ = 0;
  OnWanted on_wanted_;  // set before the thread starts
  UniqueFd dlmfs_;      // the mount
  UniqueFd domain_;     // its directory of the volume's lock domain
  UniqueFd files_;      // .ocfsgw/locks
  UniqueFd alive_;
  RecallThread recalls_;  // last: its thread uses the others
};

}  // namespace ocfsgw::ocfs2
