#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

/// The small grammar of a -o list. All errors are kInvalidArgument, one line for the user.
namespace ocfsgw::fusefs {

/// The elements of `list`, unescaped; empty ones are left out. `\,` is a comma and `\\` a backslash within an
/// element, as in libfuse; `\:` stays as it is, for ParseTrees.
Result<std::vector<std::string>> SplitOptionList(std::string_view list);
/// The inverse for one element.
std::string EscapeOption(std::string_view element);

/// `text` as bytes, from `min_bytes` to `max_bytes`: a whole number, with K, M, G or T behind it for powers
/// of 1024. `name` is for the message, which gives the bounds in whole MiB and GiB.
Result<uint64_t> ParseSize(std::string_view name, std::string_view text, uint64_t min_bytes,
                           uint64_t max_bytes = UINT64_MAX);
/// `text` as a whole number in [min, max].
Result<uint64_t> ParseNumber(std::string_view name, std::string_view text, uint64_t min, uint64_t max);
/// Directories of the source as a list of absolute paths with colons in between, `\:` being a colon in one:
/// what they are below the root, "" for the root itself, without empty components. Refused: "." and "..",
/// none, more than `max`, one inside another.
Result<std::vector<std::string>> ParseTrees(std::string_view name, std::string_view text, size_t max);
/// ADDR:PORT with an IPv4 address, an IPv6 address in brackets, or localhost (which becomes 127.0.0.1).
Result<std::string> ParseListenAddress(std::string_view name, std::string_view text);

}  // namespace ocfsgw::fusefs
