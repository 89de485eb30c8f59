#pragma once

#include <memory>

#include "base/status.h"
#include "coherence/lease_provider.h"
#include "fusefs/mount_options.h"
#include "ocfs2-backend/posix_backend.h"
#include "ocfs2-backend/source_mount.h"

namespace ocfsgw::fusefs {

struct LeaseChoice {
  std::unique_ptr<coherence::LeaseProvider> provider;  ///< Null: nothing is cached.
  LeaseMode mode = LeaseMode::kNone;
};

/// The lease provider for lease=; `auto` takes o2dlm for OCFS2 with a usable dlmfs, local for file systems of
/// this machine, and none for everything else, and says in one warning what it fell back to and what that
/// means. Asked for by name and not to be had: kUnavailable or kUnsupported with one line for the user.
/// The provider uses `backend` for as long as it lives.
Result<LeaseChoice> ChooseLeases(const MountOptions& options, const ocfs2::SourceMount& source,
                                 ocfs2::PosixBackend& backend);

const char* LeaseModeName(LeaseMode mode);
/// What a mode promises, in a few words for the status.
const char* CoherenceOf(LeaseMode mode);

}  // namespace ocfsgw::fusefs
