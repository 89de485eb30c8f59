#include "bench/workloads/files.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>

namespace ocfsgw::bench {
namespace {

constexpr uint64_t kPieceBytes = 64 * 1024;

}  // namespace

Status MakeDirectories(Operations& ops, const std::string& path) {
  for (size_t end = path.find('/');; end = path.find('/', end + 1)) {
    const Status status = ops.MakeDirectory(path.substr(0, end));
    if (!status.ok() && !status.IsErrno(EEXIST)) return status;
    if (end == std::string::npos) return Status::Ok();
  }
}

Status MakeFile(Operations& ops, const std::string& path, ContentKey key, uint64_t bytes) {
  if (const size_t slash = path.rfind('/'); slash != std::string::npos) {
    OCFSGW_RETURN_IF_ERROR(MakeDirectories(ops, path.substr(0, slash)));
  }
  OCFSGW_ASSIGN_OR_RETURN(OpenedFile file, ops.Open(path, O_WRONLY | O_CREAT | O_EXCL));
  std::vector<std::byte> piece(std::min(bytes, kPieceBytes));
  for (uint64_t at = 0; at < bytes; at += piece.size()) {
    piece.resize(std::min(bytes - at, kPieceBytes));
    FillContent(key, at, piece);
    OCFSGW_RETURN_IF_ERROR(ops.Write(file, at, piece));
  }
  return ops.Close(std::move(file));
}

Status MakeSite(Operations& ops, uint64_t seed, const std::vector<SiteFile>& files) {
  for (const SiteFile& file : files) {
    OCFSGW_RETURN_IF_ERROR(MakeFile(ops, file.path, KeyFor(seed, file.path), file.bytes));
  }
  return Status::Ok();
}

Status ReadWhole(Operations& ops, const std::string& path, ContentKey key, uint64_t bytes) {
  OCFSGW_ASSIGN_OR_RETURN(OpenedFile file, ops.Open(path, O_RDONLY));
  std::vector<std::byte> piece(std::min(bytes + 1, kPieceBytes));  // one more: is that the end?
  for (uint64_t at = 0;;) {
    OCFSGW_ASSIGN_OR_RETURN(const size_t got, ops.Read(file, at, piece));
    OCFSGW_RETURN_IF_ERROR(CheckContent(ops, path, key, at, std::span(piece).first(got)));
    at += got;
    if (at > bytes || (got < piece.size() && at != bytes)) {
      return ops.Wrong(path, fmt::format("ends after {} bytes or more, not {}", at, bytes));
    }
    if (got < piece.size()) break;
  }
  return ops.Close(std::move(file));
}

Status CheckContent(const Operations& ops, const std::string& path, ContentKey key, uint64_t offset,
                    std::span<const std::byte> bytes) {
  const auto wrong = FirstWrongByte(key, offset, bytes);
  return wrong ? ops.Wrong(path, fmt::format("wrong byte at {}", *wrong)) : Status::Ok();
}

Status ReadPart(Operations& ops, const OpenedFile& file, ContentKey key, uint64_t offset, uint64_t bytes) {
  std::vector<std::byte> into(bytes);
  OCFSGW_ASSIGN_OR_RETURN(const size_t got, ops.Read(file, offset, into));
  OCFSGW_RETURN_IF_ERROR(CheckContent(ops, file.path(), key, offset, std::span(into).first(got)));
  if (got == bytes) return Status::Ok();
  return ops.Wrong(file.path(), fmt::format("ends at {}, not at {} or later", offset + got, offset + bytes));
}

Status StatEachComponent(Operations& ops, const SiteFile& file) {
  for (size_t end = file.path.find('/'); end != std::string::npos; end = file.path.find('/', end + 1)) {
    OCFSGW_RETURN_IF_ERROR(ops.Stat(file.path.substr(0, end)));
  }
  return ops.Stat(file.path, file.bytes);
}

}  // namespace ocfsgw::bench
