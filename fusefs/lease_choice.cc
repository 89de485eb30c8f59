#include "fusefs/lease_choice.h"

#include <linux/magic.h>
#include <sys/vfs.h>

#include <algorithm>

#include "base/log.h"
#include "ocfs2-backend/local_lease_provider.h"
#include "ocfs2-backend/o2dlm_lease_provider.h"

namespace ocfsgw::fusefs {
namespace {

/// An inode has two lock files (three while it is open without a lease), and those of leases given back make
/// the next validation cheap.
constexpr size_t kLockFilesPerLease = 4;

/// File systems whose writers are all on this machine (linux/magic.h; XFS and ZFS from their own headers).
bool IsLocalFileSystem(int root_fd) {
  static constexpr uint64_t kLocal[] = {EXT4_SUPER_MAGIC,     BTRFS_SUPER_MAGIC, TMPFS_MAGIC,
                                        F2FS_SUPER_MAGIC,     MSDOS_SUPER_MAGIC, OVERLAYFS_SUPER_MAGIC,
                                        0x58465342 /* XFS */, 0x2fc12fc1 /* ZFS */};
  struct statfs fs {};
  return fstatfs(root_fd, &fs) == 0 && std::find(std::begin(kLocal), std::end(kLocal),
                                                 static_cast<uint64_t>(fs.f_type)) != std::end(kLocal);
}

Result<LeaseChoice> O2dlm(const MountOptions& options, const ocfs2::SourceMount& source,
                          ocfs2::PosixBackend& backend) {
  OCFSGW_RETURN_IF_ERROR(source.CheckClusterLeases());
  ocfs2::O2dlmOptions o2dlm;
  o2dlm.dlmfs = options.dlmfs_dir;
  o2dlm.uuid = source.ocfs2().uuid;
  o2dlm.cluster_size = source.ocfs2().cluster_size;
  o2dlm.volume_root = source.ocfs2().root_ino;
  o2dlm.lock_files_max = kLockFilesPerLease * options.max_leases;
  o2dlm.prime = [&backend](const coherence::NodeRef& node) { ocfs2::PrimeValueBlock(backend, node); };
  OCFSGW_ASSIGN_OR_RETURN(auto provider, ocfs2::O2dlmLeaseProvider::Open(std::move(o2dlm)));
  return LeaseChoice{std::move(provider), LeaseMode::kO2dlm};
}

Result<LeaseChoice> Local(const ocfs2::PosixBackend& backend) {
  OCFSGW_ASSIGN_OR_RETURN(auto provider, ocfs2::LocalLeaseProvider::Open(backend));
  return LeaseChoice{std::move(provider), LeaseMode::kLocal};
}

Result<LeaseChoice> Auto(const MountOptions& options, const ocfs2::SourceMount& source,
                         ocfs2::PosixBackend& backend) {
  if (source.is_ocfs2()) {
    auto o2dlm = O2dlm(options, source, backend);
    if (o2dlm.ok()) return o2dlm;
    log::Warning(
        "lease=auto: no cluster leases ({}); falling back to lease=none: nothing is cached, every access "
        "goes to the "
        "shared file system",
        o2dlm.status().ToString());
    return LeaseChoice{};
  }
  if (IsLocalFileSystem(source.root_fd())) {
    auto local = Local(backend);
    if (local.ok()) {
      log::Warning(
          "lease=auto: {} is not OCFS2; falling back to lease=local: writers on this machine are seen, "
          "metadata changes "
          "and names with a short delay, other machines' changes never",
          options.source);
      return local;
    }
    log::Warning("lease=auto: no local leases ({}); falling back to lease=none: nothing is cached",
                 local.status().ToString());
    return LeaseChoice{};
  }
  log::Warning(
      "lease=auto: {} is neither OCFS2 nor a file system of this machine alone; falling back to lease=none: "
      "nothing is "
      "cached, every access goes to the source",
      options.source);
  return LeaseChoice{};
}

}  // namespace

Result<LeaseChoice> ChooseLeases(const MountOptions& options, const ocfs2::SourceMount& source,
                                 ocfs2::PosixBackend& backend) {
  switch (options.lease) {
    case LeaseMode::kAuto:
      return Auto(options, source, backend);
    case LeaseMode::kO2dlm:
      return O2dlm(options, source, backend);
    case LeaseMode::kNone:
      return LeaseChoice{};
    case LeaseMode::kLocal:
      break;
  }
  if (!IsLocalFileSystem(source.root_fd())) {
    log::Warning("lease=local: {} may have writers on other machines; their changes are not seen",
                 options.source);
  }
  return Local(backend);
}

const char* LeaseModeName(LeaseMode mode) {
  switch (mode) {
    case LeaseMode::kAuto:
      return "auto";
    case LeaseMode::kO2dlm:
      return "o2dlm";
    case LeaseMode::kLocal:
      return "local";
    case LeaseMode::kNone:
      return "none";
  }
  return "none";
}

const char* CoherenceOf(LeaseMode mode) {
  switch (mode) {
    case LeaseMode::kO2dlm:
      return "strict";
    case LeaseMode::kLocal:
      return "this machine";
    default:
      return "pass-through";
  }
}

}  // namespace ocfsgw::fusefs
