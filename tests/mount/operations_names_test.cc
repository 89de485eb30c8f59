// Making and removing names.
#include <fcntl.h>
#include <linux/fs.h>
#include <sched.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <functional>
#include <thread>

#include "tests/mount/operations.h"

namespace ocfsgw::mounttest {
namespace {

using OperationsNames = OperationsTest;

TEST_F(OperationsNames, MakeNodes) {
  EXPECT_EQ(mknod(Mount("fifo").c_str(), S_IFIFO | 0640, 0), 0);
  EXPECT_EQ(mknod(Mount("socket").c_str(), S_IFSOCK | 0600, 0), 0);
  EXPECT_EQ(mknod(Mount("character").c_str(), S_IFCHR | 0666, makedev(1, 3)), 0);
  EXPECT_EQ(mknod(Mount("block").c_str(), S_IFBLK | 0660, makedev(259, 70'000)), 0);
  EXPECT_EQ(mknod(Mount("regular").c_str(), S_IFREG | 0600, 0), 0);
  EXPECT_EQ(mknod(Mount("regular").c_str(), S_IFREG | 0600, 0), -1);
  EXPECT_EQ(errno, EEXIST);
  for (const char* path : {"fifo", "socket", "character", "block", "regular"}) ExpectSameAttributes(path);
  EXPECT_EQ(List(Mount()), List(Source()));
}

TEST_F(OperationsNames, Directories) {
  EXPECT_EQ(mkdir(Mount("dir").c_str(), 0750), 0);
  EXPECT_EQ(mkdir(Mount("dir/sub").c_str(), 0700), 0);
  ExpectSameAttributes("");
  ExpectSameAttributes("dir");
  EXPECT_EQ(rmdir(Mount("dir").c_str()), -1);
  EXPECT_EQ(errno, ENOTEMPTY);
  EXPECT_EQ(rmdir(Mount("dir/sub").c_str()), 0);
  ExpectSameAttributes("dir");
  EXPECT_EQ(rmdir(Mount("dir").c_str()), 0);
  EXPECT_EQ(access(Source("dir").c_str(), F_OK), -1);
  EXPECT_EQ(access(Mount("dir").c_str(), F_OK), -1);
  EXPECT_EQ(errno, ENOENT);
}

/// On the first processor, where it gets hardly any time beside others.
void RunLast() {
  cpu_set_t first;
  CPU_ZERO(&first);
  CPU_SET(0, &first);
  const sched_param none{};
  EXPECT_EQ(sched_setaffinity(0, sizeof first, &first), 0);
  EXPECT_EQ(sched_setscheduler(0, SCHED_IDLE, &none), 0);
}

// The kernel takes one off the count it has when an unlink is answered, which another answer may have told it
// already (LinkCount): here before the thread that unlinks gets a processor to work its answer in.
TEST_F(OperationsNames, TheKernelDoesNotCountALinkLessTwice) {
  ASSERT_TRUE(WriteFile(Mount("a"), "data"));
  const int fd = open(Mount("a").c_str(), O_RDONLY | O_CLOEXEC);
  ASSERT_GE(fd, 0);
  std::atomic<bool> done{false};
  std::thread busy([&done] {
    cpu_set_t first;
    CPU_ZERO(&first);
    CPU_SET(0, &first);
    sched_setaffinity(0, sizeof first, &first);
    while (!done) {
    }
  });
  for (int round = 0; round < 40 && !HasFailure(); ++round) {
    EXPECT_EQ(link(Mount("a").c_str(), Mount("b").c_str()), 0);
    std::thread unlinker([this] {
      RunLast();
      EXPECT_EQ(unlink(Mount("b").c_str()), 0);
    });
    struct stat st {};
    while (stat(Source("a").c_str(), &st) == 0 && st.st_nlink == 2) {
    }
    EXPECT_EQ(fstat(fd, &st), 0);
    EXPECT_EQ(st.st_nlink, 1u);
    unlinker.join();
    // What the kernel has, without asking anybody: with 0 it would not link the file.
    struct statx known {};
    EXPECT_EQ(statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_NLINK, &known), 0);
    EXPECT_EQ(known.stx_nlink, 1u) << "round " << round;
  }
  done = true;
  busy.join();
  close(fd);
}

TEST_F(OperationsNames, LinksAndUnlink) {
  ASSERT_TRUE(WriteFile(Mount("a"), "data"));
  EXPECT_EQ(link(Mount("a").c_str(), Mount("b").c_str()), 0);
  EXPECT_EQ(link(Mount("a").c_str(), Mount("b").c_str()), -1);
  EXPECT_EQ(errno, EEXIST);
  ExpectSameAttributes("a");
  ExpectSameAttributes("b");
  EXPECT_EQ(unlink(Mount("a").c_str()), 0);
  ExpectSameAttributes("b");
  EXPECT_EQ(ReadFile(Mount("b")), "data");
  EXPECT_EQ(access(Mount("a").c_str(), F_OK), -1);
  EXPECT_EQ(List(Mount()), std::vector<std::string>{"b"});
  ASSERT_EQ(symlink("b", Mount("link").c_str()), 0);
  EXPECT_EQ(link(Mount("link").c_str(), Mount("link2").c_str()), 0) << "a link to the symbolic link itself";
  ExpectSameAttributes("link2");
}

TEST_F(OperationsNames, Rename) {
  ASSERT_TRUE(WriteFile(Mount("a"), "a"));
  ASSERT_TRUE(WriteFile(Mount("b"), "b"));
  const Descriptor of_b(open(Mount("b").c_str(), O_RDWR));
  EXPECT_EQ(rename(Mount("a").c_str(), Mount("b").c_str()), 0);
  EXPECT_EQ(ReadFile(Mount("b")), "a");
  EXPECT_EQ(ReadFile(Source("b")), "a");
  EXPECT_EQ(access(Mount("a").c_str(), F_OK), -1);
  EXPECT_EQ(ReadAt(of_b.get(), 10), "b") << "replaced, but still open";
  EXPECT_EQ(pwrite(of_b.get(), "more", 4, 1), 4);
  EXPECT_EQ(ReadAt(of_b.get(), 10), "bmore");
  struct stat st {};
  EXPECT_EQ(fstat(of_b.get(), &st), 0);
  EXPECT_EQ(st.st_nlink, 0U);

  ASSERT_EQ(mkdir(Mount("dir").c_str(), 0755), 0);
  ASSERT_EQ(mkdir(Mount("dir/sub").c_str(), 0755), 0);
  ASSERT_TRUE(WriteFile(Mount("dir/sub/file"), "deep"));
  const Descriptor deep(open(Mount("dir/sub/file").c_str(), O_RDONLY));
  EXPECT_EQ(rename(Mount("dir/sub").c_str(), Mount("moved").c_str()), 0);
  EXPECT_EQ(ReadFile(Mount("moved/file")), "deep");
  EXPECT_EQ(ReadAt(deep.get(), 10), "deep");
  EXPECT_EQ(Describe(Mount("moved/..")), Describe(Mount()));
  EXPECT_EQ(rename(Mount("b").c_str(), Mount("dir/b").c_str()), 0);
  for (const char* path : {"", "dir", "moved", "moved/file", "dir/b"}) ExpectSameAttributes(path);
  EXPECT_EQ(List(Mount()), List(Source()));
  EXPECT_EQ(List(Mount("dir")), List(Source("dir")));
}

TEST_F(OperationsNames, RenameFlags) {
  ASSERT_TRUE(WriteFile(Mount("a"), "a"));
  ASSERT_TRUE(WriteFile(Mount("b"), "b"));
  ASSERT_EQ(mkdir(Mount("dir").c_str(), 0755), 0);
  const auto rename_at = [&](const char* from, const char* to, unsigned flags) {
    return renameat2(AT_FDCWD, Mount(from).c_str(), AT_FDCWD, Mount(to).c_str(), flags);
  };
  EXPECT_EQ(rename_at("a", "b", RENAME_NOREPLACE), -1);
  EXPECT_EQ(errno, EEXIST);
  EXPECT_EQ(rename_at("a", "c", RENAME_NOREPLACE), 0);
  EXPECT_EQ(rename_at("c", "b", RENAME_EXCHANGE), 0);
  EXPECT_EQ(ReadFile(Mount("c")), "b");
  EXPECT_EQ(ReadFile(Mount("b")), "a");
  EXPECT_EQ(rename_at("c", "dir", RENAME_EXCHANGE), 0);
  EXPECT_EQ(ReadFile(Mount("dir")), "b");
  EXPECT_EQ(rename_at("c", "none", RENAME_EXCHANGE), -1);
  EXPECT_EQ(errno, ENOENT);
  for (const char* path : {"", "b", "c", "dir"}) ExpectSameAttributes(path);
  EXPECT_EQ(List(Mount()), List(Source()));
}

TEST_F(OperationsNames, UnlinkedButOpen) {
  ASSERT_TRUE(WriteFile(Mount("file"), "first"));
  const Descriptor fd(open(Mount("file").c_str(), O_RDWR));
  const Descriptor reader(open(Mount("file").c_str(), O_RDONLY));
  ASSERT_EQ(unlink(Mount("file").c_str()), 0);
  EXPECT_EQ(ReadAt(fd.get(), 10), "first");
  EXPECT_EQ(pwrite(fd.get(), "second", 6, 0), 6);
  EXPECT_EQ(ReadAt(reader.get(), 10), "second");
  EXPECT_EQ(ftruncate(fd.get(), 3), 0);
  EXPECT_EQ(ReadAt(reader.get(), 10), "sec");
  EXPECT_EQ(fchmod(fd.get(), 0600), 0);
  struct stat st {};
  ASSERT_EQ(fstat(reader.get(), &st), 0);
  EXPECT_EQ(st.st_nlink, 0U);
  EXPECT_EQ(st.st_size, 3);
  EXPECT_EQ(st.st_mode & 07777, 0600U);
  // The same name again is another file.
  ASSERT_TRUE(WriteFile(Mount("file"), "other"));
  EXPECT_EQ(ReadFile(Mount("file")), "other");
  EXPECT_EQ(ReadAt(reader.get(), 10), "sec");
}

TEST_F(OperationsNames, LongNamesAndOddBytes) {
  std::string odd;
  for (int c = 1; c < 256; ++c) {
    if (c != '/') odd += static_cast<char>(c);
  }
  for (const std::string& name :
       {odd, std::string(255, 'x'), std::string("\xff\xfe\x80"), std::string(" "), std::string("..."),
        std::string("-rf"), std::string("new\nline"), std::string("a,b\\c")}) {
    ASSERT_TRUE(WriteFile(Mount(name), name)) << std::strerror(errno);
    EXPECT_EQ(ReadFile(Mount(name)), name);
    EXPECT_EQ(ReadFile(Source(name)), name);
    ExpectSameAttributes(name);
  }
  EXPECT_EQ(List(Mount()), List(Source()));
  EXPECT_FALSE(WriteFile(Mount(std::string(256, 'x')), ""));
  EXPECT_EQ(errno, ENAMETOOLONG);
}

/// An operation on the tree below a directory; 0 or errno.
struct Operation {
  const char* name;
  int (*run)(const std::string& at);
};
int ErrorOf(int result) { return result < 0 ? errno : 0; }

constexpr Operation kFailing[] = {
    {"open of nothing",
     [](const std::string& at) { return ErrorOf(open((at + "/none").c_str(), O_RDONLY)); }},
    {"open below a file",
     [](const std::string& at) { return ErrorOf(open((at + "/file/x").c_str(), O_RDONLY)); }},
    {"open of a directory for writing",
     [](const std::string& at) { return ErrorOf(open((at + "/dir").c_str(), O_RDWR)); }},
    {"O_DIRECTORY of a file",
     [](const std::string& at) { return ErrorOf(open((at + "/file").c_str(), O_RDONLY | O_DIRECTORY)); }},
    {"O_NOFOLLOW of a link",
     [](const std::string& at) { return ErrorOf(open((at + "/link").c_str(), O_RDONLY | O_NOFOLLOW)); }},
    {"O_EXCL of a file",
     [](const std::string& at) {
       return ErrorOf(open((at + "/file").c_str(), O_CREAT | O_EXCL | O_WRONLY, 0600));
     }},
    {"O_EXCL of a dangling link",
     [](const std::string& at) {
       return ErrorOf(open((at + "/dangling").c_str(), O_CREAT | O_EXCL | O_WRONLY, 0600));
     }},
    {"link loop", [](const std::string& at) { return ErrorOf(open((at + "/loop").c_str(), O_RDONLY)); }},
    {"socket", [](const std::string& at) { return ErrorOf(open((at + "/socket").c_str(), O_RDONLY)); }},
    {"unlink of a directory", [](const std::string& at) { return ErrorOf(unlink((at + "/dir").c_str())); }},
    {"unlink of nothing", [](const std::string& at) { return ErrorOf(unlink((at + "/none").c_str())); }},
    {"rmdir of a file", [](const std::string& at) { return ErrorOf(rmdir((at + "/file").c_str())); }},
    {"rmdir of a full directory",
     [](const std::string& at) { return ErrorOf(rmdir((at + "/dir").c_str())); }},
    {"mkdir over a file", [](const std::string& at) { return ErrorOf(mkdir((at + "/file").c_str(), 0700)); }},
    {"mkdir below nothing",
     [](const std::string& at) { return ErrorOf(mkdir((at + "/none/x").c_str(), 0700)); }},
    {"mkdir of a long name",
     [](const std::string& at) { return ErrorOf(mkdir((at + "/" + std::string(256, 'n')).c_str(), 0700)); }},
    {"rename of nothing",
     [](const std::string& at) { return ErrorOf(rename((at + "/none").c_str(), (at + "/x").c_str())); }},
    {"rename of a file over a directory",
     [](const std::string& at) { return ErrorOf(rename((at + "/file").c_str(), (at + "/dir").c_str())); }},
    {"rename of a directory over a file",
     [](const std::string& at) { return ErrorOf(rename((at + "/dir").c_str(), (at + "/file").c_str())); }},
    {"rename over a full directory",
     [](const std::string& at) { return ErrorOf(rename((at + "/dir2").c_str(), (at + "/dir").c_str())); }},
    {"rename into itself",
     [](const std::string& at) { return ErrorOf(rename((at + "/dir").c_str(), (at + "/dir/x").c_str())); }},
    {"link of a directory",
     [](const std::string& at) { return ErrorOf(link((at + "/dir").c_str(), (at + "/x").c_str())); }},
    {"truncate of a directory",
     [](const std::string& at) { return ErrorOf(truncate((at + "/dir").c_str(), 0)); }},
    {"truncate beyond the largest file",
     [](const std::string& at) { return ErrorOf(truncate((at + "/file").c_str(), off_t{1} << 60)); }},
    {"negative truncate",
     [](const std::string& at) { return ErrorOf(truncate((at + "/file").c_str(), -1)); }},
    {"write beyond the largest file",
     [](const std::string& at) {
       const Descriptor fd(open((at + "/file").c_str(), O_WRONLY));
       return ErrorOf(static_cast<int>(pwrite(fd.get(), "x", 1, off_t{1} << 60)));
     }},
    {"buffered write beyond the largest file",
     [](const std::string& at) {
       const Descriptor fd(open((at + "/file").c_str(), O_RDWR));
       return ErrorOf(static_cast<int>(pwrite(fd.get(), "x", 1, off_t{1} << 60)));
     }},
    {"read of a directory",
     [](const std::string& at) {
       const Descriptor fd(open((at + "/dir").c_str(), O_RDONLY));
       char byte = 0;
       return ErrorOf(static_cast<int>(read(fd.get(), &byte, 1)));
     }},
    {"fallocate with nonsense",
     [](const std::string& at) {
       const Descriptor fd(open((at + "/file").c_str(), O_RDWR));
       return ErrorOf(fallocate(fd.get(), FALLOC_FL_PUNCH_HOLE, 0, 10));
     }},
    {"fallocate of nothing",
     [](const std::string& at) {
       const Descriptor fd(open((at + "/file").c_str(), O_RDWR));
       return ErrorOf(fallocate(fd.get(), 0, 0, 0));
     }},
    {"fallocate beyond the largest file",
     [](const std::string& at) {
       const Descriptor fd(open((at + "/file").c_str(), O_RDWR));
       return ErrorOf(fallocate(fd.get(), 0, 0, off_t{1} << 60));
     }},
    {"SEEK_DATA beyond the end",
     [](const std::string& at) {
       const Descriptor fd(open((at + "/file").c_str(), O_RDONLY));
       return ErrorOf(static_cast<int>(lseek(fd.get(), 1 << 20, SEEK_DATA)));
     }},
};

TEST_F(OperationsNames, ErrorsAreTheSources) {
  const auto prepare = [](const std::string& at) {
    return mkdir(at.c_str(), 0755) == 0 && mkdir((at + "/dir").c_str(), 0755) == 0 &&
           mkdir((at + "/dir2").c_str(), 0755) == 0 && WriteFile(at + "/file", "data") &&
           WriteFile(at + "/dir/file", "data") && symlink("file", (at + "/link").c_str()) == 0 &&
           symlink("none", (at + "/dangling").c_str()) == 0 && symlink("loop", (at + "/loop").c_str()) == 0 &&
           mknod((at + "/socket").c_str(), S_IFSOCK | 0600, 0) == 0;
  };
  ASSERT_TRUE(prepare(Mount("through")));
  ASSERT_TRUE(prepare(Source("behind")));
  for (const Operation& operation : kFailing) {
    const int expected = operation.run(Source("behind"));
    EXPECT_NE(expected, 0) << operation.name;
    EXPECT_EQ(operation.run(Mount("through")), expected)
        << operation.name << ": the source says " << std::strerror(expected);
  }
  EXPECT_EQ(List(Mount("through")), List(Source("behind")));
}

}  // namespace
}  // namespace ocfsgw::mounttest
