#include "ocfs2-backend/posix_backend.h"

#include <dirent.h>
#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <thread>

#include "tests/unit/ocfs2-backend/temp_dir.h"

namespace ocfsgw::ocfs2 {
namespace {

using coherence::BackendFile;
using coherence::NodeRef;
using testing::UnorderedElementsAre;

std::span<const std::byte> Bytes(const std::string& text) { return std::as_bytes(std::span(text)); }

std::string ReadAll(BackendFile& file, uint64_t offset = 0) {
  std::string text(4096, '\0');
  auto got = file.Read(offset, std::as_writable_bytes(std::span(text)));
  EXPECT_TRUE(got.ok());
  text.resize(got.ok() ? *got : 0);
  return text;
}

size_t OpenDescriptors() {
  size_t count = 0;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd"))
    count += entry.path().empty() ? 0 : 1;
  return count;
}

bool IsRoot() { return ::geteuid() == 0; }

// On ext4 (or whatever /tmp is) and on tmpfs.
class PosixBackendTest : public testing::TestWithParam<const char*> {
 protected:
  TempDir dir_{GetParam()};
  std::unique_ptr<PosixBackend> backend_ = OpenBackend(dir_.path());
  NodeRef root_ = backend_->Root();

  NodeRef File(const std::string& name, const std::string& content = "") {
    dir_.WriteFile(name, content);
    return Find(name);
  }
  NodeRef Find(const std::string& name) {
    auto found = backend_->Lookup(root_, name);
    EXPECT_TRUE(found.ok()) << found.status().ToString();
    return found->node;
  }
  std::vector<std::string> Names(const NodeRef& directory) {
    std::vector<std::string> names;
    auto entries = backend_->List(directory);
    EXPECT_TRUE(entries.ok());
    for (const auto& entry : *entries) names.push_back(entry.name);
    return names;
  }
};
INSTANTIATE_TEST_SUITE_P(FileSystems, PosixBackendTest, testing::Values("/tmp", "/dev/shm"),
                         [](const auto& param) {
                           return std::string(param.param) == "/tmp" ? "tmp" : "shm";
                         });

TEST_P(PosixBackendTest, LookupAndStatAgreeWithTheKernel) {
  File("a", "hello");
  struct stat st {};
  ASSERT_EQ(::stat((dir_ / "a").c_str(), &st), 0);
  const auto found = backend_->Lookup(root_, "a");
  ASSERT_TRUE(found.ok());
  EXPECT_EQ(found->attr.id, found->node->id());
  EXPECT_EQ(found->attr.id.ino, st.st_ino);
  EXPECT_EQ(found->attr.size, 5U);
  EXPECT_EQ(found->attr.mode, st.st_mode);
  EXPECT_EQ(found->attr.blocks, static_cast<uint64_t>(st.st_blocks));
  EXPECT_EQ(found->attr.mtime.nsec, st.st_mtim.tv_nsec);
  EXPECT_EQ(backend_->Stat(found->node)->id, found->attr.id);
  EXPECT_EQ(Find("a")->id(), found->node->id()) << "the same inode, the same id";
}

TEST_P(PosixBackendTest, BadNames) {
  for (const std::string name : {"", ".", "..", "a/b", "/"}) {
    EXPECT_TRUE(backend_->Lookup(root_, name).status().IsErrno(EINVAL)) << name;
    EXPECT_TRUE(backend_->Unlink(root_, name).IsErrno(EINVAL)) << name;
    EXPECT_TRUE(backend_->Create(root_, name, 0644, O_RDWR, {}).status().IsErrno(EINVAL)) << name;
    EXPECT_TRUE(backend_->MakeDirectory(root_, name, 0755, {}).status().IsErrno(EINVAL)) << name;
    EXPECT_TRUE(backend_->Rename(root_, "x", root_, name, 0, {}).IsErrno(EINVAL)) << name;
  }
  EXPECT_TRUE(backend_->Lookup(root_, std::string("a\0b", 3)).status().IsErrno(EINVAL));
  EXPECT_TRUE(backend_->Lookup(root_, std::string(300, 'x')).status().IsErrno(ENAMETOOLONG));
  EXPECT_TRUE(backend_->Lookup(root_, "missing").status().IsErrno(ENOENT));
  EXPECT_TRUE(backend_->Lookup(File("file"), "x").status().IsErrno(ENOTDIR));
}

TEST_P(PosixBackendTest, ReadWriteAppendSeek) {
  const NodeRef node = File("f", "hello");
  auto file = *backend_->Open(node, O_RDWR);
  EXPECT_EQ(*file->Write(3, Bytes("XYZ"), false), 3U);
  EXPECT_EQ(ReadAll(*file), "helXYZ");
  EXPECT_EQ(ReadAll(*file, 6), "");
  EXPECT_EQ(ReadAll(*file, 1000), "");
  auto appender = *backend_->Open(node, O_WRONLY);
  EXPECT_EQ(*appender->Write(0, Bytes("!"), true), 1U);
  EXPECT_EQ(ReadAll(*file), "helXYZ!");
  std::array<std::byte, 1> byte;
  EXPECT_TRUE(appender->Read(0, byte).status().IsErrno(EBADF));
  EXPECT_EQ(file->Stat()->size, 7U);
  EXPECT_TRUE(file->Sync(true).ok());
  EXPECT_TRUE(file->Sync(false).ok());
  EXPECT_TRUE(file->Flush().ok());
  EXPECT_TRUE(file->Allocate(0, 0, 100'000).ok());
  EXPECT_EQ(file->Stat()->size, 100'000U);
  EXPECT_EQ(*file->Seek(0, SEEK_DATA), 0U);
  EXPECT_TRUE(file->Seek(200'000, SEEK_DATA).status().IsErrno(ENXIO));
  EXPECT_EQ((*backend_->Open(node, O_WRONLY | O_TRUNC))->Stat()->size, 0U);
}

TEST_P(PosixBackendTest, SparseTerabyte) {
  const NodeRef node = File("big");
  const auto file = *backend_->Open(node, O_RDWR);
  constexpr uint64_t kTerabyte = uint64_t{1} << 40;
  EXPECT_EQ(backend_->SetAttr(node, {.size = kTerabyte}, nullptr)->size, kTerabyte);
  EXPECT_EQ(*file->Write(kTerabyte - 3, Bytes("end"), false), 3U);
  EXPECT_EQ(ReadAll(*file, kTerabyte - 3), "end");
  EXPECT_GT(*file->Seek(0, SEEK_DATA), kTerabyte - (4 << 20));
  EXPECT_LT(file->Stat()->blocks, 10'000U);
}

TEST_P(PosixBackendTest, SetAttrChangesOnlyWhatIsSet) {
  const NodeRef node = File("f", "hello");
  auto attr = *backend_->SetAttr(node, {.mode = 0600, .mtime = {{1234, 5}}}, nullptr);
  EXPECT_EQ(attr.mode, 0100600U);
  EXPECT_EQ(attr.mtime, (coherence::FileTime{1234, 5}));
  const auto atime = attr.atime;
  attr = *backend_->SetAttr(node, {.size = 2, .mtime = {{-7, 0}}}, nullptr);
  EXPECT_EQ(attr.size, 2U);
  EXPECT_EQ(attr.mtime, (coherence::FileTime{-7, 0})) << "times come last";
  EXPECT_EQ(attr.atime, atime);
  EXPECT_GT(backend_->SetAttr(node, {.mtime_now = true}, nullptr)->mtime.sec, 1'000'000'000);
  EXPECT_EQ(backend_->SetAttr(node, {}, nullptr)->size, 2U);
  EXPECT_TRUE(backend_->SetAttr(root_, {.size = 0}, nullptr).status().IsErrno(EISDIR));

  const auto file = *backend_->Open(node, O_RDWR);
  ASSERT_TRUE(backend_->Unlink(root_, "f").ok());
  EXPECT_EQ(backend_->SetAttr(node, {.mode = 0640, .size = 9}, file.get())->size, 9U) << "open and unlinked";
  EXPECT_EQ(file->Stat()->mode, 0100640U);
}

TEST_P(PosixBackendTest, OwnerBeforeMode) {
  if (!IsRoot()) GTEST_SKIP() << "needs root";
  const auto attr = *backend_->SetAttr(File("f"), {.mode = 04755, .uid = 12, .gid = 34}, nullptr);
  EXPECT_EQ(attr.mode, 0104755U) << "chown clears the set-user-id bit, chmod after it sets it";
  EXPECT_EQ(attr.uid, 12U);
  EXPECT_EQ(attr.gid, 34U);
}

TEST_P(PosixBackendTest, CreateAsSomebodyElse) {
  if (!IsRoot()) GTEST_SKIP() << "needs root";
  ASSERT_EQ(::chmod(dir_.path().c_str(), 0700),
            0);  // the caller alone could not write here: checked above us
  const coherence::Caller caller{1001, 1002, 0, {}}, masked{1001, 1002, 027, {}};
  const mode_t umask_before = ::umask(077);
  // In a thread of its own, as the first thing it creates.
  std::thread([&] {
    auto created = backend_->Create(root_, "f", 0666, O_RDWR | O_EXCL, caller);
    ASSERT_TRUE(created.ok()) << created.status().ToString();
    EXPECT_EQ(created->found.attr.uid, 1001U);
    EXPECT_EQ(created->found.attr.gid, 1002U);
    EXPECT_EQ(created->found.attr.mode, 0100666U) << "not by the process's umask";
    EXPECT_EQ(backend_->Create(root_, "m", 0666, O_RDWR, masked)->found.attr.mode, 0100640U);
    EXPECT_EQ(*created->file->Write(0, Bytes("x"), false), 1U);
    EXPECT_EQ(backend_->MakeDirectory(root_, "d", 0777, caller)->attr.uid, 1001U);
    EXPECT_EQ(backend_->MakeSymlink(root_, "l", "target", caller)->attr.gid, 1002U);
    const auto device = backend_->MakeNode(root_, "null", S_IFCHR | 0666, makedev(1, 3), caller);
    ASSERT_TRUE(device.ok()) << "CAP_MKNOD is kept";
    EXPECT_EQ(device->attr.rdev, makedev(1, 3));
    EXPECT_EQ(backend_->MakeNode(root_, "fifo", S_IFIFO | 0600, 0, {})->attr.uid, 0U) << "switched back";
  }).join();
  EXPECT_EQ(::umask(umask_before), 077U) << "other threads keep theirs";
}

TEST_P(PosixBackendTest, CreateNeverOpensWhatIsThere) {
  File("f", "old");
  EXPECT_TRUE(backend_->Create(root_, "f", 0644, O_RDWR | O_EXCL, {}).status().IsErrno(EEXIST));
  EXPECT_TRUE(backend_->Create(root_, "f", 0644, O_RDWR, {}).status().IsErrno(ESTALE))
      << "nobody has checked whether the caller may open it";
  EXPECT_TRUE(backend_->MakeDirectory(root_, "f", 0755, {}).status().IsErrno(EEXIST));
}

TEST_P(PosixBackendTest, LinkRenameRemove) {
  const NodeRef node = File("a", "content");
  const NodeRef sub = backend_->MakeDirectory(root_, "sub", 0755, {})->node;
  const auto link = backend_->Link(node, {}, sub, "b");
  ASSERT_TRUE(link.ok()) << link.status().ToString();
  EXPECT_EQ(link->attr.id, node->id());
  EXPECT_EQ(link->attr.nlink, 2U);
  const NodeRef symlink = backend_->MakeSymlink(root_, "s", "a", {})->node;
  EXPECT_EQ(backend_->Link(symlink, {}, sub, "s2")->attr.mode & S_IFMT, S_IFLNK) << "the link itself";
  EXPECT_TRUE(backend_->Link(node, {}, sub, "b").status().IsErrno(EEXIST));

  EXPECT_TRUE(backend_->RemoveDirectory(root_, "sub").IsErrno(ENOTEMPTY));
  EXPECT_TRUE(backend_->Unlink(root_, "sub").IsErrno(EISDIR));
  EXPECT_TRUE(backend_->RemoveDirectory(root_, "a").IsErrno(ENOTDIR));
  EXPECT_TRUE(backend_->Rename(sub, "s2", root_, "a", RENAME_NOREPLACE, {}).IsErrno(EEXIST));
  EXPECT_TRUE(backend_->Rename(sub, "s2", root_, "a", RENAME_EXCHANGE, {}).ok());
  EXPECT_EQ(Find("a")->id(), symlink->id());
  EXPECT_TRUE(backend_->Rename(sub, "b", root_, "c", 0, {}).ok());
  EXPECT_TRUE(backend_->Unlink(sub, "s2").ok());
  EXPECT_TRUE(backend_->RemoveDirectory(root_, "sub").ok());
  EXPECT_THAT(Names(root_), UnorderedElementsAre("a", "c", "s"));
  EXPECT_TRUE(backend_->SyncDirectory(root_, false).ok());
  EXPECT_EQ(backend_->StatFs()->f_namemax, 255U);
}

TEST_P(PosixBackendTest, SymbolicLinks) {
  const std::string target(3000, 't');
  const auto link = backend_->MakeSymlink(root_, "l", target, {});
  ASSERT_TRUE(link.ok());
  EXPECT_EQ(*backend_->ReadLink(link->node), target);
  EXPECT_EQ(backend_->SetAttr(link->node, {.mtime = {{77, 0}}}, nullptr)->mtime.sec, 77);
  EXPECT_TRUE(backend_->ReadLink(File("f")).status().IsErrno(EINVAL));
}

TEST_P(PosixBackendTest, ExtendedAttributes) {
  if (!IsRoot()) GTEST_SKIP() << "needs root";
  const NodeRef file = File("f");
  const NodeRef link = backend_->MakeSymlink(root_, "l", "nowhere", {})->node;
  for (const NodeRef& node : {file, link, root_}) {
    EXPECT_TRUE(backend_->SetXattr(node, "trusted.ocfsgw", Bytes("v1"), XATTR_CREATE).ok());
    EXPECT_TRUE(backend_->SetXattr(node, "trusted.ocfsgw", Bytes("v"), XATTR_CREATE).IsErrno(EEXIST));
    EXPECT_EQ(*backend_->GetXattr(node, "trusted.ocfsgw"), "v1");
    EXPECT_EQ(*backend_->ListXattr(node), std::string("trusted.ocfsgw\0", 15));
    EXPECT_TRUE(backend_->RemoveXattr(node, "trusted.ocfsgw").ok());
    EXPECT_TRUE(backend_->GetXattr(node, "trusted.ocfsgw").status().IsErrno(ENODATA));
    EXPECT_EQ(*backend_->ListXattr(node), "");
  }
  EXPECT_TRUE(backend_->SetXattr(link, "user.x", Bytes("v"), 0).IsErrno(EPERM));
  EXPECT_TRUE(backend_->SetXattr(file, "bad", Bytes("v"), 0).IsErrno(EOPNOTSUPP));
  const std::string large(3000, 'v');
  EXPECT_TRUE(backend_->SetXattr(file, "trusted.large", Bytes(large), 0).ok());
  EXPECT_EQ(*backend_->GetXattr(file, "trusted.large"), large);
}

TEST_P(PosixBackendTest, LargeDirectory) {
  constexpr size_t kEntries = 20'000;
  for (size_t i = 0; i < kEntries; ++i) {
    ASSERT_EQ(::mknod((dir_ / ("entry-" + std::to_string(i))).c_str(), S_IFREG | 0600, 0), 0);
  }
  const auto entries = backend_->List(root_);
  ASSERT_TRUE(entries.ok());
  EXPECT_EQ(entries->size(), kEntries);
  EXPECT_EQ(entries->front().type, DT_REG);
  EXPECT_NE(entries->front().ino, 0U);
  EXPECT_TRUE(backend_->List(Find("entry-0")).status().IsErrno(ENOTDIR));
}

TEST_P(PosixBackendTest, TokensOutliveTheBackendButNotTheInode) {
  if (!backend_->uses_handles()) GTEST_SKIP() << "no file handles here";
  const NodeRef node = File("f", "content");
  const std::string token = node->Token();
  const InodeId id = node->id();
  const auto other = OpenBackend(dir_.path());
  const auto resolved = other->Resolve(id, token);
  ASSERT_TRUE(resolved.ok());
  EXPECT_EQ(other->Stat(*resolved)->size, 7U);

  EXPECT_TRUE(other->Resolve(id, "").status().Is(StatusCode::kCorrupt));
  EXPECT_TRUE(other->Resolve(id, token.substr(1)).status().Is(StatusCode::kCorrupt));
  EXPECT_TRUE(other->Resolve(id, token + "x").status().Is(StatusCode::kCorrupt));
  std::string flipped = token;
  flipped.back() = static_cast<char>(flipped.back() ^ 1);
  EXPECT_TRUE(other->Resolve(id, flipped).status().Is(StatusCode::kCorrupt));

  ASSERT_TRUE(backend_->Unlink(root_, "f").ok());
  const NodeRef again = File("f", "new");
  EXPECT_NE(again->id(), id);
  EXPECT_TRUE(backend_->Stat(node).status().IsErrno(ESTALE));
  EXPECT_TRUE(other->Open(*resolved, O_RDONLY).status().IsErrno(ESTALE));
  EXPECT_TRUE(other->GetXattr(*resolved, "user.x").status().IsErrno(ESTALE));
}

TEST_P(PosixBackendTest, WhatIsHeldCanBeUsedWithoutAName) {
  if (!backend_->uses_handles()) GTEST_SKIP() << "each node has a descriptor";
  ASSERT_TRUE(backend_->MakeDirectory(root_, "dir", 0755, {}).ok());
  const NodeRef directory = Find("dir");
  const NodeRef file = File("file", "content");
  const NodeRef large = File("large", std::string(size_t{2} << 20, 'x'));
  ASSERT_TRUE(backend_->Link(file, {}, root_, "second").ok());
  auto hold = backend_->Hold(directory);
  auto file_hold = backend_->Hold(file);
  const auto large_hold = backend_->Hold(large);
  ASSERT_TRUE(hold && file_hold && large_hold);
  ASSERT_TRUE(backend_->RemoveDirectory(root_, "dir").ok());
  ASSERT_TRUE(backend_->Unlink(root_, "file").ok());
  EXPECT_TRUE(hold->Needed());
  EXPECT_FALSE(file_hold->Needed()) << "it has another name";
  ASSERT_TRUE(backend_->Unlink(root_, "second").ok());
  EXPECT_TRUE(file_hold->Needed());
  ASSERT_TRUE(backend_->Unlink(root_, "large").ok());
  EXPECT_FALSE(large_hold->Needed()) << "its space is wanted back at once";
  EXPECT_EQ(backend_->Stat(file)->nlink, 0U);
  EXPECT_TRUE(backend_->SetAttr(directory, {.mode = 0700}, nullptr).ok());
  hold.reset();
  file_hold.reset();
  EXPECT_TRUE(backend_->Stat(file).status().IsErrno(ESTALE));
  EXPECT_TRUE(backend_->Stat(directory).status().IsErrno(ESTALE));
  EXPECT_EQ(backend_->Hold(file), nullptr);
}

TEST_P(PosixBackendTest, FilesWithoutAName) {
  auto made = backend_->CreateUnnamed(root_, 0640, O_RDWR, {.uid = 0, .gid = 0, .umask = 027, .groups = {}});
  if (made.status().IsErrno(EOPNOTSUPP)) GTEST_SKIP() << "no O_TMPFILE here";
  ASSERT_TRUE(made.ok()) << made.status().ToString();
  const NodeRef node = made->found.node;
  EXPECT_EQ(made->found.attr.nlink, 0U);
  EXPECT_EQ(*made->file->Write(0, Bytes("data"), false), 4U);
  EXPECT_TRUE(Names(root_).empty());
  EXPECT_EQ(backend_->Link(node, {}, root_, "named")->attr.nlink, 1U);
  made->file.reset();
  EXPECT_EQ(backend_->Stat(node)->size, 4U);
  EXPECT_EQ(Find("named")->id(), node->id());
}

TEST_P(PosixBackendTest, TimeOfBirth) {
  const NodeRef node = File("f");
  struct statx bare {};
  ASSERT_EQ(::statx(AT_FDCWD, (dir_.path() + "/f").c_str(), 0, STATX_BTIME, &bare), 0);
  const auto birth = backend_->Birth(node);
  ASSERT_TRUE(birth.ok());
  ASSERT_EQ(birth->has_value(), (bare.stx_mask & STATX_BTIME) != 0);
  if (!*birth) GTEST_SKIP() << "none here";
  EXPECT_EQ(**birth, (coherence::FileTime{bare.stx_btime.tv_sec, bare.stx_btime.tv_nsec}));
}

TEST_P(PosixBackendTest, NoDescriptorPerInode) {
  if (!backend_->uses_handles()) GTEST_SKIP() << "no file handles here";
  File("f");
  std::vector<NodeRef> nodes;
  const size_t before = OpenDescriptors();
  for (int i = 0; i < 10'000; ++i) {
    nodes.push_back(Find("f"));
    ASSERT_TRUE(backend_->Stat(nodes.back()).ok());
    EXPECT_TRUE(backend_->Lookup(root_, "missing").status().IsErrno(ENOENT));
  }
  EXPECT_EQ(OpenDescriptors(), before);
}

// procfs has no file handles.
TEST(PosixBackend, FileSystemWithoutHandles) {
  const auto backend = OpenBackend("/proc");
  if (backend->uses_handles()) GTEST_SKIP() << "this kernel's procfs has handles";
  const auto found = backend->Lookup(backend->Root(), "version");
  ASSERT_TRUE(found.ok()) << found.status().ToString();
  EXPECT_EQ(found->node->Token(), "");
  EXPECT_TRUE(backend->Resolve(found->node->id(), "x").status().Is(StatusCode::kUnsupported));
  EXPECT_THAT(ReadAll(**backend->Open(found->node, O_RDONLY)), testing::StartsWith("Linux"));
  EXPECT_TRUE(backend->Stat(found->node).ok());
}

}  // namespace
}  // namespace ocfsgw::ocfs2
