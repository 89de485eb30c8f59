#include "tests/posix/io/side.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <algorithm>
#include <utility>

#include "tests/posix/io/calls.h"

namespace ocfsgw::posixio {

namespace {

/// What ends where the kernel believes that the file ends: it is told of a longer one only when somebody
/// asks. Mappings, and what splices; copy_file_range(2) is cut to that size before the file system hears of
/// it.
bool UsesKnownSize(Kind kind) {
  switch (kind) {
    case Kind::kMapRead:
    case Kind::kHeldMapRead:
    case Kind::kMapWrite:
    case Kind::kSendFile:
    case Kind::kCopy:
      return true;
    default:
      return false;
  }
}

}  // namespace

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

void Side::Note(const Operation& op) {
  model_.Apply(op);
  if (op.kind == Kind::kReplace) CloseAll(/*writers_only=*/false);
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
    if (options_.unasked && op.kind == Kind::kHeldMapRead && map_ != nullptr && op.offset < seen_size_) {
      Operation seen = op;
      seen.length = std::min(op.length, seen_size_ - op.offset);
      MapRead(seen, /*held=*/true);
      return {};
    }
    if (!options_.unasked || UsesKnownSize(op.kind)) ExpectSize("before");
    Perform(op);
    model_.Apply(op);
    if (!options_.unasked) ExpectSize("after");
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
  seen_size_ = static_cast<uint64_t>(st.st_size);
  if (seen_size_ == model_.size()) return;
  throw Wrong{std::string("size ") + when + " the operation: expected " + std::to_string(model_.size()) +
              ", got " + std::to_string(st.st_size)};
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

}  // namespace ocfsgw::posixio
