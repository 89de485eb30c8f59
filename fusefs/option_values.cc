#include "fusefs/option_values.h"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <charconv>
#include <filesystem>
#include <optional>

#include "base/path.h"

namespace ocfsgw::fusefs {
namespace {

std::optional<uint64_t> WholeNumber(std::string_view text) {
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) {
    return std::nullopt;
  }
  return value;
}

/// Shift of a size suffix, 0 for anything else.
unsigned SuffixShift(char suffix) {
  switch (suffix) {
    case 'k':
    case 'K':
      return 10;
    case 'm':
    case 'M':
      return 20;
    case 'g':
    case 'G':
      return 30;
    case 't':
    case 'T':
      return 40;
    default:
      return 0;
  }
}

bool IsAddress(int family, const std::string& text) {
  in6_addr binary;  // large enough for both families
  return inet_pton(family, text.c_str(), &binary) == 1;
}

}  // namespace

Result<std::vector<std::string>> SplitOptionList(std::string_view list) {
  std::vector<std::string> elements;
  std::string element;
  for (size_t i = 0; i <= list.size(); ++i) {
    if (i == list.size() || list[i] == ',') {
      if (!element.empty()) {
        elements.push_back(std::move(element));
      }
      element.clear();
    } else if (list[i] == '\\') {
      ++i;
      if (i == list.size() || std::string_view(",\\:").find(list[i]) == std::string_view::npos) {
        return Refuse(
            fmt::format("-o {}: a backslash stands only before a comma, a colon or a backslash", list));
      }
      if (list[i] == ':') element += '\\';
      element += list[i];
    } else {
      element += list[i];
    }
  }
  return elements;
}

std::string EscapeOption(std::string_view element) {
  std::string escaped;
  for (const char c : element) {
    if (c == ',' || c == '\\') {
      escaped += '\\';
    }
    escaped += c;
  }
  return escaped;
}

Result<uint64_t> ParseSize(std::string_view name, std::string_view text, uint64_t min_bytes,
                           uint64_t max_bytes) {
  const unsigned shift = text.empty() ? 0 : SuffixShift(text.back());
  const auto number = WholeNumber(text.substr(0, text.size() - (shift != 0 ? 1 : 0)));
  if (!number || *number > (UINT64_MAX >> shift)) {
    return Refuse(fmt::format(
        "{}={}: not a size (a whole number of bytes, or one with K, M, G or T behind it)", name, text));
  }
  const uint64_t bytes = *number << shift;
  if (bytes < min_bytes) {
    return Refuse(fmt::format("{}={}: too small, the least is {}M", name, text, min_bytes >> 20));
  }
  if (bytes > max_bytes) {
    return Refuse(fmt::format("{}={}: too large, the most is {}G", name, text, max_bytes >> 30));
  }
  return bytes;
}

Result<uint64_t> ParseNumber(std::string_view name, std::string_view text, uint64_t min, uint64_t max) {
  const auto number = WholeNumber(text);
  if (!number || *number < min || *number > max) {
    return Refuse(fmt::format("{}={}: not a whole number from {} to {}", name, text, min, max));
  }
  return *number;
}

Result<std::vector<std::string>> ParseTrees(std::string_view name, std::string_view text, size_t max) {
  std::vector<std::string> paths(1);
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == ':') {
      paths.emplace_back();
    } else {
      if (text.substr(i).starts_with("\\:")) ++i;
      paths.back() += text[i];
    }
  }
  std::vector<std::string> trees;
  for (const std::string& path : paths) {
    std::string tree;
    for (const auto& part : std::filesystem::path(path).relative_path()) {
      if (part == "." || part == "..") {
        return Refuse(fmt::format("{}={}: '{}' must not be in it", name, text, part.string()));
      }
      if (!part.empty()) tree += (tree.empty() ? "" : "/") + part.string();
    }
    if (!path.starts_with('/')) {
      return Refuse(
          fmt::format("{}={}: '{}' does not begin with a slash: paths are those of SOURCE, which is /", name,
                      text, path));
    }
    for (const std::string& other : trees) {
      if (IsInside("/" + tree, "/" + other) || IsInside("/" + other, "/" + tree)) {
        return Refuse(fmt::format("{}={}: /{} and /{} are within one another: give the outer one", name, text,
                                  other, tree));
      }
    }
    trees.push_back(std::move(tree));
  }
  if (trees.size() > max) return Refuse(fmt::format("{}={}: more than {} trees", name, text, max));
  return trees;
}

Result<std::string> ParseListenAddress(std::string_view name, std::string_view text) {
  const size_t colon = text.rfind(':');
  std::string host(text.substr(0, colon));
  if (host == "localhost") {
    host = "127.0.0.1";
  }
  const bool bracketed = host.size() > 2 && host.front() == '[' && host.back() == ']';
  const bool known =
      bracketed ? IsAddress(AF_INET6, host.substr(1, host.size() - 2)) : IsAddress(AF_INET, host);
  if (colon == std::string_view::npos || !known) {
    return Refuse(
        fmt::format("{}={}: not ADDR:PORT with an IPv4 address, an [IPv6] address or localhost", name, text));
  }
  const auto port = WholeNumber(text.substr(colon + 1));
  if (!port || *port < 1 || *port > 65535) {
    return Refuse(fmt::format("{}={}: the port is not a whole number from 1 to 65535", name, text));
  }
  return fmt::format("{}:{}", host, *port);
}

}  // namespace ocfsgw::fusefs
