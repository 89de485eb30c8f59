#pragma once

#include <cstdint>
#include <string>

namespace ocfsgw::posixdiff {

class Actor;
class Maker;
struct Step;

/// A system call that a sequence can contain.
struct Call {
  const char* name;
  /// How a step is printed, a letter for each argument: p path, q second path, t text, f and g descriptor
  /// slots, a b c numbers, x y z the same in hexadecimal, m the number b as octal mode, o the number a as
  /// flags of open(2).
  const char* arguments;
  int weight;  ///< How often, compared with the others.
  void (*make)(Maker&, Step&);
  /// What the program would see of it, as one line of text; equal on both file systems or there is a
  /// deviation.
  std::string (*run)(Actor&, const Step&);
};

/// One call of a sequence, with arguments that depend on the seed only, not on what earlier steps returned.
struct Step {
  const Call* call = nullptr;
  int actor = 0;
  int fd = 0;
  int fd2 = 0;
  std::string path;
  std::string path2;
  std::string text;
  int64_t a = 0;
  int64_t b = 0;
  int64_t c = 0;

  bool Is(const char* name) const;
  bool Has(char argument) const;
  /// As in C, with names of bytes that cannot be printed escaped.
  std::string Text() const;
};

/// Printable, and short: long strings are cut.
std::string Quote(const std::string& text);

}  // namespace ocfsgw::posixdiff
