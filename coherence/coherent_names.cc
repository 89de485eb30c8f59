#include <sys/stat.h>

#include <cerrno>
#include <climits>

#include "coherence/coherent_fs.h"

namespace ocfsgw::coherence {
namespace {

/// A lookup reads the whole listing of a directory up to this size (st_size), since a page load that asks for
/// one name asks for many; larger directories are asked name by name until so many were asked that the
/// listing pays.
constexpr uint64_t kListOnLookupBytes = 256 * 1024;

/// Names that the kernel was told are usually taken back within this time; if not, whoever has the directory
/// locked may be waiting for its attributes.
constexpr Duration kReviveAfter = std::chrono::milliseconds(5);

constexpr Duration kRefusalMemory = std::chrono::seconds(10);

bool IsStale(const Status& status) { return status.IsErrno(ESTALE) || status.IsErrno(ENOENT); }

}  // namespace

Result<Entry> CoherentFs::Root() {
  const InodePtr inode = leases_.Get(backend_.Root());
  OCFSGW_ASSIGN_OR_RETURN(const Attributes known, LeasedOrBackendAttr(inode));
  return Entry{inode, known.attr, known.lease};
}

Result<Attributes> CoherentFs::LeasedOrBackendAttr(const InodePtr& inode) {
  if (const auto view = leases_.Want(inode, Urgency::kMetadata)) {
    metrics_.attributes_from_lease.Add();
    return Attributes{view->attr, view->epoch};
  }
  metrics_.attributes_from_backend.Add();
  OCFSGW_ASSIGN_OR_RETURN(const FileAttr attr, backend_.Stat(inode->node));
  return Attributes{attr, std::nullopt};
}

Result<Attributes> CoherentFs::GetAttr(const InodePtr& inode, TimePoint since) {
  // The kernel asks before every read() whether its pages are still good, and before it uses a name whether
  // the directory may be searched: do not answer while some are not.
  if (leases_.IsDirectory(*inode)) {
    OCFSGW_RETURN_IF_ERROR(AwaitNames(inode, since));
  } else if (!leases_.AwaitSettled(inode, leases_.SuspectMark(*inode),
                                   leases_.config().recall_deadline / 2)) {
    metrics_.settle_timeouts.Add();
  }
  return LeasedOrBackendAttr(inode);
}

Status CoherentFs::AwaitNames(const InodePtr& directory, TimePoint since) {
  const uint64_t mark = leases_.SuspectMark(*directory);
  if (leases_.AwaitSettled(directory, mark, kReviveAfter)) return Status::Ok();
  {
    MutexLock lock(directory->mutex);
    directory->refusals.Enter(since);
  }
  Status status;
  do {
    if (ReviveNames(directory)) break;
    MutexLock lock(directory->mutex);
    // What waits for a change of ours is no deadlock.
    if (!directory->state.changing() &&
        directory->refusals.Refuse(since, std::chrono::steady_clock::now(), kRefusalMemory)) {
      status = Status::FromErrno(ESTALE, "names are being taken back");
    }
  } while (status.ok() && !leases_.AwaitSettled(directory, mark, kReviveAfter));
  if (!status.ok()) metrics_.settle_timeouts.Add();
  MutexLock lock(directory->mutex);
  directory->refusals.Leave(since);
  return status;
}

bool CoherentFs::BeingRefused(const InodePtr& inode) {
  MutexLock lock(inode->mutex);
  return inode->refusals.active(std::chrono::steady_clock::now()) && inode->state.suspect();
}

void CoherentFs::AwaitUnrefused(const InodePtr& inode) {
  leases_.AwaitSettled(inode, leases_.SuspectMark(*inode), leases_.config().recall_deadline / 2);
}

bool CoherentFs::ReviveNames(const InodePtr& directory) {
  {
    MutexLock lock(directory->mutex);
    if (std::exchange(directory->reviving, true)) return false;  // one does it for all who wait
  }
  const bool revived = leases_.ReviveNames(directory, [&](const TrustedName& known) {
    const auto found = backend_.Lookup(directory->node, known.name);
    return known.child ? found.ok() && found->node->id() == *known.child : found.status().IsErrno(ENOENT);
  });
  if (revived) metrics_.names_revived.Add();
  MutexLock lock(directory->mutex);
  directory->reviving = false;
  return revived;
}

Result<Entry> CoherentFs::Lookup(const InodePtr& parent, const std::string& name,
                                 std::optional<uint32_t>* lease) {
  if (name.size() > NAME_MAX) return Status::FromErrno(ENAMETOOLONG, "lookup");  // not one of a listing's
  const auto view = leases_.Want(parent, Urgency::kMetadata);
  if (!view || !view->names) return LookupInBackend(parent, nullptr, name);
  // Whoever relies on it finds out whether it is still held.
  if (lease != nullptr && view->quiet) *lease = view->epoch;
  auto entry = LookupUnder(parent, *view, name);
  LookUpAhead(parent, *view, name, entry);
  return entry;
}

Result<Entry> CoherentFs::LookupUnder(const InodePtr& parent, const LeaseView& view,
                                      const std::string& name) {
  const Directory::Answer answer = FindName(parent, view, name);
  if (!answer.known) return LookupInBackend(parent, &view, name);
  if (!answer.exists) {
    metrics_.names_from_lease.Add();
    return Status::FromErrno(ENOENT, name);
  }
  return ChildByIno(parent, view, name, answer.ino);
}

void CoherentFs::LookUpAhead(const InodePtr& parent, const LeaseView& view, const std::string& name,
                             const Result<Entry>& found) {
  // With second_access this would be the first one. With max_staleness a directory that is being changed is
  // leased again and again, and what is ahead in it may be what its writer is about to remove. Few leases
  // would push one another out.
  const LeaseConfig& config = leases_.config();
  if (ahead_ == nullptr || config.second_access.count() > 0 || config.max_staleness.count() > 0) return;
  if (config.max_leases < 4 * Directory::kAheadMax) return;
  Directory::AheadOfWalk ahead = view.names->Ahead(name);
  if (ahead.walk && found.ok() && S_ISREG(found->attr.mode) && found->attr.size > 0) {
    ahead.walk->OnFile();
    MutexLock lock(found->inode->mutex);
    found->inode->walk = ahead.walk;
  }
  for (std::string& next : ahead.names) {
    const bool posted = ahead_->Post([this, parent, view, walk = ahead.walk, next = std::move(next)] {
      if (!leases_.StillHeld(*parent, view.epoch)) return;
      std::optional<uint32_t> lease;
      std::optional<Entry> child = KnownChild(parent, next, &lease);
      if (!child) {
        auto looked_up = LookupUnder(parent, view, next);
        if (!looked_up.ok()) return;
        child = std::move(*looked_up);
      }
      if (child->lease && !walk->reads()) return;
      const auto leased = leases_.Want(child->inode, Urgency::kMetadata);
      if (leased && walk->reads()) FetchAhead(child->inode, *leased);
    });
    if (!posted) return;
  }
}

Directory::Answer CoherentFs::FindName(const InodePtr& parent, const LeaseView& view,
                                       const std::string& name) {
  const Directory::Answer answer = view.names->Find(name);
  if (answer.known) return answer;
  const bool small = view.attr.size <= kListOnLookupBytes;
  if (!small && !view.names->ManyAsked()) return answer;
  if (!leases_.StillHeld(*parent, view.epoch)) return answer;  // a listing read now could not be kept
  LeasedListing(parent, view, nullptr);
  return view.names->Find(name);
}

std::shared_ptr<const Listing> CoherentFs::LeasedListing(const InodePtr& directory, const LeaseView& view,
                                                         Status* error) {
  auto listing = view.names->listing();
  if (!listing && view.settled && (listing = records_.GetListing(directory->id(), view.stamp))) {
    view.names->FirstToStore();  // it is stored
    view.names->SetListing(listing);
  }
  if (!listing) {
    auto entries = backend_.List(directory->node);
    if (!entries.ok()) {
      if (error != nullptr) *error = entries.status();
      return nullptr;
    }
    listing = std::make_shared<const Listing>(std::move(*entries));
    // Names read while the lease went belong to no version: they answer this request, and are not kept.
    if (!leases_.StillHeld(*directory, view.epoch)) return listing;
    view.names->SetListing(listing);
  }
  if (view.settled && view.names->FirstToStore()) records_.PutListing(directory->id(), view.stamp, *listing);
  return listing;
}

Result<Entry> CoherentFs::ChildByIno(const InodePtr& parent, const LeaseView& view, const std::string& name,
                                     uint64_t ino) {
  NodeRef node = view.names->FindNode(ino);
  if (!node) node = records_.GetNode(ino, backend_);
  if (!node) return LookupInBackend(parent, &view, name);
  const InodePtr inode = leases_.Get(node);
  LeaseTable::NoteTree(parent, view, inode);
  // The lease's generation, or the backend, says whether the number still stands for the same inode.
  const auto known = LeasedOrBackendAttr(inode);
  if (!known.ok()) {
    if (IsStale(known.status())) return LookupInBackend(parent, &view, name);
    return known.status();
  }
  if (known->attr.nlink == 0) return LookupInBackend(parent, &view, name);
  metrics_.names_from_lease.Add();
  view.names->AddNode(node);
  return Entry{inode, known->attr, known->lease};
}

Result<Entry> CoherentFs::LookupInBackend(const InodePtr& parent, const LeaseView* view,
                                          const std::string& name) {
  metrics_.names_from_backend.Add();
  const auto found = backend_.Lookup(parent->node, name);
  const bool keep = view != nullptr && leases_.StillHeld(*parent, view->epoch);
  if (!found.ok()) {
    if (keep && found.status().IsErrno(ENOENT)) view->names->AddName(name, 0);
    return found.status();
  }
  if (keep) {
    view->names->AddName(name, found->node->id().ino);
    view->names->AddNode(found->node);
    records_.PutNode(found->node);
  }
  const InodePtr inode = leases_.Get(found->node);
  if (keep) LeaseTable::NoteTree(parent, *view, inode);
  return Entry{inode, found->attr, std::nullopt};
}

bool CoherentFs::MustBeDropped(const InodePtr& inode) {
  if (!inode->links.Changing(std::chrono::steady_clock::now())) return false;
  MutexLock lock(inode->mutex);
  inode->kernel_size.OnInvalidation();
  return true;
}

Result<std::optional<FileTime>> CoherentFs::Birth(const InodePtr& inode) {
  {
    MutexLock lock(inode->mutex);
    if (inode->birth) return *inode->birth;
  }
  OCFSGW_ASSIGN_OR_RETURN(const std::optional<FileTime> birth, backend_.Birth(inode->node));
  MutexLock lock(inode->mutex);
  inode->birth = birth;
  return birth;
}

Result<std::string> CoherentFs::ReadLink(const InodePtr& inode) {
  const auto view = leases_.Want(inode, Urgency::kMetadata);
  if (view && view->settled) {
    if (auto target = records_.GetSymlink(inode->id(), view->stamp)) return std::move(*target);
  }
  OCFSGW_ASSIGN_OR_RETURN(std::string target, backend_.ReadLink(inode->node));
  if (view && view->settled && leases_.StillHeld(*inode, view->epoch)) {
    records_.PutSymlink(inode->id(), view->stamp, target);
  }
  return target;
}

Result<std::shared_ptr<const Listing>> CoherentFs::List(const InodePtr& directory) {
  metrics_.listings.Add();
  const auto view = leases_.Want(directory, Urgency::kMetadata);
  if (view && view->names) {
    Status error;
    if (auto listing = LeasedListing(directory, *view, &error)) return listing;
    return error;
  }
  OCFSGW_ASSIGN_OR_RETURN(auto entries, backend_.List(directory->node));
  return std::make_shared<const Listing>(std::move(entries));
}

template <typename Ask>
Result<std::string> CoherentFs::LeasedXattr(const InodePtr& inode, const std::string& name, const Ask& ask) {
  const auto view = leases_.Want(inode, Urgency::kMetadata);
  if (!view) return ask();
  const bool lasting = view->settled && backend_.XattrsMoveCtime();
  auto answer = view->xattrs->Find(name);
  if (!answer && lasting && (answer = records_.GetXattr(inode->id(), view->stamp, name))) {
    view->xattrs->Add(name, *answer, true);
  }
  if (!answer) {
    answer = ask();
    if (!leases_.StillHeld(*inode, view->epoch)) return std::move(*answer);
    view->xattrs->Add(name, *answer, false);
  }
  if (lasting && view->xattrs->FirstToStore(name)) {
    records_.PutXattr(inode->id(), view->stamp, name, *answer);
  }
  return std::move(*answer);
}

Result<std::string> CoherentFs::GetXattr(const InodePtr& inode, const std::string& name) {
  return LeasedXattr(inode, name, [&] { return backend_.GetXattr(inode->node, name); });
}

Result<std::string> CoherentFs::ListXattr(const InodePtr& inode) {
  return LeasedXattr(inode, Xattrs::kList, [&] { return backend_.ListXattr(inode->node); });
}

std::optional<Entry> CoherentFs::KnownChild(const InodePtr& directory, const std::string& name,
                                            std::optional<uint32_t>* lease) {
  const auto view = leases_.Held(*directory);
  if (!view || !view->names) return std::nullopt;
  const Directory::Answer answer = view->names->Find(name);
  if (!answer.exists) return std::nullopt;
  if (view->quiet) *lease = view->epoch;
  const NodeRef node = view->names->FindNode(answer.ino);
  if (!node) return std::nullopt;
  const InodePtr inode = leases_.Find(node->id());
  if (!inode) return std::nullopt;
  const auto child = leases_.Held(*inode);
  if (!child) return std::nullopt;
  return Entry{inode, child->attr, child->epoch};
}

InodePtr CoherentFs::ExistingChild(const InodePtr& parent, const std::string& name) {
  if (const auto view = leases_.Held(*parent); view && view->names) {
    const Directory::Answer answer = view->names->Find(name);
    if (answer.known && !answer.exists) return nullptr;
    if (answer.known) {
      if (const NodeRef node = view->names->FindNode(answer.ino)) return leases_.Get(node);
    }
  }
  const auto found = backend_.Lookup(parent->node, name);
  return found.ok() ? leases_.Get(found->node) : nullptr;
}

}  // namespace ocfsgw::coherence
