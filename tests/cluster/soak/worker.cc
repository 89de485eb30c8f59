// soak_worker LANES GENERATION: the soak's hands in a node of the lab. Requests are lines on standard input,
// "GENERATION LANE OPERATION ARGUMENT...", answers lines on standard output, "GENERATION LANE ok RESULT..."
// or "GENERATION LANE ERRNO". The requests of one lane are done one after another, the lanes by a thread
// each. Requests of another generation were meant for a node that has died meanwhile, and are skipped.
#include <dirent.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csetjmp>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <functional>
#include <iostream>
#include <map>
#include <memory>
#include <set>
#include <sstream>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/mutex.h"
#include "tests/cluster/content.h"

namespace {

using ocfsgw::cluster::Hash;
using ocfsgw::cluster::Pattern;

constexpr size_t kBlock = 4096;
constexpr size_t kWholeMax = 1 << 16;  // bytes of a small file that are read
constexpr const char* kXattr = "user.soak";

using Words = std::vector<std::string>;

struct Error {
  int number;
};

template <typename T>
T Check(T result) {
  if (result == T(-1)) throw Error{errno};
  return result;
}

uint64_t Number(const std::string& text) { return std::strtoull(text.c_str(), nullptr, 10); }

class Fd {
 public:
  Fd(const std::string& path, int flags) : fd_(Check(open(path.c_str(), flags | O_CLOEXEC, 0644))) {}
  explicit Fd(int fd) : fd_(fd) {}
  Fd(const Fd&) = delete;
  Fd& operator=(const Fd&) = delete;
  ~Fd() {
    if (fd_ >= 0) close(fd_);
  }
  int get() const { return fd_; }
  /// An error of the last write may come only now.
  void Close() { Check(close(std::exchange(fd_, -1))); }

 private:
  int fd_;
};

struct Aligned {
  std::unique_ptr<void, void (*)(void*)> bytes{aligned_alloc(kBlock, kBlock), free};
  uint64_t* words() const { return static_cast<uint64_t*>(bytes.get()); }
};

void Fill(volatile uint64_t* words, uint64_t value) {
  for (size_t i = 0; i < kBlock / sizeof value; ++i) words[i] = value;
}

std::string Values(const volatile uint64_t* words) {
  std::set<uint64_t> values;
  for (size_t i = 0; i < kBlock / sizeof *words; ++i) values.insert(uint64_t{words[i]});
  std::string text;
  for (const uint64_t value : values) {
    text += (text.empty() ? "" : " ") + std::to_string(value);
    if (text.size() > 100) break;
  }
  return text;
}

void Whole(ssize_t n, size_t wanted) {
  if (static_cast<size_t>(Check(n)) != wanted) throw Error{EIO};
}

// A mapping whose gateway has died answers with SIGBUS.
thread_local sigjmp_buf* on_bus_error = nullptr;
void BusError(int) {
  if (on_bus_error == nullptr) _exit(3);
  siglongjmp(*on_bus_error, 1);
}

template <typename Use>
void WithMapping(const std::string& path, off_t offset, bool store, const Use& use) {
  Fd fd(path, store ? O_RDWR : O_RDONLY);
  void* map = mmap(nullptr, kBlock, store ? PROT_READ | PROT_WRITE : PROT_READ, MAP_SHARED, fd.get(), offset);
  if (map == MAP_FAILED) throw Error{errno};
  sigjmp_buf back;
  const bool failed = sigsetjmp(back, 1) != 0;
  if (!failed) {
    on_bus_error = &back;
    use(static_cast<uint64_t*>(map));
  }
  on_bus_error = nullptr;
  const int synced = failed || !store ? 0 : msync(map, kBlock, MS_SYNC);
  const int error = errno;
  munmap(map, kBlock);
  if (failed) throw Error{EFAULT};
  if (synced != 0) throw Error{error};
  fd.Close();
}

std::string ReadBlock(int fd, off_t offset) {
  const Aligned block;
  Whole(pread(fd, block.words(), kBlock, offset), kBlock);
  return Values(block.words());
}

std::string WriteBlock(const Words& a, int flags) {
  const Aligned block;
  Fill(block.words(), Number(a[3]));
  Fd fd(a[1], O_WRONLY | flags);
  Whole(pwrite(fd.get(), block.words(), kBlock, static_cast<off_t>(Number(a[2]))), kBlock);
  fd.Close();
  return "";
}

std::string WritePattern(const Words& a, int flags) {
  Fd fd(a[1], O_WRONLY | flags);
  const auto bytes = Pattern(Number(a[2]), Number(a[3]));
  Whole(write(fd.get(), bytes.data(), bytes.size()), bytes.size());
  struct stat st;
  Check(fstat(fd.get(), &st));
  fd.Close();
  return std::to_string(st.st_ino);
}

std::string SendFile(const Words& a) {
  Fd fd(a[1], O_RDONLY);
  int ends[2];
  Check(pipe2(ends, O_CLOEXEC));
  const Fd out(ends[0]), in(ends[1]);
  const Aligned block;
  auto offset = static_cast<off_t>(Number(a[2]));
  Whole(sendfile(in.get(), fd.get(), &offset, kBlock), kBlock);
  Whole(read(out.get(), block.words(), kBlock), kBlock);
  return Values(block.words());
}

std::string Everything(const struct stat& st) {
  const auto time = [](const timespec& t) {
    return std::to_string(t.tv_sec) + "." + std::to_string(t.tv_nsec);
  };
  return std::to_string(st.st_ino) + " " + std::to_string(st.st_mode) + " " + std::to_string(st.st_nlink) +
         " " + std::to_string(st.st_size) + " " + time(st.st_mtim) + " " + time(st.st_ctim);
}

std::string List(const Words& a) {
  const std::unique_ptr<DIR, int (*)(DIR*)> dir(opendir(a[1].c_str()), closedir);
  if (!dir) throw Error{errno};
  std::string text;
  errno = 0;
  while (const dirent* entry = readdir(dir.get())) {
    if (entry->d_name[0] != '.') {
      text += (text.empty() ? "" : " ") + std::string(entry->d_name) + " " + std::to_string(entry->d_ino);
    }
    errno = 0;
  }
  if (errno != 0) throw Error{errno};
  return text;
}

struct Operation {
  size_t words;  ///< Name, path and arguments.
  std::function<std::string(const Words&, std::map<std::string, Fd>&)> run;
};

const std::map<std::string, Operation> kOperations = {
    // Blocks: PATH OFFSET [VALUE]
    {"pwrite", {4, [](auto& a, auto&) { return WriteBlock(a, 0); }}},
    {"direct_write", {4, [](auto& a, auto&) { return WriteBlock(a, O_DIRECT); }}},
    {"store",
     {4,
      [](auto& a, auto&) {
        WithMapping(a[1], static_cast<off_t>(Number(a[2])), true,
                    [&](volatile uint64_t* words) { Fill(words, Number(a[3])); });
        return std::string();
      }}},
    {"pread",
     {3,
      [](auto& a, auto&) { return ReadBlock(Fd(a[1], O_RDONLY).get(), static_cast<off_t>(Number(a[2]))); }}},
    {"direct_read",
     {3,
      [](auto& a, auto&) {
        return ReadBlock(Fd(a[1], O_RDONLY | O_DIRECT).get(), static_cast<off_t>(Number(a[2])));
      }}},
    {"held_read",  // through a descriptor that stays open
     {3,
      [](auto& a, auto& held) {
        const auto offset = static_cast<off_t>(Number(a[2]));
        const auto [it, opened] = held.try_emplace(a[1], a[1], O_RDONLY);
        try {
          return ReadBlock(it->second.get(), offset);
        } catch (const Error& error) {
          held.erase(it);
          if (opened || error.number != ENOTCONN) throw;
        }
        // Opened in an earlier life of the gateway.
        return ReadBlock(held.try_emplace(a[1], a[1], O_RDONLY).first->second.get(), offset);
      }}},
    {"load",
     {3,
      [](auto& a, auto&) {
        std::string values;
        Aligned copy;
        WithMapping(a[1], static_cast<off_t>(Number(a[2])), false,
                    [&](volatile uint64_t* words) { std::copy_n(words, kBlock / 8, copy.words()); });
        return Values(copy.words());
      }}},
    {"sendfile", {3, [](auto& a, auto&) { return SendFile(a); }}},
    // Small files: PATH SIZE SEED
    {"rewrite", {4, [](auto& a, auto&) { return WritePattern(a, O_TRUNC); }}},
    {"append", {4, [](auto& a, auto&) { return WritePattern(a, O_APPEND); }}},
    {"create", {4, [](auto& a, auto&) { return WritePattern(a, O_CREAT | O_EXCL); }}},
    {"read",
     {2,
      [](auto& a, auto&) {
        const Fd fd(a[1], O_RDONLY);
        std::vector<unsigned char> bytes(kWholeMax);
        const auto n = static_cast<size_t>(Check(read(fd.get(), bytes.data(), bytes.size())));
        return std::to_string(Hash(bytes.data(), n));
      }}},
    {"truncate",
     {3,
      [](auto& a, auto&) {
        Check(truncate(a[1].c_str(), static_cast<off_t>(Number(a[2]))));
        return std::string();
      }}},
    // Attributes
    {"chmod",
     {3,
      [](auto& a, auto&) {
        Check(chmod(a[1].c_str(), static_cast<mode_t>(Number(a[2]))));
        return std::string();
      }}},
    {"setxattr",
     {3,
      [](auto& a, auto&) {
        Check(setxattr(a[1].c_str(), kXattr, a[2].data(), a[2].size(), 0));
        return std::string();
      }}},
    {"getxattr",
     {2,
      [](auto& a, auto&) {
        char value[64];
        const ssize_t n = Check(getxattr(a[1].c_str(), kXattr, value, sizeof value));
        return std::string(value, static_cast<size_t>(n));
      }}},
    {"stat",
     {2,
      [](auto& a, auto&) {
        struct stat st;
        Check(lstat(a[1].c_str(), &st));
        return std::to_string(st.st_ino) + " " + std::to_string(st.st_mode & 07777) + " " +
               std::to_string(st.st_size);
      }}},
    {"stat_all",
     {2,
      [](auto& a, auto&) {
        struct stat st;
        Check(lstat(a[1].c_str(), &st));
        return Everything(st);
      }}},
    {"open",  // what the descriptor says
     {2,
      [](auto& a, auto&) {
        struct stat st;
        Check(fstat(Fd(a[1], O_RDONLY).get(), &st));
        return Everything(st);
      }}},
    {"punch",  // PATH OFFSET SIZE
     {4,
      [](auto& a, auto&) {
        Fd fd(a[1], O_WRONLY);
        Check(fallocate(fd.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                        static_cast<off_t>(Number(a[2])), static_cast<off_t>(Number(a[3]))));
        fd.Close();
        return std::string();
      }}},
    // Names
    {"mkdir",
     {2,
      [](auto& a, auto&) {
        Check(mkdir(a[1].c_str(), 0755));
        return std::string();
      }}},
    {"unlink",
     {2,
      [](auto& a, auto&) {
        Check(unlink(a[1].c_str()));
        return std::string();
      }}},
    {"rename",
     {3,
      [](auto& a, auto&) {
        Check(rename(a[1].c_str(), a[2].c_str()));
        return std::string();
      }}},
    {"list", {2, [](auto& a, auto&) { return List(a); }}},
    {"sync",
     {2,
      [](auto& a, auto&) {
        Check(syncfs(Fd(a[1], O_RDONLY).get()));
        return std::string();
      }}},
};

/// Does the requests of one lane.
class Lane {
 public:
  void Post(Words words) EXCLUDES(mutex_) {
    const ocfsgw::MutexLock lock(mutex_);
    requests_.push_back(std::move(words));
    changed_.NotifyOne();
  }

  [[noreturn]] void Run(const std::string& head) {
    while (true) {
      const std::string answer = head + Do(Next()) + "\n";
      // One call, so that the lanes' answers do not mix.
      if (write(STDOUT_FILENO, answer.data(), answer.size()) != static_cast<ssize_t>(answer.size())) _exit(4);
    }
  }

 private:
  Words Next() EXCLUDES(mutex_) {
    ocfsgw::MutexLock lock(mutex_);
    while (requests_.empty()) changed_.Wait(mutex_);
    Words words = std::move(requests_.front());
    requests_.pop_front();
    return words;
  }

  std::string Do(const Words& words) {
    const auto operation = words.empty() ? kOperations.end() : kOperations.find(words[0]);
    if (operation == kOperations.end() || operation->second.words != words.size())
      return std::to_string(EPROTO);
    try {
      const std::string result = operation->second.run(words, held_);
      return result.empty() ? "ok" : "ok " + result;
    } catch (const Error& error) {
      return std::to_string(error.number);
    }
  }

  ocfsgw::Mutex mutex_;
  ocfsgw::CondVar changed_;
  std::deque<Words> requests_ GUARDED_BY(mutex_);
  std::map<std::string, Fd> held_;  // by path; of the lane's thread
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr, "usage: soak_worker LANES GENERATION\n");
    return 1;
  }
  for (const int fd : {STDIN_FILENO, STDOUT_FILENO}) {
    termios settings;
    if (tcgetattr(fd, &settings) == 0) {
      cfmakeraw(&settings);
      tcsetattr(fd, TCSANOW, &settings);
    }
  }
  std::signal(SIGBUS, BusError);
  const std::string generation = argv[2];
  std::vector<std::unique_ptr<Lane>> lanes(Number(argv[1]));
  std::vector<std::thread> threads;
  for (size_t i = 0; i < lanes.size(); ++i) {
    lanes[i] = std::make_unique<Lane>();
    threads.emplace_back(
        [&lane = *lanes[i], head = generation + " " + std::to_string(i) + " "] { lane.Run(head); });
  }
  std::cout << generation << " ready" << std::endl;
  for (std::string line; std::getline(std::cin, line);) {
    std::istringstream in(line);
    std::string meant_for, lane;
    in >> meant_for >> lane;
    Words words;
    for (std::string word; in >> word;) words.push_back(word);
    if (meant_for == generation && Number(lane) < lanes.size()) lanes[Number(lane)]->Post(std::move(words));
  }
  _exit(0);
}
