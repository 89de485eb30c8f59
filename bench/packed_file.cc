#include "bench/packed_file.h"

#include <archive.h>
#include <archive_entry.h>
#include <fmt/format.h>

#include <cerrno>
#include <filesystem>
#include <memory>
#include <vector>

namespace ocfsgw::bench {
namespace {

constexpr size_t kPieceBytes = 256 * 1024;

struct Close {
  void operator()(archive* a) const { archive_read_free(a); }
};
using Archive = std::unique_ptr<archive, Close>;

Status Unreadable(const std::string& path, archive* from) {
  const char* const why = archive_error_string(from);
  return {StatusCode::kCorrupt, fmt::format("{}: {}", path, why == nullptr ? "cannot be read" : why)};
}

/// A file as libarchive sees it: unpacked if need be, its content taken as it is.
Result<Archive> Open(const std::string& path) {
  std::error_code error;
  const auto status = std::filesystem::status(path, error);
  if (error) return Status::FromErrno(error.value(), path);
  if (std::filesystem::is_directory(status)) return Status::FromErrno(EISDIR, path);
  Archive from(archive_read_new());
  archive_read_support_filter_gzip(from.get());
  archive_read_support_filter_xz(from.get());
  archive_read_support_filter_zstd(from.get());
  archive_read_support_format_raw(from.get());
  archive_read_support_format_empty(from.get());
  if (archive_read_open_filename(from.get(), path.c_str(), kPieceBytes) != ARCHIVE_OK) {
    return Unreadable(path, from.get());
  }
  archive_entry* entry = nullptr;
  const int result = archive_read_next_header(from.get(), &entry);
  if (result == ARCHIVE_EOF) return Status(StatusCode::kInvalidArgument, path + ": no requests");
  if (result != ARCHIVE_OK) return Unreadable(path, from.get());
  return from;
}

/// Fills `buffer` unless the data end before; an empty view at their end.
Result<std::string_view> Read(archive* from, const std::string& path, std::vector<char>& buffer) {
  size_t filled = 0;
  while (filled < buffer.size()) {
    const la_ssize_t got = archive_read_data(from, buffer.data() + filled, buffer.size() - filled);
    if (got < 0) return Unreadable(path, from);
    if (got == 0) break;
    filled += static_cast<size_t>(got);
  }
  return std::string_view(buffer.data(), filled);
}

}  // namespace

Status ReadPackedFile(const std::string& path, const std::atomic<bool>& stop,
                      const std::function<Status(std::string_view)>& take) {
  OCFSGW_ASSIGN_OR_RETURN(const Archive from, Open(path));
  std::vector<char> buffer(kPieceBytes);
  for (;;) {
    if (stop) return Status(StatusCode::kShutdown, path + ": interrupted");
    OCFSGW_ASSIGN_OR_RETURN(const std::string_view piece, Read(from.get(), path, buffer));
    if (piece.empty()) return Status::Ok();
    if (const Status status = take(piece); !status.ok()) {
      return Status(status.code(), path + ": " + status.ToString());
    }
  }
}

}  // namespace ocfsgw::bench
