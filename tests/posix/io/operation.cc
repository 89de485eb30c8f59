#include "tests/posix/io/operation.h"

#include <algorithm>
#include <sstream>
#include <utility>

namespace ocfsgw::posixio {
namespace {

constexpr std::array<const char*, kKinds> kNames = {
    "read",   "read_all",      "direct_read", "map_read", "held_map_read", "sendfile",      "write",
    "append", "direct_write",  "map_write",   "truncate", "truncate_path", "truncate_open", "punch",
    "zero",   "allocate",      "collapse",    "insert",   "copy",          "seek",          "sync",
    "advise", "close_writers", "close",       "replace"};

/// How often each is drawn. A file with a long history of changes is not cached any more, nor is one that
/// somebody has open for writing: therefore it is often replaced and closed.
constexpr std::array<int, kKinds> kWeights = {8, 1, 4, 5, 6, 3, 6, 3, 3, 5, 2, 2, 1,
                                              2, 2, 2, 2, 2, 3, 4, 2, 3, 9, 3, 5};

constexpr uint64_t AlignDown(uint64_t n) { return n / kPage * kPage; }
constexpr uint64_t AlignUp(uint64_t n) { return AlignDown(n + kPage - 1); }

}  // namespace

const char* NameOf(Kind kind) { return kNames[static_cast<size_t>(kind)]; }

std::optional<Kind> KindOf(const std::string& name) {
  const auto* const found = std::find(kNames.begin(), kNames.end(), name);
  if (found == kNames.end()) return std::nullopt;
  return static_cast<Kind>(found - kNames.begin());
}

std::string Operation::Text() const {
  std::ostringstream text;
  text << NameOf(kind) << ' ' << static_cast<int>(via) << ' ' << number << ' ' << offset << ' ' << length
       << ' ' << target;
  return text.str();
}

std::optional<Operation> Operation::Parse(const std::string& text) {
  std::istringstream in(text);
  std::string name;
  int via = 0;
  Operation op;
  if (!(in >> name >> via >> op.number >> op.offset >> op.length >> op.target)) return std::nullopt;
  const auto kind = KindOf(name);
  if (!kind) return std::nullopt;
  op.kind = *kind;
  op.via = static_cast<Via>(via);
  return op;
}

Plan::Plan(uint64_t seed, uint64_t size_max, std::set<Kind> without)
    : random_(seed), size_max_(size_max), without_(std::move(without)) {}

Operation Plan::Next(size_t side, uint64_t size) {
  static const int total = [] {
    int sum = 0;
    for (const int weight : kWeights) sum += weight;
    return sum;
  }();
  ++number_;
  while (true) {
    int draw = static_cast<int>(Below(static_cast<uint64_t>(total)));
    int kind = 0;
    while (draw >= kWeights[static_cast<size_t>(kind)]) draw -= kWeights[static_cast<size_t>(kind++)];
    Operation op{static_cast<Kind>(kind), Draw(), number_, Offset(size), Length(), Below(2)};
    // Only the first side replaces the file: where leases are the kernel's own, the others' changes of names
    // are noticed late (ocfs2-backend/local_lease_provider.h).
    if (op.kind == Kind::kReplace && side != 0) continue;
    if (Fit(op, size) && !without_.contains(op.kind)) return op;
  }
}

Via Plan::Draw() {
  const uint64_t draw = Below(9);
  return draw == 0 ? Via::kBoth : draw < 4 ? Via::kOneWay : Via::kAnew;
}

uint64_t Plan::Offset(uint64_t size) {
  const uint64_t anywhere = Below(size_max_);
  switch (Below(4)) {
    case 0:
      return AlignDown(anywhere);
    case 1: {  // around the end
      const uint64_t back = Below(2 * kPage);
      return std::min(size_max_ - 1, size > back ? size - back + Below(kPage) : Below(kPage));
    }
    default:
      return Below(2) == 0 || size == 0 ? anywhere : Below(size);
  }
}

uint64_t Plan::Length() {
  switch (Below(4)) {
    case 0:
      return 1 + Below(100);
    case 1:
      return kPage * (1 + Below(8));
    case 2:
      return 1 + Below(4 * kPage);
    default:
      return 1 + Below(size_max_ / 3);
  }
}

bool Plan::Fit(Operation& op, uint64_t size) {
  const auto clip = [&op](uint64_t end) {
    op.length = op.offset < end ? std::min(op.length, end - op.offset) : 0;
    return op.length > 0;
  };
  switch (op.kind) {
    case Kind::kMapRead:
    case Kind::kHeldMapRead:
    case Kind::kMapWrite:
      return clip(size);
    case Kind::kDirectRead:
    case Kind::kDirectWrite:
      op.offset = AlignDown(op.offset);
      op.length = AlignUp(op.length);
      return clip(AlignDown(size_max_));
    case Kind::kAppend:
      op.offset = size;
      return clip(size_max_);
    case Kind::kCollapse:
    case Kind::kInsert:
      op.offset = AlignDown(op.offset);
      op.length = AlignUp(op.length);
      if (op.kind == Kind::kCollapse) return op.offset + op.length < size;
      return op.offset < size && size + op.length <= size_max_;
    case Kind::kCopy:
      op.target = Below(size_max_);
      // Overlapping ranges are refused.
      return clip(std::min(size, op.target > op.offset ? op.target : size)) &&
             (op.target > op.offset || op.target + op.length <= op.offset) &&
             op.target + op.length <= size_max_;
    case Kind::kSeek:
      op.offset = Below(size);
      return size > 0;
    default:
      return clip(size_max_);
  }
}

}  // namespace ocfsgw::posixio
