#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace ocfsgw::bench {

/// A system call on a file, as a request to a cache.
struct StraceRequest {
  enum class Kind { kName, kRead };
  Kind kind = Kind::kName;
  std::string_view time;  ///< As strace -ttt wrote it (seconds); empty: it did not.
  std::string_view path;  ///< Unescaped; absolute where the line says of what directory it is.
  uint64_t offset = 0;    ///< Of a read, in bytes.
  uint64_t bytes = 0;     ///< Of a read: what it returned, above 0.
};

struct StraceCounts {
  uint64_t lines = 0;
  uint64_t names = 0;    ///< Requests.
  uint64_t reads = 0;    ///< Requests.
  uint64_t unknown = 0;  ///< Reads of descriptors of which no path is known; not malformed.
  uint64_t malformed = 0;
  std::vector<std::string> first_malformed;  ///< "line N: why", of the first kMalformedShown.
};

/// Reads what `strace -f [-y] [-t|-tt|-ttt] [-T]` wrote, fed in pieces of any size, and hands each request to
/// a sink: open, openat, openat2, creat, stat, lstat, newfstatat, statx, access, faccessat(2), readlink(at)
/// are requests for a name, whether it exists or not (not so fstat of a descriptor); read, readv, pread64,
/// preadv and preadv2 that returned bytes are reads of files. Other calls, signals and exits are passed over.
///
/// Paths of descriptors are in the line with -y. Without it they are those of what the same process id has
/// opened. The offset of a read without one follows from the reads and lseeks by the same process id since
/// its open; so it is right for a file that one thread opens and reads, and a guess when several share it.
///
/// A line that is no line of strace, is longer than kLineBytesMax, or ends before its call does is counted
/// and left out. Keeps at most kCallsMax unfinished calls and kFilesMax open files, the oldest ids are
/// forgotten. Thread-compatible.
class StraceParser {
 public:
  static constexpr size_t kLineBytesMax = 64 * 1024;
  static constexpr size_t kMalformedShown = 5;
  static constexpr size_t kCallsMax = 4096;
  static constexpr size_t kFilesMax = 1 << 20;

  using Sink = std::function<Status(const StraceRequest&)>;

  explicit StraceParser(Sink sink) : sink_(std::move(sink)) {}

  /// What the sink returns, if that is no success; nothing may be fed after it.
  Status Feed(std::string_view piece);
  /// The last line, if it has no end. Calls that were never resumed are counted as malformed.
  Status Finish();
  const StraceCounts& counts() const { return counts_; }

 private:
  struct File {
    std::string path;
    uint64_t position = 0;
  };
  using FileKey = std::pair<uint64_t, uint64_t>;  // process id, descriptor
  struct Unfinished {
    std::string text;
    std::string time;
    uint64_t line = 0;
  };

  Status EndLine();
  Status Line(std::string_view line);
  Status Call(uint64_t pid, std::string_view time, std::string_view call);
  Status Opened(uint64_t pid, std::string_view path, std::string_view result);
  Status Read(uint64_t pid, std::string_view time, std::string_view name,
              const std::vector<std::string_view>& arguments, uint64_t got);
  Status Name(std::string_view time, std::string_view path);
  File* FileOf(uint64_t pid, std::string_view descriptor);
  void Malformed(uint64_t line, const std::string& why);

  const Sink sink_;
  StraceCounts counts_;
  std::string pending_;
  bool too_long_ = false;                      // the line begun
  std::map<uint64_t, Unfinished> unfinished_;  // by process id
  std::map<FileKey, File> files_;
};

}  // namespace ocfsgw::bench
