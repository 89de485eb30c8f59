// What a side does to change the file.
#include <fcntl.h>
#include <linux/falloc.h>

#include <algorithm>
#include <cstdio>

#include "tests/posix/io/calls.h"
#include "tests/posix/io/mapped.h"
#include "tests/posix/io/side.h"

namespace ocfsgw::posixio {

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
    case Kind::kReplace:
      Replace();
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
  const int done = fallocate(Open(op.via, O_WRONLY).get(), mode, Off(op.offset), Off(op.length));
  // OCFS2 does not punch beyond the end of a file whose data is in its inode.
  if (done != 0 && errno == EINVAL && op.kind == Kind::kPunch && op.offset + op.length > model_.size())
    throw NotSupported{};
  Check(done, "fallocate");
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

void Side::Replace() {
  CloseAll(/*writers_only=*/false);
  const std::string other = options_.path + ".new";
  {
    const Opened fd(Check(open(other.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644), "create"),
                    true);
    const std::string_view bytes = model_.At(0, model_.size());
    Whole(write(fd.get(), bytes.data(), bytes.size()), bytes.size(), "write of the replacement");
  }
  Check(rename(other.c_str(), options_.path.c_str()), "rename");
}

}  // namespace ocfsgw::posixio
