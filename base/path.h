#pragma once

#include <string>
#include <string_view>

namespace ocfsgw {

/// `path` made absolute, without symlinks, "." and "..", as far as it exists. The last component may be a
/// mount point whose daemon is dead. Blocks as lstat(2) does.
std::string CanonicalPath(const std::string& path);

/// Whether `path` is `directory` or below it. REQUIRES: both are canonical.
bool IsInside(std::string_view path, std::string_view directory);

/// XXH3 of `text` as 16 hex digits: a file name for something whose own name is a path.
std::string HashedName(std::string_view text);

}  // namespace ocfsgw
