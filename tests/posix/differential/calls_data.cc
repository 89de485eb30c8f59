// Reading and writing through descriptors.
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <memory>

#include "tests/posix/differential/actor.h"
#include "tests/posix/differential/deviations.h"
#include "tests/posix/differential/maker.h"

namespace ocfsgw::posixdiff {
namespace {

/// Aligned for O_DIRECT; what a read leaves alone is visible.
struct Buffer {
  explicit Buffer(int64_t size)
      : size(static_cast<size_t>(size)),
        bytes(static_cast<char*>(aligned_alloc(4096, (this->size / 4096 + 1) * 4096))) {
    std::memset(bytes.get(), '~', this->size);
  }
  struct Free {
    void operator()(char* memory) const { std::free(memory); }
  };
  size_t size;
  std::unique_ptr<char, Free> bytes;
};

void MakeTransfer(Maker& maker, Step& step) {
  maker.UseOpen(step);
  step.a = maker.Offset();
  step.b = maker.Length();
  step.c = maker.Below(1000);
}

std::string RunRead(Actor& actor, const Step& step) {
  const Buffer buffer(step.b);
  return Bytes(read(actor.fd(step.fd), buffer.bytes.get(), buffer.size), buffer.bytes.get());
}

std::string RunPread(Actor& actor, const Step& step) {
  const Buffer buffer(step.b);
  return Bytes(pread(actor.fd(step.fd), buffer.bytes.get(), buffer.size, step.a), buffer.bytes.get());
}

std::string RunReadv(Actor& actor, const Step& step) {
  const Buffer buffer(step.b);
  const size_t first = buffer.size / 3;
  const iovec parts[] = {{buffer.bytes.get(), first}, {buffer.bytes.get() + first, buffer.size - first}};
  return Bytes(readv(actor.fd(step.fd), parts, 2), buffer.bytes.get());
}

Buffer Data(const Step& step) {
  Buffer buffer(step.b);
  const std::string data = Pattern(buffer.size, step.c);
  std::memcpy(buffer.bytes.get(), data.data(), data.size());
  return buffer;
}

std::string RunWrite(Actor& actor, const Step& step) {
  const Buffer buffer = Data(step);
  return Outcome(write(actor.fd(step.fd), buffer.bytes.get(), buffer.size));
}

std::string RunPwrite(Actor& actor, const Step& step) {
  const Buffer buffer = Data(step);
  return Outcome(pwrite(actor.fd(step.fd), buffer.bytes.get(), buffer.size, step.a));
}

std::string RunWritev(Actor& actor, const Step& step) {
  const Buffer buffer = Data(step);
  const size_t first = buffer.size / 2;
  const iovec parts[] = {{buffer.bytes.get(), first}, {buffer.bytes.get() + first, buffer.size - first}};
  return Outcome(writev(actor.fd(step.fd), parts, 2));
}

std::string RunPwritev2(Actor& actor, const Step& step) {
  const Buffer buffer = Data(step);
  const iovec part{buffer.bytes.get(), buffer.size};
  static constexpr int kFlags[] = {RWF_APPEND, RWF_DSYNC, RWF_SYNC, RWF_APPEND | RWF_SYNC, 0x40000000};
  return Outcome(pwritev2(actor.fd(step.fd), &part, 1, step.a, kFlags[step.c % 5]));
}

/// False if there is something else; what cannot be read, or is far too much, is left alone.
bool AreZeros(int fd, off_t from, off_t to) {
  constexpr off_t kLookedAt = 4 << 20;
  std::string data(static_cast<size_t>(std::clamp<off_t>(to - from, 0, kLookedAt)), '\0');
  const ssize_t got = pread(fd, data.data(), data.size(), from);
  return got <= 0 || data.find_first_not_of('\0') >= static_cast<size_t>(got);
}

std::string RunSeek(Actor& actor, const Step& step) {
  struct stat st {};
  if (fstat(actor.fd(step.fd), &st) == 0 && S_ISDIR(st.st_mode)) return "up to the file system";
  static constexpr int kWhence[] = {SEEK_SET, SEEK_CUR, SEEK_END, SEEK_DATA, SEEK_HOLE, 99};
  const int whence = kWhence[step.c % 6];
  const off_t at = lseek(actor.fd(step.fd), step.a, whence);
  const std::string outcome = Outcome(at);
  if (whence != SEEK_DATA && whence != SEEK_HOLE) return outcome;
  if (at < 0 && outcome != "-ENXIO") return outcome;
  // Where data ends may be told loosely, but no data may be called a hole.
  const bool zeros = whence == SEEK_HOLE ? AreZeros(actor.fd(step.fd), at, at + 1)
                                         : AreZeros(actor.fd(step.fd), step.a, at < 0 ? st.st_size : at);
  return outcome + (zeros ? kHoleMark : " calls data a hole");
}

void MakeCopy(Maker& maker, Step& step) {
  maker.UseOpen(step);
  const Step target = step;
  maker.UseOpen(step);
  // Both of one process.
  step.fd2 = step.actor == target.actor ? target.fd : static_cast<int>(maker.Below(Actor::kSlots));
  step.a = maker.Offset();
  step.b = maker.Offset();
  step.c = maker.Length();
}

std::string RunCopy(Actor& actor, const Step& step) {
  off64_t from = step.a, to = step.b;
  const ssize_t copied =
      copy_file_range(actor.fd(step.fd), &from, actor.fd(step.fd2), &to, static_cast<size_t>(step.c), 0);
  return Outcome(copied) + " from " + std::to_string(from) + " to " + std::to_string(to);
}

void MakeSync(Maker& maker, Step& step) { maker.UseOpen(step); }

}  // namespace

std::vector<Call> DataCalls() {
  return {
      {"read", "fb", 12, MakeTransfer, RunRead},
      {"pread", "fba", 12, MakeTransfer, RunPread},
      {"readv", "fb", 4, MakeTransfer, RunReadv},
      {"write", "fbc", 25, MakeTransfer, RunWrite},
      {"pwrite", "fbca", 25, MakeTransfer, RunPwrite},
      {"writev", "fbc", 4, MakeTransfer, RunWritev},
      {"pwritev2", "fbca", 8, MakeTransfer, RunPwritev2},
      {"lseek", "fac", 16, MakeTransfer, RunSeek},
      {"copy_file_range", "fagbc", 8, MakeCopy, RunCopy},
      {"fsync", "f", 3, MakeSync,
       [](Actor& actor, const Step& step) { return Outcome(fsync(actor.fd(step.fd))); }},
      {"fdatasync", "f", 2, MakeSync,
       [](Actor& actor, const Step& step) { return Outcome(fdatasync(actor.fd(step.fd))); }},
  };
}

}  // namespace ocfsgw::posixdiff
