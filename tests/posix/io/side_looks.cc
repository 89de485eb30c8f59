// What a side does to look at the file.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>

#include <algorithm>
#include <utility>

#include "tests/posix/io/calls.h"
#include "tests/posix/io/mapped.h"
#include "tests/posix/io/side.h"

namespace ocfsgw::posixio {
namespace {

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

}  // namespace

void Side::Expect(uint64_t offset, uint64_t length, std::string_view got) const {
  std::string difference = Difference(offset, model_.At(offset, length), got);
  if (!difference.empty()) throw Wrong{std::move(difference)};
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

void Side::MapRead(const Operation& op, bool held) {
  if (held && map_ == nullptr) {
    void* const at = mmap(nullptr, options_.size_max, PROT_READ, MAP_SHARED, Held(O_RDONLY), 0);
    if (at == MAP_FAILED) throw Wrong{std::string("mmap: ") + std::strerror(errno)};
    map_ = static_cast<char*>(at);
  }
  std::string got(op.length, '?');
  if (held) {
    if (!Touch([&] { std::memcpy(got.data(), map_ + op.offset, op.length); }))
      throw Wrong{"SIGBUS while looking at " + std::to_string(op.length) +
                  " bytes of the held mapping; size seen last " + std::to_string(seen_size_)};
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
