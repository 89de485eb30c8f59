// LeaseTable's leases of sealed trees: what is in the tree is leased by the lease of its root (seal.h).
#include <linux/fs.h>
#include <sys/stat.h>

#include "base/log.h"
#include "coherence/lease_table.h"
#include "coherence/metadata_records.h"

namespace ocfsgw::coherence {
namespace {

/// What can be immutable. The rest has leases of its own.
bool CanBeSealed(uint32_t mode) { return S_ISREG(mode) || S_ISDIR(mode); }

}  // namespace

void LeaseTable::NoteTree(const InodePtr& directory, const LeaseView& view, const InodePtr& inode) {
  InodePtr tree = view.tree_root ? directory : view.tree;
  MutexLock lock(inode->mutex);
  inode->tree.swap(tree);  // the old one is let go of after the mutex
}

std::optional<Result<LeaseTable::Asked>> LeaseTable::AskTree(const InodePtr& inode) {
  InodePtr tree;
  {
    MutexLock lock(inode->mutex);
    tree = inode->tree;
  }
  if (!tree) return std::nullopt;
  LeaseKey root;
  std::shared_ptr<const Seal> seal;
  {
    MutexLock lock(tree->mutex);
    if (!tree->state.held() || Void(*tree) || !tree->seal) return std::nullopt;
    root = tree->key;
    seal = tree->seal;
  }
  MakeRoom(&LeaseTable::in_trees_, kInTreesMax);
  const auto key = provider_->AcquireUnder(root, inode->node);
  if (!key.ok()) return std::nullopt;
  // Read under the lease, so true of the sealed tree; a recall may come as in AskProvider.
  MetadataRecords records(store_);
  Result<FileAttr> attr = Status(StatusCode::kNotFound, "not stored");
  if (const auto known = records.GetAttr(inode->id(), seal->Records())) {
    attr = *known;
  } else if (attr = backend_.Stat(inode->node); attr.ok()) {
    records.PutAttr(seal->Records(), *attr);
  }
  if (attr.ok() && CanBeSealed(attr->mode)) return Asked{{*key, *attr}, nullptr, seal->id};
  provider_->Release(*key);
  return attr.ok() ? std::nullopt : std::optional<Result<Asked>>(attr.status());
}

std::shared_ptr<const Seal> LeaseTable::ReadSeal(const InodePtr& inode, FileAttr& attr) {
  if (!provider_->LeasesTrees() || !S_ISDIR(attr.mode) || attr.immutable == false) return nullptr;
  if (!attr.immutable) {
    const auto flags = InodeFlags(backend_, inode->node);
    if (!flags.ok()) return nullptr;
    attr.immutable = (*flags & FS_IMMUTABLE_FL) != 0;
    if (!*attr.immutable) return nullptr;
  }
  const auto seal = SealAttribute(inode, Stamp::Of(attr));
  if (seal.ok()) return seal->Covers(attr) ? std::make_shared<const Seal>(*seal) : nullptr;
  if (!seal.status().IsErrno(ENODATA)) {
    log::Warning("inode {}: whether it is a sealed tree is not known, it is taken for none: {}",
                 inode->id().ino, seal.status().ToString());
  }
  return nullptr;
}

Result<Seal> LeaseTable::SealAttribute(const InodePtr& inode, const Stamp& stamp) {
  bool recalled = false;
  {
    MutexLock lock(inode->mutex);
    recalled = inode->recalled;
  }
  // As other extended attributes: under a stamp that proves something.
  const bool lasting =
      !recalled && backend_.XattrsMoveCtime() && !stamp.RacyAt(clock_.WallNowNs(), provider_->StampGuardNs());
  MetadataRecords records(store_);
  std::optional<Result<std::string>> text;
  if (lasting) text = records.GetXattr(inode->id(), stamp.Hash(), Seal::kName);
  if (!text) {
    text = backend_.GetXattr(inode->node, Seal::kName);
    const bool answer = text->ok() || text->status().IsErrno(ENODATA);
    if (lasting && answer) records.PutXattr(inode->id(), stamp.Hash(), Seal::kName, *text);
  }
  if (!text->ok()) return text->status();
  return Seal::Parse(**text);
}

}  // namespace ocfsgw::coherence
