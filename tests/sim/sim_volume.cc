#include "tests/sim/sim_volume.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <thread>

namespace ocfsgw::sim {

using coherence::BackendFile;
using coherence::FileAttr;
using coherence::Found;
using coherence::LeaseGrant;
using coherence::LeaseKey;
using coherence::NodeRef;

namespace {

class SimNode final : public coherence::BackendNode {
 public:
  using BackendNode::BackendNode;
  std::string Token() const override { return "sim"; }
};

NodeRef MakeRef(InodeId id) { return std::make_shared<SimNode>(id); }

}  // namespace

SimVolume::SimVolume(uint64_t seed, const Clock* clock)
    : clock_(clock != nullptr ? *clock : real_clock_), random_(seed) {
  Node& root = nodes_[kRootIno];
  root.attr.id = {kRootIno, 1};
  root.attr.mode = S_IFDIR | 0755;
  root.attr.nlink = 2;
  Touch(root, true);
}

void SimVolume::Travel(Guard& guard) {
  const auto delay = std::chrono::microseconds(random_() % kDelayMaxUs);
  guard.unlock();
  std::this_thread::sleep_for(delay);
  guard.lock();
}

void SimVolume::LockShared(Guard& guard, uint64_t ino) {
  Travel(guard);
  changed_.wait(guard, [&] { return !At(ino).writing && At(ino).writers_waiting == 0; });
  ++At(ino).readers;
}

void SimVolume::UnlockShared(uint64_t ino) {
  --At(ino).readers;
  changed_.notify_all();
}

void SimVolume::LockExclusive(Guard& guard, uint64_t ino) {
  Travel(guard);
  ++At(ino).writers_waiting;
  for (;;) {
    std::vector<Lease> recalls;
    for (Lease& lease : At(ino).leases) {
      if (!std::exchange(lease.recalled, true)) recalls.push_back(lease);
    }
    if (!recalls.empty()) {
      const InodeId id = At(ino).attr.id;
      guard.unlock();
      for (const Lease& lease : recalls) lease.provider->listener_->OnRecall(id, lease.key);
      guard.lock();
      continue;
    }
    if (At(ino).leases.empty() && At(ino).readers == 0 && !At(ino).writing) break;
    changed_.wait(guard);
  }
  --At(ino).writers_waiting;
  At(ino).writing = true;
}

void SimVolume::UnlockExclusive(uint64_t ino) {
  At(ino).writing = false;
  changed_.notify_all();
}

void SimVolume::Touch(Node& node, bool content) {
  const int64_t now = clock_.WallNowNs() / kTickNs * kTickNs;
  node.attr.ctime = {now / 1'000'000'000, static_cast<uint32_t>(now % 1'000'000'000)};
  if (content) node.attr.mtime = node.attr.ctime;
}

void SimVolume::SetContent(Node& node, std::string content) {
  node.content = std::move(content);
  node.attr.size = node.content.size();
  Touch(node, true);
}

uint64_t SimVolume::CreateNode() {
  const uint64_t ino = next_ino_++;
  Node& node = nodes_[ino];
  node.attr.id = {ino, 1};
  node.attr.mode = S_IFREG | 0644;
  node.attr.nlink = 1;
  Touch(node, true);
  return ino;
}

void SimVolume::WriteFile(const std::string& name, const std::string& content) {
  Guard guard(mutex_);
  if (!At(kRootIno).names.contains(name)) {
    LockExclusive(guard, kRootIno);
    if (!At(kRootIno).names.contains(name)) At(kRootIno).names[name] = CreateNode();
    Touch(At(kRootIno), true);
    UnlockExclusive(kRootIno);
  }
  const uint64_t ino = At(kRootIno).names.at(name);
  LockExclusive(guard, ino);
  SetContent(At(ino), content);
  UnlockExclusive(ino);
}

void SimVolume::OverwriteSilently(const std::string& name, const std::string& content) {
  Guard guard(mutex_);
  const uint64_t ino = At(kRootIno).names.at(name);
  LockExclusive(guard, ino);
  At(ino).content = content;
  UnlockExclusive(ino);
}

void SimVolume::SetXattr(const std::string& file, const std::string& name, const std::string& value) {
  Guard guard(mutex_);
  const uint64_t ino = At(kRootIno).names.at(file);
  LockExclusive(guard, ino);
  At(ino).xattrs[name] = value;
  Touch(At(ino), false);
  UnlockExclusive(ino);
}

void SimVolume::Remove(const std::string& name) {
  Guard guard(mutex_);
  LockExclusive(guard, kRootIno);
  const auto it = At(kRootIno).names.find(name);
  const uint64_t ino = it == At(kRootIno).names.end() ? 0 : it->second;
  if (ino != 0) {
    At(kRootIno).names.erase(it);
    Touch(At(kRootIno), true);
  }
  UnlockExclusive(kRootIno);
  if (ino == 0) return;
  LockExclusive(guard, ino);
  At(ino).attr.nlink = 0;
  Touch(At(ino), false);
  UnlockExclusive(ino);
}

uint64_t SimVolume::InoOf(const std::string& name) {
  const std::lock_guard lock(mutex_);
  const auto& names = At(kRootIno).names;
  const auto it = names.find(name);
  return it == names.end() ? 0 : it->second;
}

// SimBackend

class SimBackend::File final : public BackendFile {
 public:
  File(SimBackend& backend, uint64_t ino) : backend_(backend), volume_(backend.volume_), ino_(ino) {}

  Result<size_t> Read(uint64_t offset, std::span<std::byte> into) override {
    SimVolume::Guard guard(volume_.mutex_);
    volume_.LockShared(guard, ino_);
    const std::string& content = volume_.At(ino_).content;
    const size_t n = offset >= content.size() ? 0 : std::min<size_t>(into.size(), content.size() - offset);
    if (n > 0) std::memcpy(into.data(), content.data() + offset, n);
    volume_.UnlockShared(ino_);
    guard.unlock();
    if (backend_.after_read) backend_.after_read();
    return n;
  }
  Result<size_t> Write(uint64_t offset, std::span<const std::byte> from, bool /*append*/) override {
    SimVolume::Guard guard(volume_.mutex_);
    volume_.LockExclusive(guard, ino_);
    std::string content = volume_.At(ino_).content;
    content.resize(std::max<size_t>(content.size(), offset + from.size()));
    std::memcpy(content.data() + offset, from.data(), from.size());
    volume_.SetContent(volume_.At(ino_), std::move(content));
    volume_.UnlockExclusive(ino_);
    return from.size();
  }
  Status Sync(bool) override { return Status::Ok(); }
  Status Flush() override { return Status::Ok(); }
  Status Allocate(int, uint64_t, uint64_t) override { return Status::FromErrno(ENOSYS); }
  Result<uint64_t> Seek(uint64_t, int) override { return Status::FromErrno(ENOSYS); }
  Result<FileAttr> Stat() override { return Status::FromErrno(ENOSYS); }

 private:
  SimBackend& backend_;
  SimVolume& volume_;
  const uint64_t ino_;
};

NodeRef SimBackend::Root() { return MakeRef({SimVolume::kRootIno, 1}); }

Result<NodeRef> SimBackend::Resolve(InodeId id, const std::string& token) {
  if (token != "sim") return Status(StatusCode::kCorrupt, "not a token");
  return MakeRef(id);
}

Result<Found> SimBackend::Lookup(const NodeRef& parent, const std::string& name) {
  SimVolume::Guard guard(volume_.mutex_);
  const uint64_t directory = parent->id().ino;
  volume_.LockShared(guard, directory);
  const auto& names = volume_.At(directory).names;
  const auto it = names.find(name);
  const uint64_t ino = it == names.end() ? 0 : it->second;
  volume_.UnlockShared(directory);
  if (ino == 0) return Status::FromErrno(ENOENT, name);
  volume_.LockShared(guard, ino);
  const FileAttr attr = volume_.At(ino).attr;
  volume_.UnlockShared(ino);
  return Found{MakeRef(attr.id), attr};
}

Result<FileAttr> SimBackend::Stat(const NodeRef& node) {
  SimVolume::Guard guard(volume_.mutex_);
  volume_.LockShared(guard, node->id().ino);
  const FileAttr attr = volume_.At(node->id().ino).attr;
  volume_.UnlockShared(node->id().ino);
  if (attr.nlink == 0) return Status::FromErrno(ESTALE);
  return attr;
}

Result<std::vector<coherence::DirectoryEntry>> SimBackend::List(const NodeRef& directory) {
  SimVolume::Guard guard(volume_.mutex_);
  volume_.LockShared(guard, directory->id().ino);
  std::vector<coherence::DirectoryEntry> entries;
  for (const auto& [name, ino] : volume_.At(directory->id().ino).names)
    entries.push_back({name, ino, DT_REG});
  volume_.UnlockShared(directory->id().ino);
  return entries;
}

Result<std::unique_ptr<BackendFile>> SimBackend::Open(const NodeRef& node, int /*flags*/) {
  opens.fetch_add(1);
  return std::unique_ptr<BackendFile>(std::make_unique<File>(*this, node->id().ino));
}

Result<coherence::Created> SimBackend::Create(const NodeRef& parent, const std::string& name,
                                              uint32_t /*mode*/, int /*flags*/,
                                              const coherence::Caller& /*caller*/) {
  {
    SimVolume::Guard guard(volume_.mutex_);
    volume_.LockExclusive(guard, parent->id().ino);
    SimVolume::Node& directory = volume_.At(parent->id().ino);
    if (!directory.names.contains(name)) directory.names[name] = volume_.CreateNode();
    volume_.Touch(directory, true);
    volume_.UnlockExclusive(parent->id().ino);
  }
  OCFSGW_ASSIGN_OR_RETURN(Found found, Lookup(parent, name));
  const uint64_t ino = found.node->id().ino;
  return coherence::Created{std::move(found), std::make_unique<File>(*this, ino)};
}

Status SimBackend::Unlink(const NodeRef& /*parent*/, const std::string& name) {
  if (!volume_.Exists(name)) return Status::FromErrno(ENOENT, name);
  volume_.Remove(name);
  return Status::Ok();
}

namespace {
Status NoSys() { return Status::FromErrno(ENOSYS); }
}  // namespace

Result<FileAttr> SimBackend::SetAttr(const NodeRef&, const coherence::AttrChange&, BackendFile*) {
  return NoSys();
}
Result<std::string> SimBackend::ReadLink(const NodeRef&) { return NoSys(); }
Result<Found> SimBackend::MakeNode(const NodeRef&, const std::string&, uint32_t, uint64_t,
                                   const coherence::Caller&) {
  return NoSys();
}
Result<Found> SimBackend::MakeDirectory(const NodeRef&, const std::string&, uint32_t,
                                        const coherence::Caller&) {
  return NoSys();
}
Result<Found> SimBackend::MakeSymlink(const NodeRef&, const std::string&, const std::string&,
                                      const coherence::Caller&) {
  return NoSys();
}
Result<Found> SimBackend::Link(const NodeRef&, const std::vector<coherence::Place>&, const NodeRef&,
                               const std::string&) {
  return NoSys();
}
Status SimBackend::RemoveDirectory(const NodeRef&, const std::string&) { return NoSys(); }
Status SimBackend::Rename(const NodeRef&, const std::string&, const NodeRef&, const std::string&, unsigned,
                          const coherence::Caller&) {
  return NoSys();
}
Result<std::string> SimBackend::GetXattr(const NodeRef& node, const std::string& name) {
  SimVolume::Guard guard(volume_.mutex_);
  ++xattr_reads;
  volume_.LockShared(guard, node->id().ino);
  const auto& xattrs = volume_.At(node->id().ino).xattrs;
  const auto it = xattrs.find(name);
  Result<std::string> answer = Status::FromErrno(ENODATA, name);
  if (it != xattrs.end()) answer = it->second;
  volume_.UnlockShared(node->id().ino);
  return answer;
}
Result<std::string> SimBackend::ListXattr(const NodeRef&) { return NoSys(); }
Status SimBackend::SetXattr(const NodeRef&, const std::string&, std::span<const std::byte>, int) {
  return NoSys();
}
Status SimBackend::RemoveXattr(const NodeRef&, const std::string&) { return NoSys(); }
Status SimBackend::SyncDirectory(const NodeRef&, bool) { return NoSys(); }
Result<struct statvfs> SimBackend::StatFs() { return NoSys(); }

// SimLeaseProvider

void SimLeaseProvider::Stop() {
  std::vector<LeaseKey> keys;
  {
    const std::lock_guard lock(volume_.mutex_);
    for (const auto& [key, ino] : held_) keys.push_back(key);
  }
  for (const LeaseKey key : keys) Release(key);
}

Result<LeaseGrant> SimLeaseProvider::Acquire(const NodeRef& node) {
  SimVolume::Guard guard(volume_.mutex_);
  const uint64_t ino = node->id().ino;
  volume_.LockShared(guard, ino);
  const LeaseKey key{1, next_key_++};
  const bool refused = refuse_every != 0 && key.generation % refuse_every == 0;
  LeaseGrant grant{key, std::nullopt};
  if (!refused) {
    volume_.At(ino).leases.push_back({this, key});
    held_[key] = ino;
    if (value_block) grant.attr = volume_.At(ino).attr;
  }
  volume_.UnlockShared(ino);
  if (refused) return Status(StatusCode::kBusy, "refused by the test");
  return grant;
}

void SimLeaseProvider::Release(LeaseKey key) {
  const std::lock_guard lock(volume_.mutex_);
  const auto it = held_.find(key);
  if (it == held_.end()) return;
  std::erase_if(volume_.At(it->second).leases,
                [&](const SimVolume::Lease& lease) { return lease.provider == this && lease.key == key; });
  held_.erase(it);
  volume_.changed_.notify_all();
}

Result<std::unique_ptr<coherence::OpenPin>> SimLeaseProvider::PinOpen(const NodeRef& /*node*/) {
  return std::unique_ptr<coherence::OpenPin>(std::make_unique<coherence::OpenPin>());
}

}  // namespace ocfsgw::sim
