#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "tests/posix/io/operation.h"

namespace ocfsgw::posixio {

/// What the file must contain. Not thread-safe.
class Model {
 public:
  /// What an operation that succeeded has changed.
  void Apply(const Operation& op);
  uint64_t size() const { return bytes_.size(); }
  /// As a read of the file: shorter at its end.
  std::string_view At(uint64_t offset, uint64_t length) const;
  /// Whether there is nothing but zeros in [from, to).
  bool Zero(uint64_t from, uint64_t to) const;

 private:
  void Replace(uint64_t offset, const std::string& with);
  void Clear(uint64_t offset, uint64_t length);
  void Extend(uint64_t size);

  std::string bytes_;
};

/// What operation `number` writes at `offset`: every second byte is 1 + number % 255, so that what is found
/// tells who wrote it; the others depend on the place, too.
std::string Content(uint64_t number, uint64_t offset, uint64_t length);

/// The first difference in words, empty if there is none. `offset`: of both in the file.
std::string Difference(uint64_t offset, std::string_view expected, std::string_view got);

}  // namespace ocfsgw::posixio
