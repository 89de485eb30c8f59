#include "tests/posix/io/side.h"

#include <fcntl.h>
#include <linux/falloc.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "tests/posix/io/mapped.h"

namespace ocfsgw::posixio {
namespace {

struct Wrong {
  std::string why;
};
struct NotSupported {};

template <typename T>
T Check(T result, const char* what) {
  if (result != T(-1)) return result;
  if (errno == EOPNOTSUPP || errno == ENOSYS) throw NotSupported{};
  throw Wrong{std::string(what) + ": " + std::strerror(errno)};
}

using Aligned = std::unique_ptr<char, void (*)(void*)>;
Aligned AlignedBytes(size_t size) { return {static_cast<char*>(aligned_alloc(kPage, size)), free}; }

void Whole(ssize_t n, size_t wanted, const char* what) {
  if (static_cast<size_t>(Check(n, what)) != wanted)
    throw Wrong{std::string(what) + ": only " + std::to_string(n) + " of " + std::to_string(wanted) +
                " bytes"};
}

off_t Off(uint64_t offset) { return static_cast<off_t>(offset); }

/// As much as there is; one call may give less.
std::string ReadAt(int fd, uint64_t offset, uint64_t length) {
  std::string bytes(length, '?');
  size_t got = 0;
  while (got < length) {
    const auto n =
        static_cast<size_t>(Check(pread(fd, bytes.data() + got, length - got, Off(offset + got)), "pread"));
    if (n == 0) break;
    got += n;
  }
  bytes.resize(got);
  return bytes;
}

/// The pages of [offset, offset + length), for as long as it lives.
class Pages {
 public:
  Pages(int fd, int protection, uint64_t offset, uint64_t length)
      : skip_(offset % kPage), size_(skip_ + length) {
    void* const at = mmap(nullptr, size_, protection, MAP_SHARED, fd, Off(offset - skip_));
    if (at == MAP_FAILED) throw Wrong{std::string("mmap: ") + std::strerror(errno)};
    base_ = static_cast<char*>(at);
  }
  ~Pages() { munmap(base_, size_); }
  Pages(const Pages&) = delete;
  Pages& operator=(const Pages&) = delete;
  char* data() const { return base_ + skip_; }
  void Sync() const { Check(msync(base_, size_, MS_SYNC), "msync"); }

 private:
  const uint64_t skip_, size_;
  char* base_ = nullptr;
};

}  // namespace

class Side::Opened {
 public:
  Opened(int fd, bool ours) : fd_(fd), ours_(ours) {}
  ~Opened() {
    if (ours_) close(fd_);
  }
  Opened(const Opened&) = delete;
  Opened& operator=(const Opened&) = delete;
  int get() const { return fd_; }

 private:
  const int fd_;
  const bool ours_;
};

Side::Side(SideOptions options) : options_(std::move(options)) {}
Side::~Side() { CloseAll(false); }

Side::Opened Side::Open(Via via, int one_way) {
  const int flags = via == Via::kBoth ? O_RDWR : one_way;
  if (via != Via::kAnew) return {Held(flags), false};
  return {Check(open(options_.path.c_str(), flags | O_CLOEXEC), "open"), true};
}

int Side::Held(int flags) {
  const auto found = held_.find(flags);
  if (found != held_.end()) return found->second;
  const int fd = open(options_.path.c_str(), flags | O_CLOEXEC);
  if (fd < 0 && errno == EINVAL && (flags & O_DIRECT) != 0) throw NotSupported{};
  return held_[flags] = Check(fd, "open");
}

void Side::CloseAll(bool writers_only) {
  std::erase_if(held_, [writers_only](const auto& entry) {
    if (writers_only && (entry.first & O_ACCMODE) == O_RDONLY) return false;
    close(entry.second);
    return true;
  });
  if (writers_only || map_ == nullptr) return;
  munmap(map_, options_.size_max);
  map_ = nullptr;
}

Verdict Side::Do(const Operation& op) {
  try {
    if (options_.unasked && op.kind == Kind::kHeldMapRead) MapRead(op, /*held=*/true);
    ExpectSize("before");
    Perform(op);
    model_.Apply(op);
    ExpectSize("after");
    return {};
  } catch (const NotSupported&) {
    return {Verdict::What::kSkipped, {}};
  } catch (const Wrong& wrong) {
    return {Verdict::What::kWrong, wrong.why};
  }
}

void Side::ExpectSize(const char* when) {
  struct stat st {};
  const auto any = held_.begin();
  if (any == held_.end()) {
    Check(stat(options_.path.c_str(), &st), "stat");
  } else {
    Check(fstat(any->second, &st), "fstat");
  }
  if (static_cast<uint64_t>(st.st_size) == model_.size()) return;
  throw Wrong{std::string("size ") + when + " the operation: expected " + std::to_string(model_.size()) +
              ", got " + std::to_string(st.st_size)};
}

void Side::Expect(uint64_t offset, uint64_t length, std::string_view got) const {
  std::string difference = Difference(offset, model_.At(offset, length), got);
  if (!difference.empty()) throw Wrong{std::move(difference)};
}

void Side::Perform(const Operation& op) {
  switch (op.kind) {
    case Kind::kRead:
    case Kind::kReadAll:
    case Kind::kDirectRead:
    case Kind::kMapRead:
    case Kind::kHeldMapRead:
    case Kind::kSendFile:
    case Kind::kSeek:
      Look(op);
      break;
    case Kind::kSync:
      Check(op.target == 0 ? fsync(Open(op.via, O_RDONLY).get()) : fdatasync(Open(op.via, O_WRONLY).get()),
            "fsync");
      break;
    case Kind::kAdvise: {
      const int error =
          posix_fadvise(Open(op.via, O_RDONLY).get(), Off(op.offset), Off(op.length), POSIX_FADV_DONTNEED);
      if (error != 0) throw Wrong{std::string("posix_fadvise: ") + std::strerror(error)};
      break;
    }
    case Kind::kCloseWriters:
    case Kind::kClose:
      CloseAll(op.kind == Kind::kCloseWriters);
      break;
    default:
      Change(op);
  }
}

void Side::Look(const Operation& op) {
  switch (op.kind) {
    case Kind::kRead:
      Expect(op.offset, op.length, ReadAt(Open(op.via, O_RDONLY).get(), op.offset, op.length));
      break;
    case Kind::kReadAll:
      Expect(0, options_.size_max, ReadAt(Open(op.via, O_RDONLY).get(), 0, options_.size_max + kPage));
      break;
    case Kind::kDirectRead:
      ReadDirect(op);
      break;
    case Kind::kMapRead:
    case Kind::kHeldMapRead:
      MapRead(op, op.kind == Kind::kHeldMapRead);
      break;
    case Kind::kSendFile:
      SendFile(op);
      break;
    default:
      Seek(op);
  }
}

void Side::Change(const Operation& op) {
  switch (op.kind) {
    case Kind::kWrite:
    case Kind::kAppend:
    case Kind::kDirectWrite:
      Write(op);
      break;
    case Kind::kMapWrite:
      MapWrite(op);
      break;
    case Kind::kTruncate:
      Check(ftruncate(Open(op.via, O_WRONLY).get(), Off(op.offset)), "ftruncate");
      break;
    case Kind::kTruncatePath:
      Check(truncate(options_.path.c_str(), Off(op.offset)), "truncate");
      break;
    case Kind::kTruncateOpen:
      Open(Via::kAnew, O_RDWR | O_TRUNC);
      break;
    case Kind::kCopy:
      Copy(op);
      break;
    default:
      Reshape(op);
  }
}

void Side::Reshape(const Operation& op) {
  const int keep = op.target != 0 ? FALLOC_FL_KEEP_SIZE : 0;
  const int mode = op.kind == Kind::kPunch      ? FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE
                   : op.kind == Kind::kZero     ? FALLOC_FL_ZERO_RANGE | keep
                   : op.kind == Kind::kCollapse ? FALLOC_FL_COLLAPSE_RANGE
                   : op.kind == Kind::kInsert   ? FALLOC_FL_INSERT_RANGE
                                                : keep;
  Check(fallocate(Open(op.via, O_WRONLY).get(), mode, Off(op.offset), Off(op.length)), "fallocate");
}

void Side::Write(const Operation& op) {
  const std::string bytes = Content(op.number, op.offset, op.length);
  if (op.kind == Kind::kAppend) {
    const auto append = op.via == Via::kBoth ? O_RDWR | O_APPEND : O_WRONLY | O_APPEND;
    const Opened fd = Open(op.via == Via::kBoth ? Via::kOneWay : op.via, append);
    Whole(write(fd.get(), bytes.data(), bytes.size()), bytes.size(), "append");
  } else if (op.kind == Kind::kDirectWrite) {
    const Aligned aligned = AlignedBytes(op.length);
    std::copy(bytes.begin(), bytes.end(), aligned.get());
    const int fd = Held(O_DIRECT | (op.via == Via::kBoth ? O_RDWR : O_WRONLY));
    Whole(pwrite(fd, aligned.get(), op.length, Off(op.offset)), op.length, "direct pwrite");
  } else {
    const Opened fd = Open(op.via, O_WRONLY);
    Whole(pwrite(fd.get(), bytes.data(), bytes.size(), Off(op.offset)), bytes.size(), "pwrite");
  }
}

void Side::MapWrite(const Operation& op) {
  const std::string bytes = Content(op.number, op.offset, op.length);
  const Opened fd = Open(op.via == Via::kAnew ? Via::kAnew : Via::kBoth, O_RDWR);
  const Pages pages(fd.get(), PROT_READ | PROT_WRITE, op.offset, op.length);
  if (!Touch([&] { std::memcpy(pages.data(), bytes.data(), bytes.size()); }))
    throw Wrong{"SIGBUS while storing to a mapping"};
  pages.Sync();
}

void Side::MapRead(const Operation& op, bool held) {
  if (held && map_ == nullptr) {
    void* const at = mmap(nullptr, options_.size_max, PROT_READ, MAP_SHARED, Held(O_RDONLY), 0);
    if (at == MAP_FAILED) throw Wrong{std::string("mmap: ") + std::strerror(errno)};
    map_ = static_cast<char*>(at);
  }
  std::string got(op.length, '?');
  if (held) {
    if (!Touch([&] { std::memcpy(got.data(), map_ + op.offset, op.length); }))
      throw Wrong{"SIGBUS while looking at the held mapping"};
    Expect(op.offset, op.length, got);
    return;
  }
  // Beyond the end of the file the last page is zero.
  const uint64_t tail = op.offset + op.length == model_.size() ? (kPage - model_.size() % kPage) % kPage : 0;
  got.resize(op.length + tail);
  const Opened fd = Open(op.via, O_RDONLY);
  const Pages pages(fd.get(), PROT_READ, op.offset, op.length);
  if (!Touch([&] { std::memcpy(got.data(), pages.data(), got.size()); }))
    throw Wrong{"SIGBUS while looking at a mapping"};
  Expect(op.offset, op.length, std::string_view(got).substr(0, op.length));
  const std::string difference =
      Difference(model_.size(), std::string(tail, '\0'), std::string_view(got).substr(op.length));
  if (!difference.empty()) throw Wrong{"in the last page, beyond the end of the file: " + difference};
}

void Side::ReadDirect(const Operation& op) {
  const Aligned aligned = AlignedBytes(op.length);
  const int fd = Held(O_DIRECT | (op.via == Via::kBoth ? O_RDWR : O_RDONLY));
  const auto n = Check(pread(fd, aligned.get(), op.length, Off(op.offset)), "direct pread");
  Expect(op.offset, op.length, {aligned.get(), static_cast<size_t>(n)});
}

void Side::SendFile(const Operation& op) {
  int ends[2];
  Check(pipe2(ends, O_CLOEXEC | O_NONBLOCK), "pipe2");
  const Opened out(ends[0], true);
  const Opened in(ends[1], true);
  const Opened fd = Open(op.via, O_RDONLY);
  off_t offset = Off(op.offset);
  const uint64_t length = std::min<uint64_t>(op.length, kPage);  // fits into the pipe
  const auto sent = static_cast<size_t>(Check(sendfile(in.get(), fd.get(), &offset, length), "sendfile"));
  std::string got(length + kPage, '?');
  const ssize_t n = sent == 0 ? 0 : Check(read(out.get(), got.data(), got.size()), "read of a pipe");
  got.resize(static_cast<size_t>(n));
  // May be short at a page's end.
  Expect(op.offset, sent == 0 ? length : sent, got);
}

void Side::Copy(const Operation& op) {
  const Opened from = Open(op.via, O_RDONLY);
  const Opened to = Open(op.via, O_WRONLY);
  off_t in = Off(op.offset);
  off_t out = Off(op.target);
  for (uint64_t done = 0; done < op.length;) {
    const auto n =
        Check(copy_file_range(from.get(), &in, to.get(), &out, op.length - done, 0), "copy_file_range");
    if (n == 0) throw Wrong{"copy_file_range: the source ends after " + std::to_string(done) + " bytes"};
    done += static_cast<uint64_t>(n);
  }
}

void Side::Seek(const Operation& op) {
  const Opened fd = Open(op.via, O_RDONLY);
  const off_t data = lseek(fd.get(), Off(op.offset), SEEK_DATA);
  if (data < 0 && errno != ENXIO) throw Wrong{std::string("SEEK_DATA: ") + std::strerror(errno)};
  const uint64_t zero_to = data < 0 ? model_.size() : static_cast<uint64_t>(data);
  if (zero_to < op.offset || zero_to > model_.size() || !model_.Zero(op.offset, zero_to))
    throw Wrong{"SEEK_DATA leaves out data: " + std::to_string(data)};
  const auto hole = static_cast<uint64_t>(Check(lseek(fd.get(), Off(op.offset), SEEK_HOLE), "SEEK_HOLE"));
  if (hole < op.offset || hole > model_.size() || !model_.Zero(hole, std::min(hole + 1, model_.size())))
    throw Wrong{"SEEK_HOLE finds one where data is: " + std::to_string(hole)};
}

}  // namespace ocfsgw::posixio
