#include "tests/posix/differential/step.h"

#include <fcntl.h>

#include <cstdio>
#include <cstring>
#include <string_view>

#include "tests/posix/differential/actor.h"

namespace ocfsgw::posixdiff {
namespace {

constexpr size_t kShownMax = 40;

std::string Format(const char* format, int64_t number) {
  char text[32];
  std::snprintf(text, sizeof text, format, static_cast<long long>(number));
  return text;
}

std::string OpenFlags(int64_t flags) {
  static constexpr struct {
    int64_t bits;
    const char* name;
  } kFlags[] = {{O_TMPFILE, "TMPFILE"},     {O_SYNC, "SYNC"},         {O_CREAT, "CREAT"},
                {O_EXCL, "EXCL"},           {O_TRUNC, "TRUNC"},       {O_APPEND, "APPEND"},
                {O_DSYNC, "DSYNC"},         {O_DIRECT, "DIRECT"},     {O_PATH, "PATH"},
                {O_DIRECTORY, "DIRECTORY"}, {O_NOFOLLOW, "NOFOLLOW"}, {O_NOATIME, "NOATIME"}};
  static constexpr const char* kAccess[] = {"O_RDONLY", "O_WRONLY", "O_RDWR", "O_ACCMODE"};
  std::string text = kAccess[flags & O_ACCMODE];
  for (const auto& [bits, name] : kFlags) {
    if ((flags & bits) != bits) continue;
    text += std::string("|O_") + name;
    flags &= ~bits;
  }
  return text;
}

}  // namespace

std::string Quote(const std::string& text) {
  std::string quoted = "\"";
  for (const char c : text.substr(0, kShownMax)) {
    if (c == '"' || c == '\\') {
      quoted += std::string("\\") + c;
    } else if (c >= ' ' && c <= '~') {
      quoted += c;
    } else {
      quoted += Format("\\x%02llx", static_cast<uint8_t>(c));
    }
  }
  quoted += '"';
  return text.size() > kShownMax ? quoted + "...[" + std::to_string(text.size()) + " bytes]" : quoted;
}

bool Step::Is(const char* name) const { return std::strcmp(call->name, name) == 0; }

bool Step::Has(char argument) const { return std::strchr(call->arguments, argument) != nullptr; }

std::string Step::Text() const {
  const auto one = [this](char letter) -> std::string {
    switch (letter) {
      case 'p':
        return Quote(path);
      case 'q':
        return Quote(path2);
      case 't':
        return Quote(text);
      case 'f':
        return "fd" + std::to_string(fd);
      case 'g':
        return "fd" + std::to_string(fd2);
      case 'o':
        return OpenFlags(a);
      case 'm':
        return Format("0%llo", b);
      case 'a':
      case 'b':
      case 'c':
        return Format("%lld", letter == 'a' ? a : letter == 'b' ? b : c);
      default:
        return Format("0x%llx", letter == 'x' ? a : letter == 'y' ? b : c);
    }
  };
  std::string all = std::string(kUsers[actor].name) + ": " + call->name + "(";
  for (const char* letter = call->arguments; *letter != '\0'; ++letter) {
    all += (letter == call->arguments ? "" : ", ") + one(*letter);
  }
  return all + ")";
}

}  // namespace ocfsgw::posixdiff
