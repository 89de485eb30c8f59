#include "coherence/sealer.h"

#include <linux/fs.h>
#include <sys/stat.h>

#include <algorithm>
#include <random>
#include <thread>

namespace ocfsgw::coherence {
namespace {

using State = Seal::State;

/// Twice the coarsest tick of file time stamps in use (HZ=100): what changes after it has another mtime.
constexpr auto kTick = std::chrono::milliseconds(20);
/// How often names may appear in the root in the very moment of completion.
constexpr int kCompletionsMax = 5;

uint64_t NewId() {
  std::random_device random;
  return random() | uint64_t{random()} << 32;
}

Status Refused(const std::string& path, const char* why) {
  return {StatusCode::kInvalidArgument, path + ": " + why};
}

Status About(const std::string& path, const Status& status) {
  return {status.code(), path + ": " + status.ToString()};
}

std::vector<std::string> SortedNames(const std::vector<DirectoryEntry>& entries) {
  std::vector<std::string> names;
  names.reserve(entries.size());
  for (const DirectoryEntry& entry : entries) names.push_back(entry.name);
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace

Result<Sealer::Report> Sealer::Seal(const NodeRef& root, const std::string& path) {
  const Item item{root, path};
  OCFSGW_ASSIGN_OR_RETURN(FileAttr attr, backend_.Stat(root));
  if (!S_ISDIR(attr.mode)) return Refused(path, "not a directory");
  const auto lock = backend_.LockDirectory(root);
  if (!lock.ok()) return About(path, lock.status());
  const auto known = Attribute(root);
  if (!known.ok() && !known.status().IsErrno(ENODATA)) return About(path, known.status());
  if (known.ok()) {
    OCFSGW_ASSIGN_OR_RETURN(attr.immutable, IsImmutable(item));
    if (known->Covers(attr)) return Report{known->inodes, true};
    OCFSGW_RETURN_IF_ERROR(SetImmutable(item, false));
  } else {
    OCFSGW_RETURN_IF_ERROR(Walk(item, Step::kLook));
  }
  OCFSGW_RETURN_IF_ERROR(SetAttribute(root, {State::kSealing, 0, {}, 0}));
  Status status = Walk(item, Step::kFreeze);
  if (status.ok()) status = CheckFiles();
  if (status.ok()) status = Complete(item);
  if (status.Is(StatusCode::kShutdown)) return status;
  if (!status.ok()) return Undo(item, status);
  return Report{inodes_, false};
}

Result<Sealer::Report> Sealer::Unseal(const NodeRef& root, const std::string& path) {
  const auto lock = backend_.LockDirectory(root);
  if (!lock.ok()) return About(path, lock.status());
  const auto known = Attribute(root);
  if (known.status().IsErrno(ENODATA)) return Status(StatusCode::kNotFound, path + ": not a sealed tree");
  // Anything else that is there is to go as well.
  const Item item{root, path};
  OCFSGW_RETURN_IF_ERROR(SetImmutable(item, false));
  OCFSGW_RETURN_IF_ERROR(SetAttribute(root, {State::kUnsealing, 0, {}, 0}));
  OCFSGW_RETURN_IF_ERROR(Walk(item, Step::kThaw));
  OCFSGW_RETURN_IF_ERROR(backend_.RemoveXattr(root, Seal::kName));
  return Report{inodes_, false};
}

Result<Seal> Sealer::Attribute(const NodeRef& root) {
  OCFSGW_ASSIGN_OR_RETURN(const std::string text, backend_.GetXattr(root, Seal::kName));
  return Seal::Parse(text);
}

Status Sealer::SetAttribute(const NodeRef& root, const coherence::Seal& seal) {
  const std::string text = seal.Format();
  return backend_.SetXattr(root, Seal::kName, std::as_bytes(std::span(text)), 0);
}

Result<uint32_t> Sealer::Flags(const Item& item) {
  const auto flags = InodeFlags(backend_, item.node);
  if (!flags.ok()) return About(item.path, flags.status());
  return *flags;
}

Result<bool> Sealer::IsImmutable(const Item& item) {
  OCFSGW_ASSIGN_OR_RETURN(const uint32_t flags, Flags(item));
  return (flags & FS_IMMUTABLE_FL) != 0;
}

Status Sealer::SetImmutable(const Item& item, bool immutable) {
  OCFSGW_ASSIGN_OR_RETURN(const uint32_t flags, Flags(item));
  const uint64_t wanted = immutable ? flags | FS_IMMUTABLE_FL : flags & ~uint32_t{FS_IMMUTABLE_FL};
  if (wanted == flags) return Status::Ok();
  const auto set = backend_.Ioctl(item.node, FS_IOC_SETFLAGS, std::as_bytes(std::span(&wanted, 1)));
  return set.ok() ? Status::Ok() : About(item.path, set.status());
}

Status Sealer::Count() {
  ++inodes_;
  return GoOn();
}

Status Sealer::GoOn() {
  if (progress_(inodes_)) return Status::Ok();
  return {StatusCode::kShutdown, "stopped half-way: nobody takes the tree for sealed"};
}

Status Sealer::Walk(const Item& root, Step step) {
  inodes_ = 0;
  files_.clear();
  std::vector<Item> directories = {root};
  while (!directories.empty()) {
    const Item directory = std::move(directories.back());
    directories.pop_back();
    OCFSGW_RETURN_IF_ERROR(Do(directory, step));
    OCFSGW_ASSIGN_OR_RETURN(const auto entries, backend_.List(directory.node));
    for (const DirectoryEntry& entry : entries) {
      const std::string path = directory.path + "/" + entry.name;
      const auto found = backend_.Lookup(directory.node, entry.name);
      if (step != Step::kFreeze && found.status().IsErrno(ENOENT)) continue;
      if (!found.ok()) return About(path, found.status());
      OCFSGW_RETURN_IF_ERROR(Visit({found->node, path}, found->attr, step, directories));
    }
  }
  return Status::Ok();
}

Status Sealer::Visit(const Item& item, const FileAttr& attr, Step step, std::vector<Item>& directories) {
  if (S_ISDIR(attr.mode)) {
    const bool own = !Attribute(item.node).status().IsErrno(ENODATA);
    if (own && step != Step::kThaw) return Refused(item.path, "a sealed tree of its own, unseal it first");
    if (!own) directories.push_back(item);
    return Status::Ok();
  }
  if (!S_ISREG(attr.mode)) return Status::Ok();  // cannot be immutable
  File& file = files_[attr.id];
  if (++file.names > 1) return Status::Ok();
  OCFSGW_RETURN_IF_ERROR(Do(item, step));
  if (step != Step::kFreeze) return Status::Ok();
  // Not before: nobody opens it for writing any more.
  const auto writers = backend_.IsOpenForWriting(item.node);
  if (writers.ok() && *writers) return Refused(item.path, "open for writing on this node");
  file.item = item;
  OCFSGW_ASSIGN_OR_RETURN(file.attr, backend_.Stat(item.node));
  return Status::Ok();
}

Status Sealer::Do(const Item& item, Step step) {
  if (step == Step::kLook) {
    OCFSGW_ASSIGN_OR_RETURN(const bool immutable, IsImmutable(item));
    if (!immutable) return Status::Ok();
    return Refused(item.path, "immutable already, by chattr +i or as part of a sealed tree");
  }
  OCFSGW_RETURN_IF_ERROR(SetImmutable(item, step == Step::kFreeze));
  return Count();
}

Status Sealer::CheckFiles() {
  std::this_thread::sleep_for(kTick);
  for (const auto& [id, file] : files_) {
    OCFSGW_ASSIGN_OR_RETURN(const FileAttr now, backend_.Stat(file.item.node));
    if (now.size != file.attr.size || now.mtime != file.attr.mtime) {
      return Refused(file.item.path, "is being written to, by a program that has had it open before");
    }
    if (now.nlink != file.names) {
      return Refused(file.item.path, "has other names outside of the tree (hard links)");
    }
  }
  return Status::Ok();
}

Status Sealer::Complete(const Item& root) {
  for (int completions = 0; completions < kCompletionsMax; ++completions) {
    OCFSGW_ASSIGN_OR_RETURN(const FileAttr before, backend_.Stat(root.node));
    OCFSGW_ASSIGN_OR_RETURN(const auto names, backend_.List(root.node));
    std::this_thread::sleep_for(kTick);
    OCFSGW_RETURN_IF_ERROR(SetImmutable(root, false));
    OCFSGW_RETURN_IF_ERROR(GoOn());
    OCFSGW_RETURN_IF_ERROR(SetAttribute(root.node, {State::kSealed, NewId(), before.mtime, inodes_}));
    OCFSGW_RETURN_IF_ERROR(SetImmutable(root, true));
    OCFSGW_ASSIGN_OR_RETURN(const FileAttr after, backend_.Stat(root.node));
    OCFSGW_ASSIGN_OR_RETURN(const auto names_after, backend_.List(root.node));
    if (after.mtime == before.mtime && SortedNames(names) == SortedNames(names_after)) return Status::Ok();
    OCFSGW_RETURN_IF_ERROR(SetImmutable(root, false));
    OCFSGW_RETURN_IF_ERROR(SetAttribute(root.node, {State::kSealing, 0, {}, 0}));
    OCFSGW_RETURN_IF_ERROR(Walk(root, Step::kFreeze));
    OCFSGW_RETURN_IF_ERROR(CheckFiles());
  }
  return Refused(root.path, "names are being made in it all the time");
}

Status Sealer::Undo(const Item& root, const Status& why) {
  Status undone = SetImmutable(root, false);
  if (undone.ok()) undone = Walk(root, Step::kThaw);
  if (undone.ok()) undone = backend_.RemoveXattr(root.node, Seal::kName);
  if (undone.ok()) return why;
  return {why.code(), why.ToString() + "; undoing it failed, unseal it: " + undone.ToString()};
}

}  // namespace ocfsgw::coherence
