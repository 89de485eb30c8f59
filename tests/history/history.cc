#include "tests/history/history.h"

#include <algorithm>
#include <charconv>
#include <istream>
#include <string_view>

namespace ocfsgw::history {
namespace {

constexpr std::string_view kKinds = "wrlf";  // in the order of Operation::Kind

/// Takes the next word off the line; empty at its end.
std::string_view Word(std::string_view& line) {
  line.remove_prefix(std::min(line.find_first_not_of(' '), line.size()));
  const std::string_view word = line.substr(0, line.find(' '));
  line.remove_prefix(word.size());
  return word;
}

template <typename Number>
bool ToNumber(std::string_view word, Number& number) {
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), number);
  return error == std::errc() && end == word.data() + word.size();
}

bool ParseLine(std::string_view line, Operation& operation) {
  if (!ToNumber(Word(line), operation.process) || !ToNumber(Word(line), operation.place) ||
      !ToNumber(Word(line), operation.start)) {
    return false;
  }
  const std::string_view end = Word(line);
  operation.end = kNever;
  if (end != "-" && !ToNumber(end, operation.end)) return false;
  const std::string_view kind = Word(line);
  if (kind.size() != 1 || kKinds.find(kind) == kKinds.npos) return false;
  operation.kind = static_cast<Operation::Kind>(kKinds.find(kind));
  operation.object = Word(line);
  for (std::string_view value = Word(line); !value.empty(); value = Word(line)) {
    operation.values.emplace_back(value);
  }
  const bool valued = !operation.values.empty() || operation.kind == Operation::Kind::kList;
  return !operation.object.empty() && valued && operation.start <= operation.end;
}

}  // namespace

std::string Format(const Operation& operation) {
  std::string line = std::to_string(operation.process) + " " + std::to_string(operation.place) + " " +
                     std::to_string(operation.start) + " " +
                     (operation.end == kNever ? "-" : std::to_string(operation.end)) + " " +
                     kKinds[static_cast<size_t>(operation.kind)] + " " + operation.object;
  for (const auto& value : operation.values) line += " " + value;
  return line;
}

Result<std::vector<Operation>> Parse(std::istream& in) {
  std::vector<Operation> history;
  size_t number = 0;
  for (std::string line; std::getline(in, line);) {
    ++number;
    if (line.empty() || line.front() == '#') continue;
    if (!ParseLine(line, history.emplace_back())) {
      return Status(StatusCode::kInvalidArgument,
                    "line " + std::to_string(number) + " is no operation: " + line);
    }
  }
  return history;
}

}  // namespace ocfsgw::history
