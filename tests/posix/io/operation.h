#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <random>
#include <set>
#include <string>

namespace ocfsgw::posixio {

inline constexpr uint64_t kPage = 4096;

enum class Kind {
  kRead,
  kReadAll,
  kDirectRead,
  kMapRead,  ///< Through a mapping made for it.
  kHeldMapRead,
  kSendFile,
  kWrite,
  kAppend,
  kDirectWrite,
  kMapWrite,  ///< And msync.
  kTruncate,
  kTruncatePath,
  kTruncateOpen,
  kPunch,
  kZero,
  kAllocate,
  kCollapse,
  kInsert,
  kCopy,
  kSeek,
  kSync,
  kAdvise,  ///< POSIX_FADV_DONTNEED
  kCloseWriters,
  kClose,    ///< All descriptors and mappings.
  kReplace,  ///< By another file with the same contents, and all sides close what they have open.
};
inline constexpr int kKinds = static_cast<int>(Kind::kReplace) + 1;

/// By which descriptor: one that is held open, or one opened for this operation.
enum class Via { kBoth, kOneWay, kAnew };

/// One operation, with everything that decides what it does: the same on every side and in every replay.
struct Operation {
  Kind kind = Kind::kRead;
  Via via = Via::kBoth;
  uint64_t number = 0;  ///< Decides what is written.
  uint64_t offset = 0;  ///< Or the new size.
  uint64_t length = 0;
  uint64_t target = 0;  ///< kCopy: where to. kZero, kAllocate: whether the size is kept.

  std::string Text() const;
  static std::optional<Operation> Parse(const std::string& text);
};

const char* NameOf(Kind kind);
std::optional<Kind> KindOf(const std::string& name);

/// A sequence of operations that depends on the seed and on which of them could be done, nothing else.
class Plan {
 public:
  Plan(uint64_t seed, uint64_t size_max, std::set<Kind> without);
  /// The next one for the side of this number. `size`: of the file now.
  Operation Next(size_t side, uint64_t size);
  /// Which of `sides` does the next one.
  size_t Side(size_t sides) { return Below(sides); }

 private:
  uint64_t Below(uint64_t n) { return n == 0 ? 0 : random_() % n; }
  uint64_t Offset(uint64_t size);
  uint64_t Length();
  Via Draw();
  /// Makes it a legal one; false if the file is too short or too long for it.
  bool Fit(Operation& op, uint64_t size);

  std::mt19937_64 random_;
  const uint64_t size_max_;
  const std::set<Kind> without_;
  uint64_t number_ = 0;
};

}  // namespace ocfsgw::posixio
