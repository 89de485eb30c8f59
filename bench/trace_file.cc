#include "bench/trace_file.h"

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

Result<Trace> ReadTraceFile(const std::string& path, std::optional<TraceFormat> format,
                            const std::atomic<bool>& stop) {
  OCFSGW_ASSIGN_OR_RETURN(const Archive from, Open(path));
  std::vector<char> buffer(kPieceBytes);
  std::optional<TraceParser> parser;
  const auto named = [&](const Status& status) {
    return Status(status.code(), path + ": " + status.ToString());
  };
  for (;;) {
    if (stop) return Status(StatusCode::kShutdown, path + ": interrupted");
    OCFSGW_ASSIGN_OR_RETURN(const std::string_view piece, Read(from.get(), path, buffer));
    if (!parser) parser.emplace(format.value_or(GuessTraceFormat(piece.substr(0, 4096))));
    if (piece.empty()) break;
    if (const Status status = parser->Feed(piece); !status.ok()) return named(status);
  }
  Result<Trace> trace = parser->Finish();
  if (!trace.ok()) return named(trace.status());
  trace->name = std::filesystem::path(path).filename().string();
  return trace;
}

}  // namespace ocfsgw::bench
