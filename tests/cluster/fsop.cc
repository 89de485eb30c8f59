// fsop OP PATH [ARG...]: performs exactly one operation on a path and prints one line with the result (`ls`:
// one name a line). Exit status 0; 1 with "OP: error text" when the operation fails; 2 for wrong usage. Runs
// in the lab's nodes, linked statically because starting a program costs most of the time there.
#include <dirent.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "tests/cluster/content.h"

namespace {

using ocfsgw::cluster::Hash;
using ocfsgw::cluster::Pattern;

constexpr size_t kDirectAlignment = 4096;
constexpr size_t kHoldMax = 4 << 20;  // bytes that `hold` maps and reads at most

struct Op {
  size_t args;  // after the path
  const char* usage;
  std::function<void(const char* path, char** args)> run;
};

[[noreturn]] void Fail(const std::string& what) {
  std::printf("%s: %s\n", what.c_str(), std::strerror(errno));
  std::exit(1);
}

template <typename T>
T Check(T result, const char* what) {
  if (result == T(-1)) {
    Fail(what);
  }
  return result;
}

uint64_t Number(const char* text) { return std::strtoull(text, nullptr, 0); }

int Open(const char* path, int flags) { return Check(open(path, flags | O_CLOEXEC, 0644), "open"); }

void Close(int fd) { Check(close(fd), "close"); }

void WriteAll(int fd, const unsigned char* bytes, size_t size) {
  while (size > 0) {
    const ssize_t n = Check(write(fd, bytes, size), "write");
    bytes += n;
    size -= static_cast<size_t>(n);
  }
}

void Create(const char* path, char** args) {
  const int fd = Open(path, O_WRONLY | O_CREAT | O_EXCL);
  const auto bytes = Pattern(Number(args[0]), Number(args[1]));
  WriteAll(fd, bytes.data(), bytes.size());
  Close(fd);
  std::puts("created");
}

void Append(const char* path, char** args) {
  const int fd = Open(path, O_WRONLY | O_APPEND);
  const auto bytes = Pattern(Number(args[0]), Number(args[1]));
  WriteAll(fd, bytes.data(), bytes.size());
  Close(fd);
  std::puts("appended");
}

void Overwrite(const char* path, char** args) {
  const int fd = Open(path, O_WRONLY);
  const auto bytes = Pattern(Number(args[1]), Number(args[2]));
  Check(lseek(fd, static_cast<off_t>(Number(args[0])), SEEK_SET), "lseek");
  WriteAll(fd, bytes.data(), bytes.size());
  Close(fd);
  std::puts("overwritten");
}

void DirectOverwrite(const char* path, char** args) {
  const int fd = Open(path, O_WRONLY | O_DIRECT);
  const auto bytes = Pattern(Number(args[1]), Number(args[2]));
  const std::unique_ptr<void, void (*)(void*)> aligned(aligned_alloc(kDirectAlignment, bytes.size()), free);
  std::memcpy(aligned.get(), bytes.data(), bytes.size());
  const ssize_t n =
      Check(pwrite(fd, aligned.get(), bytes.size(), static_cast<off_t>(Number(args[0]))), "pwrite");
  Close(fd);
  std::printf("overwritten %zd\n", n);
}

void MmapStore(const char* path, char** args) {
  const int fd = Open(path, O_RDWR);
  const size_t offset = Number(args[0]);
  const auto bytes = Pattern(Number(args[1]), Number(args[2]));
  void* map = mmap(nullptr, offset + bytes.size(), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (map == MAP_FAILED) {
    Fail("mmap");
  }
  std::memcpy(static_cast<char*>(map) + offset, bytes.data(), bytes.size());
  Check(msync(map, offset + bytes.size(), MS_SYNC), "msync");
  Check(munmap(map, offset + bytes.size()), "munmap");
  Close(fd);
  std::puts("stored");
}

void Punch(const char* path, char** args) {
  const int fd = Open(path, O_WRONLY);
  Check(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, static_cast<off_t>(Number(args[0])),
                  static_cast<off_t>(Number(args[1]))),
        "fallocate");
  Close(fd);
  std::puts("punched");
}

void Utimes(const char* path, char** args) {
  const timespec time{static_cast<time_t>(Number(args[0])), 0};
  const timespec times[2] = {time, time};
  Check(utimensat(AT_FDCWD, path, times, 0), "utimensat");
  std::puts("touched");
}

void UnlinkRecreate(const char* path, char** args) {
  Check(unlink(path), "unlink");
  Create(path, args);
}

void Read(const char* path, char**) {
  const int fd = Open(path, O_RDONLY);
  std::vector<unsigned char> buffer(1 << 17);
  uint64_t size = 0, hash = Hash(nullptr, 0);
  while (const ssize_t n = Check(read(fd, buffer.data(), buffer.size()), "read")) {
    hash = Hash(buffer.data(), static_cast<size_t>(n), hash);
    size += static_cast<uint64_t>(n);
  }
  std::printf("%llu %016llx\n", static_cast<unsigned long long>(size), static_cast<unsigned long long>(hash));
}

std::string Attributes(const struct stat& st) {
  char text[256];
  std::snprintf(text, sizeof text,
                "mode %o nlink %lu uid %u gid %u size %lld mtime %lld.%09ld ctime %lld.%09ld", st.st_mode,
                static_cast<unsigned long>(st.st_nlink), st.st_uid, st.st_gid,
                static_cast<long long>(st.st_size), static_cast<long long>(st.st_mtim.tv_sec),
                st.st_mtim.tv_nsec, static_cast<long long>(st.st_ctim.tv_sec), st.st_ctim.tv_nsec);
  return text;
}

void Stat(const char* path, char**) {
  struct stat st;
  Check(lstat(path, &st), "stat");
  std::puts(Attributes(st).c_str());
}

void GetXattr(const char* path, char** args) {
  char value[65536];
  const ssize_t n = getxattr(path, args[0], value, sizeof value);
  if (n < 0 && errno != ENODATA) {
    Fail("getxattr");
  }
  std::printf("%s\n", n < 0 ? "no such attribute" : std::string(value, static_cast<size_t>(n)).c_str());
}

void Ls(const char* path, char**) {
  DIR* dir = opendir(path);
  if (dir == nullptr) {
    Fail("opendir");
  }
  std::vector<std::string> names;
  while (const dirent* entry = readdir(dir)) {
    if (std::strcmp(entry->d_name, ".") != 0 && std::strcmp(entry->d_name, "..") != 0) {
      names.emplace_back(entry->d_name);
    }
  }
  closedir(dir);
  std::sort(names.begin(), names.end());
  for (const auto& name : names) {
    std::puts(name.c_str());
  }
}

void Exists(const char* path, char**) {
  struct stat st;
  if (lstat(path, &st) != 0 && errno != ENOENT) {
    Fail("stat");
  }
  std::puts(lstat(path, &st) == 0 ? "yes" : "no");
}

/// Opens and maps the file once; then, for each line that arrives in FIFO, reads it again through that
/// descriptor and through that mapping and prints "SIZE HASH SIZE HASH ATTRIBUTES" into FIFO.out, the first
/// time unasked; the line "end" ends it. ATTRIBUTES is what fstat said before, as `stat` prints it. The
/// mapping is as long as the file was at first.
void Hold(const char* path, char** args) {
  const int fd = Open(path, O_RDONLY);
  struct stat st;
  Check(fstat(fd, &st), "fstat");
  const size_t mapped = std::min(static_cast<size_t>(st.st_size), kHoldMax);
  const auto* map = static_cast<unsigned char*>(mmap(nullptr, mapped, PROT_READ, MAP_SHARED, fd, 0));
  if (map == MAP_FAILED) {
    Fail("mmap");
  }
  std::vector<unsigned char> buffer(kHoldMax);
  char line[64];
  const std::string answers = std::string(args[0]) + ".out";
  while (true) {
    Check(fstat(fd, &st), "fstat");
    const std::string attributes = Attributes(st);
    const size_t size = static_cast<size_t>(Check(pread(fd, buffer.data(), buffer.size(), 0), "pread"));
    Check(fstat(fd, &st), "fstat");
    const size_t visible = std::min(mapped, static_cast<size_t>(st.st_size));  // beyond it is SIGBUS
    char answer[512];
    const int length = std::snprintf(answer, sizeof answer, "%zu %016llx %zu %016llx %s\n", size,
                                     static_cast<unsigned long long>(Hash(buffer.data(), size)), visible,
                                     static_cast<unsigned long long>(Hash(map, visible)), attributes.c_str());
    const int out = Open(answers.c_str(), O_WRONLY);
    WriteAll(out, reinterpret_cast<unsigned char*>(answer), static_cast<size_t>(length));
    Close(out);
    const int in = Open(args[0], O_RDONLY);
    const bool end = read(in, line, sizeof line) <= 0 || std::strncmp(line, "end", 3) == 0;
    Close(in);
    if (end) {
      return;
    }
  }
}

/// Runs each line that arrives on a TCP connection to PORT as a bash command, whose output is the answer: so
/// that a look in another node follows a change within milliseconds. The path is the directory the commands
/// start in.
void Serve(const char* path, char** args) {
  Check(chdir(path), "chdir");
  const int listener = Check(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket");
  const int on = 1;
  Check(setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on), "setsockopt");
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(Number(args[0])));
  Check(bind(listener, reinterpret_cast<sockaddr*>(&address), sizeof address), "bind");
  Check(listen(listener, 16), "listen");
  std::signal(SIGCHLD, SIG_IGN);
  while (true) {
    const int connection = Check(accept4(listener, nullptr, nullptr, SOCK_CLOEXEC), "accept");
    if (Check(fork(), "fork") == 0) {
      std::signal(SIGCHLD, SIG_DFL);
      std::string line;
      char c = 0;
      while (read(connection, &c, 1) == 1 && c != '\n') {
        line += c;
      }
      dup2(connection, STDOUT_FILENO);
      dup2(connection, STDERR_FILENO);
      execl("/bin/bash", "bash", "-c", line.c_str(), nullptr);
      _exit(127);
    }
    Close(connection);
  }
}

const std::map<std::string, Op>& Ops() {
  static const std::map<std::string, Op> ops = {
      {"create", {2, "SIZE SEED", Create}},
      {"append", {2, "SIZE SEED", Append}},
      {"overwrite", {3, "OFFSET SIZE SEED", Overwrite}},
      {"direct_overwrite", {3, "OFFSET SIZE SEED", DirectOverwrite}},
      {"mmap_store", {3, "OFFSET SIZE SEED", MmapStore}},
      {"punch", {2, "OFFSET SIZE", Punch}},
      {"utimes", {1, "SECONDS", Utimes}},
      {"unlink_recreate", {2, "SIZE SEED", UnlinkRecreate}},
      {"read", {0, "", Read}},
      {"stat", {0, "", Stat}},
      {"getxattr", {1, "NAME", GetXattr}},
      {"ls", {0, "", Ls}},
      {"exists", {0, "", Exists}},
      {"hold", {1, "FIFO", Hold}},
      {"serve", {1, "PORT", Serve}},
      {"truncate",
       {1, "SIZE",
        [](const char* path, char** args) {
          Check(truncate(path, static_cast<off_t>(Number(args[0]))), "truncate");
          std::puts("truncated");
        }}},
      {"chmod",
       {1, "OCTAL",
        [](const char* path, char** args) {
          Check(chmod(path, static_cast<mode_t>(std::strtoul(args[0], nullptr, 8))), "chmod");
          std::puts("changed");
        }}},
      {"setxattr",
       {2, "NAME VALUE",
        [](const char* path, char** args) {
          Check(setxattr(path, args[0], args[1], std::strlen(args[1]), 0), "setxattr");
          std::puts("set");
        }}},
      {"link",
       {1, "NEW",
        [](const char* path, char** args) {
          Check(link(path, args[0]), "link");
          std::puts("linked");
        }}},
      {"rename_over",
       {1, "VICTIM",
        [](const char* path, char** args) {
          Check(rename(path, args[0]), "rename");
          std::puts("renamed");
        }}},
      {"unlink",
       {0, "",
        [](const char* path, char**) {
          Check(unlink(path), "unlink");
          std::puts("unlinked");
        }}},
  };
  return ops;
}

}  // namespace

int main(int argc, char** argv) {
  const auto op = argc > 2 ? Ops().find(argv[1]) : Ops().end();
  if (op == Ops().end() || static_cast<size_t>(argc) != 3 + op->second.args) {
    for (const auto& [name, known] : Ops()) {
      std::fprintf(stderr, "fsop %s PATH %s\n", name.c_str(), known.usage);
    }
    return 2;
  }
  op->second.run(argv[2], argv + 3);
  return 0;
}
