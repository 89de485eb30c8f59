#include "ocfs2-backend/range_table.h"

#include <algorithm>

#include "base/checksum.h"

namespace ocfsgw::ocfs2 {
namespace {

constexpr uint32_t kMagic = 0x6b4c4252;  // "RBLk"
constexpr uint16_t kFormat = 1;

// Offsets in the header.
constexpr size_t kFormatAt = 4, kCountAt = 8, kSequenceAt = 16, kChecksumAt = 24;

template <typename T>
void Put(std::vector<std::byte>& bytes, size_t at, T value) {
  for (size_t i = 0; i < sizeof(T); ++i) bytes[at + i] = static_cast<std::byte>(uint64_t{value} >> (8 * i));
}

template <typename T>
T Get(std::span<const std::byte> bytes, size_t at) {
  uint64_t value = 0;
  for (size_t i = 0; i < sizeof(T); ++i) value |= std::to_integer<uint64_t>(bytes[at + i]) << (8 * i);
  return static_cast<T>(value);
}

uint64_t Checksum(std::span<const std::byte> bytes) {
  return Xxh3(bytes.subspan(kTableHeaderBytes), Xxh3(bytes.first(kChecksumAt)));
}

bool Touch(const RangeLock& a, const RangeLock& b) { return a.first <= b.last + 1 && b.first <= a.last + 1; }

Status Corrupt() { return {StatusCode::kCorrupt, "not a table of byte-range locks"}; }

}  // namespace

const RangeLock* RangeTable::Conflict(const RangeLock& wanted) const {
  const RangeLock* found = nullptr;
  for (const RangeLock& lock : locks_) {
    if (!lock.Overlaps(wanted) || lock.SameOwner(wanted) || !(lock.exclusive || wanted.exclusive)) continue;
    if (found == nullptr || lock.first < found->first) found = &lock;
  }
  return found;
}

bool RangeTable::Has(const RangeLock& wanted) const {
  return std::any_of(locks_.begin(), locks_.end(), [&wanted](const RangeLock& lock) {
    return lock.SameOwner(wanted) && lock.handle == wanted.handle && lock.exclusive == wanted.exclusive &&
           lock.first <= wanted.first && wanted.last <= lock.last;
  });
}

bool RangeTable::HasAny(const RangeLock& range) const {
  return std::any_of(locks_.begin(), locks_.end(), [&range](const RangeLock& lock) {
    return lock.SameOwner(range) && lock.Overlaps(range);
  });
}

void RangeTable::Set(const RangeLock& lock) {
  Unset(lock);
  RangeLock merged = lock;
  const auto joins = [&lock, &merged](const RangeLock& other) {
    if (!other.SameOwner(lock) || other.handle != lock.handle || other.exclusive != lock.exclusive ||
        !Touch(other, lock)) {
      return false;
    }
    merged.first = std::min(merged.first, other.first);
    merged.last = std::max(merged.last, other.last);
    return true;
  };
  std::erase_if(locks_, joins);
  locks_.push_back(merged);
}

void RangeTable::Unset(const RangeLock& range) {
  std::vector<RangeLock> rest;
  std::erase_if(locks_, [&range, &rest](const RangeLock& lock) {
    if (!lock.SameOwner(range) || !lock.Overlaps(range)) return false;
    if (lock.first < range.first) {
      rest.push_back(lock);
      rest.back().last = range.first - 1;
    }
    if (lock.last > range.last) {
      rest.push_back(lock);
      rest.back().first = range.last + 1;
    }
    return true;
  });
  Add(rest);
}

size_t RangeTable::Remove(const std::function<bool(const RangeLock&)>& which) {
  return std::erase_if(locks_, which);
}

std::vector<std::byte> EncodeTable(std::span<const RangeLock> locks, uint64_t sequence) {
  std::vector<std::byte> bytes(kTableHeaderBytes + locks.size() * kTableLockBytes);
  Put(bytes, 0, kMagic);
  Put(bytes, kFormatAt, kFormat);
  Put(bytes, kCountAt, static_cast<uint32_t>(locks.size()));
  Put(bytes, kSequenceAt, sequence);
  size_t at = kTableHeaderBytes;
  for (const RangeLock& lock : locks) {
    Put(bytes, at, lock.inode.ino);
    Put(bytes, at + 8, lock.instance);
    Put(bytes, at + 16, lock.owner);
    Put(bytes, at + 24, lock.handle);
    Put(bytes, at + 32, lock.first);
    Put(bytes, at + 40, lock.last);
    Put(bytes, at + 48, lock.inode.generation);
    Put(bytes, at + 52, lock.pid);
    Put(bytes, at + 56, uint8_t{lock.exclusive});
    at += kTableLockBytes;
  }
  Put(bytes, kChecksumAt, Checksum(bytes));
  return bytes;
}

size_t EncodedTableBytes(std::span<const std::byte> header) {
  if (header.size() < kTableHeaderBytes || Get<uint32_t>(header, 0) != kMagic) return 0;
  const uint32_t count = Get<uint32_t>(header, kCountAt);
  return count > kTableLocksMax ? 0 : kTableHeaderBytes + count * kTableLockBytes;
}

Result<StoredTable> DecodeTable(std::span<const std::byte> bytes) {
  StoredTable table;
  if (std::all_of(bytes.begin(), bytes.end(), [](std::byte byte) { return byte == std::byte{0}; })) {
    return table;
  }
  if (bytes.size() < kTableHeaderBytes || Get<uint32_t>(bytes, 0) != kMagic) return Corrupt();
  if (Get<uint16_t>(bytes, kFormatAt) > kFormat) {
    return Status(StatusCode::kUnsupported, "byte-range locks of a later format");
  }
  const size_t size = Get<uint16_t>(bytes, kFormatAt) == kFormat ? EncodedTableBytes(bytes) : 0;
  if (size == 0 || size > bytes.size()) return Corrupt();
  bytes = bytes.first(size);
  if (Get<uint64_t>(bytes, kChecksumAt) != Checksum(bytes)) return Corrupt();
  table.sequence = Get<uint64_t>(bytes, kSequenceAt);
  for (size_t at = kTableHeaderBytes; at < bytes.size(); at += kTableLockBytes) {
    RangeLock lock;
    lock.inode = {Get<uint64_t>(bytes, at), Get<uint32_t>(bytes, at + 48)};
    lock.instance = Get<uint64_t>(bytes, at + 8);
    lock.owner = Get<uint64_t>(bytes, at + 16);
    lock.handle = Get<uint64_t>(bytes, at + 24);
    lock.first = Get<uint64_t>(bytes, at + 32);
    lock.last = Get<uint64_t>(bytes, at + 40);
    lock.pid = Get<uint32_t>(bytes, at + 52);
    lock.exclusive = Get<uint8_t>(bytes, at + 56) != 0;
    table.locks.push_back(lock);
  }
  return table;
}

Result<StoredTable> NewestTable(std::span<const std::byte> even, std::span<const std::byte> odd) {
  auto newest = DecodeTable(even);
  auto other = DecodeTable(odd);
  for (const auto* table : {&newest, &other}) {
    if (table->status().Is(StatusCode::kUnsupported)) return table->status();
  }
  if (newest.ok() && newest->sequence % 2 != 0) newest = Corrupt();
  if (other.ok() && other->sequence % 2 == 0 && other->sequence != 0) other = Corrupt();
  if (!newest.ok() || (other.ok() && other->sequence > newest->sequence)) return other;
  return newest;
}

}  // namespace ocfsgw::ocfs2
