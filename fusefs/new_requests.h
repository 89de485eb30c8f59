#pragma once

#define FUSE_USE_VERSION 312
#include <fuse_lowlevel.h>

#include <optional>

#include "base/status.h"
#include "coherence/attr.h"

namespace ocfsgw::fusefs {

/// Requests that libfuse 3.14 has no handler for, turned into some that it has before it sees them:
///
/// | request             | comes as                                         | is answered by    |
/// |---------------------|--------------------------------------------------|-------------------|
/// | STATX (Linux 6.6)   | GETATTR, whose arguments are a prefix of STATX's | ReplyStatx        |
/// | TMPFILE (Linux 6.1) | CREATE with O_TMPFILE, same arguments and answer | fuse_reply_create |
///
/// What it does not know of requests that it has handlers for: KillsSetIds(), with the answer to INIT that
/// has the kernel say so (FUSE_HANDLE_KILLPRIV_V2, Linux 5.11) instead of asking before each write.
///
/// And an answer that it cannot give: that the kernel is to read and write a file by itself (passthrough,
/// Linux 6.9), which it is told by the answer to INIT, if Passthrough::offered(), and by those to OPEN and
/// CREATE, see PassThrough().
///
/// A kernel that does not know them sends none. Call once, after fuse_session_mount and before the session is
/// served. kSystem if there is no memory.
Status ReceiveNewRequests(fuse_session* session);

/// The next answer of this thread is to OPEN or CREATE, and passes the file through to `backing`.
void PassThrough(int backing);

/// Whether the GETATTR that this thread has received last is a STATX. libfuse has a request handled on the
/// thread that received it: call before the handler returns, on its thread.
bool IsStatx();

/// Whether the WRITE, or the SETATTR of a size, that this thread has received last takes set-user-ID and
/// set-group-ID bits away. As IsStatx().
bool KillsSetIds();

/// Answers a STATX. `birth`: left out if it is not known. Errors as fuse_reply_attr.
int ReplyStatx(fuse_req_t req, const struct stat& attr, const std::optional<coherence::FileTime>& birth,
               double timeout_seconds);

}  // namespace ocfsgw::fusefs
