#include "tests/posix/io/model.h"

#include <algorithm>
#include <cstdio>
#include <sstream>

namespace ocfsgw::posixio {
namespace {

constexpr size_t kShown = 16;  // bytes of a difference

std::string Hex(std::string_view bytes) {
  std::string text;
  for (const char byte : bytes.substr(0, kShown)) {
    char digits[4];
    std::snprintf(digits, sizeof digits, " %02x", static_cast<unsigned>(static_cast<unsigned char>(byte)));
    text += digits;
  }
  return text.empty() ? " nothing" : text;
}

}  // namespace

void Model::Apply(const Operation& op) {
  switch (op.kind) {
    case Kind::kWrite:
    case Kind::kAppend:
    case Kind::kDirectWrite:
    case Kind::kMapWrite:
      Replace(op.offset, Content(op.number, op.offset, op.length));
      break;
    case Kind::kTruncate:
    case Kind::kTruncatePath:
      bytes_.resize(op.offset);
      break;
    case Kind::kTruncateOpen:
      bytes_.clear();
      break;
    case Kind::kPunch:
      Clear(op.offset, op.length);
      break;
    case Kind::kZero:
      if (op.target == 0) Extend(op.offset + op.length);
      Clear(op.offset, op.length);
      break;
    case Kind::kAllocate:
      if (op.target == 0) Extend(op.offset + op.length);
      break;
    case Kind::kCollapse:
      bytes_.erase(op.offset, op.length);
      break;
    case Kind::kInsert:
      bytes_.insert(op.offset, op.length, '\0');
      break;
    case Kind::kCopy:
      Replace(op.target, bytes_.substr(op.offset, op.length));
      break;
    default:
      break;
  }
}

std::string_view Model::At(uint64_t offset, uint64_t length) const {
  return std::string_view(bytes_).substr(std::min<uint64_t>(offset, bytes_.size()), length);
}

bool Model::Zero(uint64_t from, uint64_t to) const {
  const std::string_view range = At(from, to - from);
  return std::all_of(range.begin(), range.end(), [](char byte) { return byte == '\0'; });
}

void Model::Replace(uint64_t offset, const std::string& with) {
  Extend(offset + with.size());
  bytes_.replace(offset, with.size(), with);
}

void Model::Clear(uint64_t offset, uint64_t length) {
  const uint64_t end = std::min<uint64_t>(offset + length, bytes_.size());
  if (offset < end)
    std::fill(bytes_.begin() + static_cast<ptrdiff_t>(offset), bytes_.begin() + static_cast<ptrdiff_t>(end),
              '\0');
}

void Model::Extend(uint64_t size) {
  if (bytes_.size() < size) bytes_.resize(size);
}

std::string Content(uint64_t number, uint64_t offset, uint64_t length) {
  std::string bytes(length, '\0');
  for (uint64_t i = 0; i < length; ++i) {
    const uint64_t at = offset + i;
    bytes[i] =
        static_cast<char>(at % 2 == 0 ? 1 + number % 255 : (at * 0x9E3779B97F4A7C15ULL + number) >> 56);
  }
  return bytes;
}

std::string Difference(uint64_t offset, std::string_view expected, std::string_view got) {
  if (expected == got) return {};
  const size_t common = std::min(expected.size(), got.size());
  size_t first = 0;
  while (first < common && expected[first] == got[first]) ++first;
  size_t last = common;
  while (last > first && expected[last - 1] == got[last - 1]) --last;
  std::ostringstream text;
  text << "at " << offset + first << " (0x" << std::hex << offset + first << std::dec << ") expected"
       << Hex(expected.substr(first)) << ", got" << Hex(got.substr(first)) << "; " << got.size()
       << " bytes of " << expected.size() << "; the last difference is before " << offset + last;
  return text.str();
}

}  // namespace ocfsgw::posixio
