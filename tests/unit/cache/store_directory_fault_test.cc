// StoreDirectory's calls to the operating system fail, one after the other. A program of its own, as it
// replaces the functions that they go through.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdarg>
#include <cstdio>

#include "cache/store_directory.h"
#include "tests/unit/cache/store_test_util.h"

namespace {

uint64_t calls_left = 0;  // until the one that fails; 0: none does
int call_error = 0;

bool Fails() {
  if (calls_left == 0 || --calls_left > 0) {
    return false;
  }
  errno = call_error;
  return true;
}

int Call(long result) { return static_cast<int>(result); }

}  // namespace

extern "C" {
int mkdir(const char* path, mode_t mode) noexcept {
  return Fails() ? -1 : Call(syscall(SYS_mkdir, path, mode));
}
int open(const char* path, int flags, ...) {
  va_list arguments;
  va_start(arguments, flags);
  const mode_t mode = (flags & O_CREAT) != 0 ? va_arg(arguments, mode_t) : 0;
  va_end(arguments);
  return Fails() ? -1 : Call(syscall(SYS_open, path, flags, mode));
}
int flock(int fd, int operation) noexcept { return Fails() ? -1 : Call(syscall(SYS_flock, fd, operation)); }
int lstat(const char* path, struct stat* info) noexcept {
  return Fails() ? -1 : Call(syscall(SYS_newfstatat, AT_FDCWD, path, info, AT_SYMLINK_NOFOLLOW));
}
ssize_t write(int fd, const void* bytes, size_t size) {
  return Fails() ? -1 : syscall(SYS_write, fd, bytes, size);
}
int rename(const char* from, const char* to) noexcept {
  return Fails() ? -1 : Call(syscall(SYS_rename, from, to));
}
}

namespace ocfsgw::cache {
namespace {

constexpr VolumeId kVolume(7);
constexpr VolumeId kOther(8);

bool IsThere(const std::string& path) { return syscall(SYS_access, path.c_str(), F_OK) == 0; }

size_t OpenFiles() {
  const std::filesystem::directory_iterator fds("/proc/self/fd");
  return static_cast<size_t>(std::distance(begin(fds), end(fds)));
}

void ExpectOkOrSystem(const Status& status) {
  EXPECT_TRUE(status.ok() || status.Is(StatusCode::kSystem)) << status.ToString();
}

/// All that StoreDirectory does, for as long as nothing fails.
void Work(const std::string& path) {
  const auto directory = StoreDirectory::Open(path);
  ExpectOkOrSystem(directory.status());
  if (!directory.ok()) {
    return;
  }
  EXPECT_FALSE(StoreDirectory::Open(path).ok()) << "it is locked";
  const std::string database = directory->database_path();
  ASSERT_EQ(syscall(SYS_mkdir, database.c_str(), S_IRWXU), 0);
  const long current = syscall(SYS_creat, (database + "/CURRENT").c_str(), S_IRWXU);
  ASSERT_EQ(syscall(SYS_close, current), 0);
  const Status written = directory->WriteFormat(kVolume);
  ExpectOkOrSystem(written);
  EXPECT_FALSE(directory->CheckFormat(kOther).ok());
  EXPECT_TRUE(written.ok() || !directory->CheckFormat(kVolume).ok()) << "what is not written is not there";
  directory->Touch();
  ExpectOkOrSystem(directory->DiskBytes().status());
  const Status set_aside = directory->SetAside("for the test");
  ExpectOkOrSystem(set_aside);
  EXPECT_NE(set_aside.ok(), IsThere(database));
}

class StoreDirectoryFaults : public testing::TestWithParam<int> {};

TEST_P(StoreDirectoryFaults, EachCall) {
  uint64_t nth = 0;
  for (bool failed = true; failed && !HasFailure();) {
    SCOPED_TRACE("call " + std::to_string(++nth));
    const ScratchDirectory scratch;
    const std::string path = scratch.path() + "/cache/0";
    const size_t open_files = OpenFiles();
    call_error = GetParam();
    calls_left = nth;
    Work(path);
    failed = std::exchange(calls_left, 0) == 0;
    EXPECT_EQ(OpenFiles(), open_files);

    const auto directory = StoreDirectory::Open(path);  // the fault has gone
    ASSERT_TRUE(directory.ok()) << directory.status().ToString();
    std::filesystem::create_directories(directory->database_path());
    std::ofstream(directory->database_path() + "/CURRENT").flush();
    EXPECT_TRUE(directory->WriteFormat(kVolume).ok());
    EXPECT_TRUE(directory->CheckFormat(kVolume).ok());
    EXPECT_TRUE(directory->DiskBytes().ok());
    EXPECT_TRUE(directory->SetAside("for the test").ok());
  }
  std::cout << nth - 1 << " calls\n";
  EXPECT_GT(nth, 10U) << "nothing has been tried";
}

INSTANTIATE_TEST_SUITE_P(Errors, StoreDirectoryFaults, testing::Values(EIO, ENOSPC, EACCES));

}  // namespace
}  // namespace ocfsgw::cache
