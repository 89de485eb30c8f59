#include "base/path.h"

#include <fmt/format.h>

#include <filesystem>
#include <span>

#include "base/checksum.h"

namespace ocfsgw {

namespace fs = std::filesystem;

std::string CanonicalPath(const std::string& path) {
  std::error_code error;
  fs::path lexical = fs::absolute(path, error).lexically_normal();
  if (error) {
    return path;
  }
  if (!lexical.has_filename() && lexical.has_relative_path()) {
    lexical = lexical.parent_path();  // a trailing slash
  }
  fs::path canonical = fs::weakly_canonical(lexical, error);
  if (!error) {
    return canonical;
  }
  canonical = fs::weakly_canonical(lexical.parent_path(), error);
  return error ? lexical : canonical / lexical.filename();
}

bool IsInside(std::string_view path, std::string_view directory) {
  if (directory == "/") {
    return true;
  }
  return path.starts_with(directory) && (path.size() == directory.size() || path[directory.size()] == '/');
}

std::string HashedName(std::string_view text) {
  return fmt::format("{:016x}", Xxh3(std::as_bytes(std::span(text))));
}

}  // namespace ocfsgw
