// OPENDIR, READDIR, READDIRPLUS, RELEASEDIR, FSYNCDIR.

#include <dirent.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <string>
#include <vector>

#include "fusefs/file_handle.h"
#include "fusefs/request.h"

namespace ocfsgw::fusefs {
namespace {

using coherence::InodePtr;
using coherence::Listing;

/// Entries 0 and 1 are `.` and `..`; offset n means: n entries have been read.
constexpr size_t kDotEntries = 2;
/// That of the last entry, however many there are: what the kernel has of a listing that was not completed
/// ends like the next one, which then gets rid of it.
constexpr off_t kEnd = INT32_MAX;
/// An answer too short for an entry: there is nothing more, and the listing is not complete.
constexpr size_t kNoEntryBytes = 8;
/// The kernel knows the parent itself; libfuse's value for an inode number that is not known.
constexpr ino_t kUnknownIno = 0xffffffff;

void CloseDirectory(MountContext& context, fuse_ino_t ino, const fuse_file_info* fi) {
  context.listings.Close(ino, OpenDirectories::Of(fi).kernel);
  context.directories.Remove(fi->fh);
}

void OpenDirectory(fuse_req_t req, fuse_ino_t ino, fuse_file_info* fi) {
  InodePtr inode = InodeOf(req, ino);
  if (!inode) return;
  MountContext& context = Context(req);
  KernelListings::Handle kernel;
  if (MayOutlive(context, ino)) {
    const auto view = context.fs.leases().Want(inode, coherence::Urgency::kMetadata);
    if (view && view->names && view->quiet) kernel = context.listings.Open(ino, view->epoch);
  }
  fi->keep_cache = kernel.keeps_pages;
  fi->cache_readdir = kernel.keeping;
  fi->fh = context.directories.Add(std::make_unique<DirectoryHandle>(std::move(inode), std::move(kernel)));
  if (fuse_reply_open(req, fi) != 0) CloseDirectory(context, ino, fi);
}

Result<std::shared_ptr<const Listing>> ListingFor(coherence::CoherentFs& fs, DirectoryHandle& handle,
                                                  off_t offset) {
  if (offset != 0) {
    MutexLock lock(handle.mutex);
    if (handle.listing) return handle.listing;
  }
  OCFSGW_ASSIGN_OR_RETURN(auto listing, fs.List(handle.inode));
  MutexLock lock(handle.mutex);
  handle.listing = listing;
  return listing;
}

struct ReplyBuffer {
  fuse_req_t req;
  MountContext& context;  ///< Also when the request is gone.
  fuse_ino_t directory;
  std::string bytes;
  size_t used = 0;
  std::vector<fuse_ino_t> remembered;  ///< Lookups counted, to be taken back if the answer does not arrive.
  /// Names are told to be trusted under this lease of the directory; not set: none was.
  std::optional<uint32_t> lease;
  bool may_trust = true;
  char* free() { return bytes.data() + used; }
  size_t room() const { return bytes.size() - used; }
};

size_t Entries(const Listing& listing) { return listing.entries().size() + kDotEntries; }

bool AddPlain(ReplyBuffer& out, const char* name, uint64_t ino, uint8_t type, off_t next) {
  struct stat st {};
  st.st_ino = ino;
  st.st_mode = static_cast<mode_t>(type) << 12;  // DT_* are the type bits of st_mode
  const size_t need = fuse_add_direntry(out.req, out.free(), out.room(), name, &st, next);
  if (need > out.room()) return false;
  out.used += need;
  return true;
}

/// With attributes if they are at hand; node id 0 tells the kernel that there are none. A lookup is counted
/// only for an entry that fits.
bool AddPlus(ReplyBuffer& out, const DirectoryHandle& handle, const coherence::DirectoryEntry& entry,
             off_t next) {
  MountContext& context = out.context;
  fuse_entry_param param{};
  param.attr.st_ino = entry.ino;
  param.attr.st_mode = static_cast<mode_t>(entry.type) << 12;
  const size_t need = fuse_add_direntry_plus(out.req, nullptr, 0, entry.name.c_str(), &param, next);
  if (need > out.room()) return false;
  std::optional<uint32_t> lease;
  if (const auto child = context.fs.KnownChild(handle.inode, entry.name, &lease);
      child && child->inode->id().ino == entry.ino) {
    param = Offer(context, *child);
    out.remembered.push_back(param.ino);
    const bool same_lease = lease && (!out.lease || out.lease == lease);
    if (out.may_trust && same_lease &&
        context.names.Offer(out.directory, entry.name,
                            {.ino = param.ino, .directory = S_ISDIR(param.attr.st_mode), .listed = true})) {
      out.lease = lease;
      param.entry_timeout = kWhileLeasedSeconds;
    } else {
      context.names.Tell(out.directory, entry.name, param.ino);
    }
  }
  out.used += fuse_add_direntry_plus(out.req, out.free(), out.room(), entry.name.c_str(), &param, next);
  return true;
}

bool AddDot(ReplyBuffer& out, const DirectoryHandle& handle, size_t index, off_t next, bool plus) {
  const char* const name = index == 0 ? "." : "..";
  const uint64_t ino = index == 0 ? handle.inode->id().ino : kUnknownIno;
  if (!plus) return AddPlain(out, name, ino, DT_DIR, next);
  fuse_entry_param param{};
  param.attr.st_ino = ino;
  param.attr.st_mode = S_IFDIR;
  const size_t need = fuse_add_direntry_plus(out.req, out.free(), out.room(), name, &param, next);
  if (need > out.room()) return false;
  out.used += need;
  return true;
}

void AddEntries(ReplyBuffer& out, DirectoryHandle& handle, const Listing& listing, off_t offset, bool plus) {
  const size_t end = Entries(listing);
  for (auto index = static_cast<size_t>(offset); index < end; ++index) {
    const off_t next = index + 1 == end ? kEnd : static_cast<off_t>(index + 1);
    bool fits = false;
    if (index < kDotEntries) {
      fits = AddDot(out, handle, index, next, plus);
    } else {
      const auto& entry = listing.entries()[index - kDotEntries];
      fits = plus ? AddPlus(out, handle, entry, next)
                  : AddPlain(out, entry.name.c_str(), entry.ino, entry.type, next);
    }
    if (!fits) break;
  }
}

void SendEnd(fuse_req_t req, fuse_ino_t ino, const DirectoryHandle& handle,
             const std::shared_ptr<const Listing>& listing) {
  MountContext& context = Context(req);
  const auto end = [req] { fuse_reply_buf(req, nullptr, 0); };
  if (!handle.kernel.keeping) {
    end();
    return;
  }
  if (context.listings.MayComplete(ino, handle.kernel, listing)) {
    const InodePtr directory = handle.inode;  // the handle may be released as soon as the answer is there
    if (context.fs.leases().AnswerUnder(directory, handle.kernel.lease, end)) return;
    context.listings.NotCompleted(ino, handle.kernel);
  }
  const std::array<char, kNoEntryBytes> none{};
  fuse_reply_buf(req, none.data(), none.size());
}

void Send(ReplyBuffer& out) {
  if (fuse_reply_buf(out.req, out.bytes.data(), out.used) == 0) return;
  for (const fuse_ino_t ino : out.remembered) ForgetNode(out.context, ino, 1);
}

void ReadEntries(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset, const fuse_file_info* fi,
                 bool plus) {
  MountContext& context = Context(req);
  DirectoryHandle& handle = OpenDirectories::Of(fi);
  context.listings.OnRead(ino, handle.kernel, offset == 0);
  const auto listing = ListingFor(context.fs, handle, offset);
  if (!listing.ok()) {
    ReplyStatus(req, listing.status());
    return;
  }
  if (static_cast<size_t>(offset) >= Entries(**listing)) {
    SendEnd(req, ino, handle, *listing);
    return;
  }
  ReplyBuffer out{req, context, ino, std::string(size, '\0'), 0, {}, std::nullopt, true};
  AddEntries(out, handle, **listing, offset, plus);
  if (!out.lease) {
    Send(out);
    return;
  }
  const InodePtr directory = handle.inode;  // the handle may be released as soon as the answer is there
  if (context.fs.leases().AnswerUnder(directory, *out.lease, [&] { Send(out); })) return;
  // The lease has gone: the same without trust.
  for (const fuse_ino_t node : out.remembered) ForgetNode(context, node, 1);
  ReplyBuffer again{req, context, ino, std::string(size, '\0'), 0, {}, std::nullopt, false};
  AddEntries(again, handle, **listing, offset, plus);
  Send(again);
}

void ReadDirectory(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset, fuse_file_info* fi) {
  ReadEntries(req, ino, size, offset, fi, false);
}

void ReadDirectoryPlus(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset, fuse_file_info* fi) {
  ReadEntries(req, ino, size, offset, fi, true);
}

void ReleaseDirectory(fuse_req_t req, fuse_ino_t ino, fuse_file_info* fi) {
  CloseDirectory(Context(req), ino, fi);
  fuse_reply_err(req, 0);
}

void SyncDirectory(fuse_req_t req, fuse_ino_t /*ino*/, int data_only, fuse_file_info* fi) {
  ReplyStatus(req,
              Context(req).fs.backend().SyncDirectory(OpenDirectories::Of(fi).inode->node, data_only != 0));
}

}  // namespace

void AddDirectoryOperations(fuse_lowlevel_ops& ops) {
  ops.opendir = OpenDirectory;
  ops.readdir = ReadDirectory;
  ops.readdirplus = ReadDirectoryPlus;
  ops.releasedir = ReleaseDirectory;
  ops.fsyncdir = SyncDirectory;
}

}  // namespace ocfsgw::fusefs
