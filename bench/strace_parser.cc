#include "bench/strace_parser.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

namespace ocfsgw::bench {
namespace {

constexpr std::string_view kUnfinished = "<unfinished ...>";
constexpr std::string_view kResumed = " resumed>";

/// Calls for a name: the argument with the path, and that with the directory it is relative to.
struct NameCall {
  std::string_view name;
  size_t path;
  std::optional<size_t> directory;
  bool opens;
};

constexpr NameCall kNameCalls[] = {
    {"open", 0, std::nullopt, true},
    {"creat", 0, std::nullopt, true},
    {"openat", 1, 0, true},
    {"openat2", 1, 0, true},
    {"stat", 0, std::nullopt, false},
    {"lstat", 0, std::nullopt, false},
    {"stat64", 0, std::nullopt, false},
    {"lstat64", 0, std::nullopt, false},
    {"newfstatat", 1, 0, false},
    {"fstatat64", 1, 0, false},
    {"statx", 1, 0, false},
    {"access", 0, std::nullopt, false},
    {"faccessat", 1, 0, false},
    {"faccessat2", 1, 0, false},
    {"readlink", 0, std::nullopt, false},
    {"readlinkat", 1, 0, false},
};

constexpr std::string_view kReadCalls[] = {"read", "readv", "pread64", "preadv", "preadv2"};

template <typename T, size_t n>
const T* Find(const T (&all)[n], std::string_view name) {
  const auto named = [&](const T& one) {
    if constexpr (std::is_same_v<T, NameCall>) {
      return one.name == name;
    } else {
      return one == name;
    }
  };
  const T* const it = std::find_if(std::begin(all), std::end(all), named);
  return it == std::end(all) ? nullptr : it;
}

bool IsDigit(char c) { return c >= '0' && c <= '9'; }
bool IsNameChar(char c) { return IsDigit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }

std::string_view Trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t' || text.back() == '\r')) {
    text.remove_suffix(1);
  }
  return text;
}

/// Removes the digits at the beginning; nothing if there is none, or too many.
std::optional<uint64_t> TakeNumber(std::string_view& text) {
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc()) return std::nullopt;
  text.remove_prefix(static_cast<size_t>(end - text.data()));
  return value;
}

std::string_view TakeWhile(std::string_view& text, bool (*good)(char)) {
  const auto* const end = std::find_if_not(text.begin(), text.end(), good);
  const std::string_view taken = text.substr(0, static_cast<size_t>(end - text.begin()));
  text.remove_prefix(taken.size());
  return taken;
}

/// The time in front of a call: 1700000000.123456 or 12:34:56.789; empty if there is none. Removes it.
std::string_view TakeTime(std::string_view& text) {
  if (text.empty() || !IsDigit(text.front())) return {};
  const std::string_view time = TakeWhile(text, [](char c) { return IsDigit(c) || c == '.' || c == ':'; });
  text = Trimmed(text);
  return time.find(':') == std::string_view::npos ? time : std::string_view();
}

/// `begin` is at a quote: the position behind the one that ends the string.
std::optional<size_t> EndOfString(std::string_view text, size_t begin) {
  for (size_t i = begin + 1; i < text.size(); ++i) {
    if (text[i] == '\\') {
      ++i;
    } else if (text[i] == '"') {
      return i + 1;
    }
  }
  return std::nullopt;
}

/// `text` is behind the opening parenthesis. Splits at commas outside of strings, brackets and <...>; what is
/// behind the closing parenthesis goes to `rest`. Nothing if that is missing.
std::optional<std::vector<std::string_view>> Arguments(std::string_view text, std::string_view& rest) {
  std::vector<std::string_view> arguments;
  size_t depth = 0, begin = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '"') {
      const auto end = EndOfString(text, i);
      if (!end) return std::nullopt;
      i = *end - 1;
    } else if (c == '<' && i > 0 && (IsNameChar(text[i - 1]))) {  // of a descriptor: its '>' are escaped
      const size_t end = text.find('>', i);
      if (end == std::string_view::npos) return std::nullopt;
      i = end;
    } else if (c == '(' || c == '[' || c == '{') {
      ++depth;
    } else if ((c == ')' || c == ']' || c == '}') && depth > 0) {
      --depth;
    } else if (c == ')' || (c == ',' && depth == 0)) {
      arguments.push_back(Trimmed(text.substr(begin, i - begin)));
      begin = i + 1;
      if (c == ')') {
        rest = text.substr(begin);
        return arguments;
      }
    }
  }
  return std::nullopt;
}

std::optional<unsigned> Digit(char c, unsigned base) {
  unsigned value = 16;
  if (IsDigit(c)) value = static_cast<unsigned>(c - '0');
  if (c >= 'a' && c <= 'f') value = static_cast<unsigned>(c - 'a') + 10;
  return value < base ? std::optional(value) : std::nullopt;
}

/// strace's escapes: \n and such, \ooo with up to three octal digits, \xhh (-x).
std::string Unescaped(std::string_view text) {
  constexpr std::string_view kLetters = "ntrvfab", kMeanings = "\n\t\r\v\f\a\b";
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\\' || i + 1 == text.size()) {
      out += text[i];
      continue;
    }
    const char c = text[++i];
    const bool hex = c == 'x';
    size_t at = hex ? i + 1 : i, digits = 0;
    unsigned value = 0;
    for (; at < text.size() && digits < (hex ? 2U : 3U); ++at, ++digits) {
      const auto digit = Digit(text[at], hex ? 16 : 8);
      if (!digit) break;
      value = value * (hex ? 16 : 8) + *digit;
    }
    if (digits > 0) {
      out += static_cast<char>(value);
      i = at - 1;
    } else if (const size_t letter = kLetters.find(c); letter != std::string_view::npos) {
      out += kMeanings[letter];
    } else {
      out += c;
    }
  }
  return out;
}

/// "..." as what it stands for; nothing if it is no whole string (NULL, an address, or cut off: "..."...).
std::optional<std::string> PathOf(std::string_view argument) {
  if (argument.size() < 2 || argument.front() != '"') return std::nullopt;
  if (EndOfString(argument, 0) != argument.size()) return std::nullopt;
  return Unescaped(argument.substr(1, argument.size() - 2));
}

/// The path in 3</path> or AT_FDCWD</path>; nothing if there is none, or it is a socket and the like.
std::optional<std::string> AnnotatedPath(std::string_view descriptor) {
  const size_t begin = descriptor.find('<');
  if (begin == std::string_view::npos || begin + 1 >= descriptor.size() || descriptor[begin + 1] != '/') {
    return std::nullopt;
  }
  const size_t end = descriptor.find_first_of("<>", begin + 1);  // with -yy: 3</dev/pts/0<char 136:0>>
  if (end == std::string_view::npos) return std::nullopt;
  return Unescaped(descriptor.substr(begin + 1, end - begin - 1));
}

std::string Shown(std::string_view text) {
  std::string shown;
  for (const char c : text.substr(0, 40)) shown += c >= ' ' && c <= '~' ? c : '?';
  return text.size() > 40 ? shown + "..." : shown;
}

}  // namespace

Status StraceParser::Feed(std::string_view piece) {
  while (!piece.empty()) {
    const size_t end = piece.find('\n');
    const std::string_view part = piece.substr(0, end);
    if (pending_.size() + part.size() > kLineBytesMax) {
      too_long_ = true;
      pending_.clear();
    }
    if (!too_long_) pending_ += part;
    if (end == std::string_view::npos) return Status::Ok();
    piece.remove_prefix(end + 1);
    OCFSGW_RETURN_IF_ERROR(EndLine());
  }
  return Status::Ok();
}

Status StraceParser::Finish() {
  if (!pending_.empty() || too_long_) OCFSGW_RETURN_IF_ERROR(EndLine());
  for (const auto& [pid, call] : unfinished_) Malformed(call.line, "a call that is not resumed");
  unfinished_.clear();
  return Status::Ok();
}

Status StraceParser::EndLine() {
  ++counts_.lines;
  const std::string line = std::move(pending_);
  pending_.clear();
  if (std::exchange(too_long_, false)) {
    Malformed(counts_.lines, fmt::format("longer than {} bytes", kLineBytesMax));
    return Status::Ok();
  }
  return Line(Trimmed(line));
}

Status StraceParser::Line(std::string_view line) {
  const std::string_view whole = line;
  if (line.empty()) return Status::Ok();
  uint64_t pid = 0;
  const bool bracketed = line.starts_with("[pid ");
  if (bracketed) line = Trimmed(line.substr(5));
  // A number is a process id if no '.' or ':' makes it a time.
  std::string_view behind = line;
  if (const auto number = TakeNumber(behind)) {
    if (bracketed && !behind.empty() && behind.front() == ']') {
      pid = *number;
      line = Trimmed(behind.substr(1));
    } else if (!bracketed && !behind.empty() && behind.front() == ' ') {
      pid = *number;
      line = Trimmed(behind);
    }
  }
  const std::string_view time = TakeTime(line);
  if (line.starts_with("--- ") || line.starts_with("+++ ")) return Status::Ok();
  if (line.starts_with("<... ")) {
    const size_t resumed = line.find(kResumed);
    const auto begun = unfinished_.find(pid);
    if (resumed == std::string_view::npos || begun == unfinished_.end()) {
      Malformed(counts_.lines, fmt::format("resumes no call: '{}'", Shown(whole)));
      return Status::Ok();
    }
    const Unfinished call = std::move(begun->second);
    unfinished_.erase(begun);
    return Call(pid, call.time, call.text + std::string(line.substr(resumed + kResumed.size())));
  }
  if (line.ends_with(kUnfinished)) {
    if (const auto old = unfinished_.find(pid); old != unfinished_.end()) {
      Malformed(old->second.line, "a call that is not resumed");
    } else if (unfinished_.size() >= kCallsMax) {
      Malformed(unfinished_.begin()->second.line, "a call that is not resumed for long");
      unfinished_.erase(unfinished_.begin());
    }
    line.remove_suffix(kUnfinished.size());
    unfinished_[pid] = {std::string(line), std::string(time), counts_.lines};
    return Status::Ok();
  }
  return Call(pid, time, line);
}

Status StraceParser::Call(uint64_t pid, std::string_view time, std::string_view call) {
  std::string_view text = call;
  const std::string_view name = TakeWhile(text, IsNameChar);
  if (name.empty() || text.empty() || text.front() != '(') {
    Malformed(counts_.lines, fmt::format("no system call: '{}'", Shown(call)));
    return Status::Ok();
  }
  const NameCall* const for_name = Find(kNameCalls, name);
  const bool reads = Find(kReadCalls, name) != nullptr;
  if (for_name == nullptr && !reads && name != "lseek" && name != "close") return Status::Ok();
  std::string_view result;
  const auto arguments = Arguments(text.substr(1), result);
  result = Trimmed(result);
  if (!arguments || !result.starts_with("= ")) {
    Malformed(counts_.lines, fmt::format("a call without its end: '{}'", Shown(call)));
    return Status::Ok();
  }
  result.remove_prefix(2);
  std::string_view behind = result;
  const auto value = TakeNumber(behind);  // none: it failed
  if (for_name != nullptr) {
    if (arguments->size() <= for_name->path) {
      Malformed(counts_.lines, fmt::format("too few arguments: '{}'", Shown(call)));
      return Status::Ok();
    }
    auto path = PathOf((*arguments)[for_name->path]);
    if (!path || path->empty()) return Status::Ok();  // NULL, an address, or AT_EMPTY_PATH
    if (path->front() != '/' && for_name->directory) {
      if (const auto directory = AnnotatedPath((*arguments)[*for_name->directory])) {
        *path = (*directory == "/" ? "" : *directory) + "/" + *path;
      }
    }
    if (for_name->opens && value) OCFSGW_RETURN_IF_ERROR(Opened(pid, *path, result));
    return Name(time, *path);
  }
  if (!value) return Status::Ok();
  std::string_view descriptor = arguments->front();
  if (name == "close") {
    if (const auto fd = TakeNumber(descriptor)) files_.erase({pid, *fd});
    return Status::Ok();
  }
  if (name == "lseek") {
    if (File* const file = FileOf(pid, descriptor)) file->position = *value;
    return Status::Ok();
  }
  return Read(pid, time, name, *arguments, *value);
}

Status StraceParser::Opened(uint64_t pid, std::string_view path, std::string_view result) {
  const auto annotated = AnnotatedPath(result);
  const auto fd = TakeNumber(result);
  if (!fd) return Status::Ok();
  if (files_.size() >= kFilesMax) files_.erase(files_.begin());
  files_[{pid, *fd}] = {annotated.value_or(std::string(path)), 0};
  return Status::Ok();
}

StraceParser::File* StraceParser::FileOf(uint64_t pid, std::string_view descriptor) {
  const auto annotated = AnnotatedPath(descriptor);
  const bool has_note = descriptor.find('<') != std::string_view::npos;
  const auto fd = TakeNumber(descriptor);
  if (!fd || (has_note && !annotated)) return nullptr;  // a pipe, a socket
  const auto it = files_.find({pid, *fd});
  if (it != files_.end() && (!annotated || it->second.path == *annotated)) return &it->second;
  if (!annotated) return nullptr;
  if (files_.size() >= kFilesMax) files_.erase(files_.begin());
  File& file = files_[{pid, *fd}];
  file = {*annotated, 0};
  return &file;
}

Status StraceParser::Read(uint64_t pid, std::string_view time, std::string_view name,
                          const std::vector<std::string_view>& arguments, uint64_t got) {
  if (got == 0) return Status::Ok();
  File* const file = FileOf(pid, arguments.front());
  if (file == nullptr) {
    ++counts_.unknown;
    return Status::Ok();
  }
  StraceRequest request{StraceRequest::Kind::kRead, time, file->path, file->position, got};
  if (name.starts_with('p')) {  // pread64(fd, buffer, count, offset), preadv(fd, iov, count, offset, ...)
    std::string_view text = arguments.size() > 3 ? arguments[3] : std::string_view();
    const auto offset = TakeNumber(text);
    if (!offset || !text.empty() || *offset > INT64_MAX) {
      Malformed(counts_.lines, fmt::format("{} without an offset", name));
      return Status::Ok();
    }
    request.offset = *offset;
  }
  if (got > INT64_MAX - std::min<uint64_t>(request.offset, INT64_MAX)) {
    Malformed(counts_.lines, "a read beyond 63 bits");
    return Status::Ok();
  }
  if (!name.starts_with('p')) file->position += got;
  ++counts_.reads;
  return sink_(request);
}

Status StraceParser::Name(std::string_view time, std::string_view path) {
  ++counts_.names;
  return sink_({StraceRequest::Kind::kName, time, path, 0, 0});
}

void StraceParser::Malformed(uint64_t line, const std::string& why) {
  ++counts_.malformed;
  if (counts_.first_malformed.size() < kMalformedShown) {
    counts_.first_malformed.push_back(fmt::format("line {}: {}", line, why));
  }
}

}  // namespace ocfsgw::bench
