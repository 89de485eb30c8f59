#include "bench/strace_import.h"

#include <fmt/format.h>

#include <span>

#include "base/checksum.h"

namespace ocfsgw::bench {
namespace {

std::string Escaped(std::string_view path) {
  std::string out;
  for (const char c : path) {
    if (c > ' ' && c <= '~' && c != ',' && c != '%') {
      out += c;
    } else {
      out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
  }
  return out;
}

uint64_t Hash(std::string_view text) { return Xxh3(std::as_bytes(std::span(text))); }

/// Digits with one point at most, as TraceParser wants them: strace's time is copied, and a trace may be made
/// up.
bool IsTime(std::string_view text) {
  const size_t point = text.find('.');
  return !text.empty() && text.find_first_not_of("0123456789.") == std::string_view::npos && point != 0 &&
         point + 1 != text.size() &&
         (point == std::string_view::npos || text.find('.', point + 1) == text.npos);
}

}  // namespace

Status StraceImport::Take(const StraceRequest& request) {
  const bool blocks = options_.objects == StraceImportOptions::Objects::kBlocks;
  if (blocks != (request.kind == StraceRequest::Kind::kRead)) return Status::Ok();
  const std::string path = Escaped(request.path);
  if (!blocks) {
    Add(request.time, path, 0);
    return Status::Ok();
  }
  const uint64_t first = request.offset / options_.block_bytes;
  const uint64_t last = (request.offset + request.bytes - 1) / options_.block_bytes;
  if (last - first >= kBlocksMax) {
    return {StatusCode::kInvalidArgument, fmt::format("a read of {} blocks", last - first + 1)};
  }
  for (uint64_t block = first; block <= last; ++block) {
    Add(request.time, fmt::format("{}#{}", path, block), options_.block_bytes);
  }
  return Status::Ok();
}

void StraceImport::Add(std::string_view time, std::string id, uint64_t bytes) {
  ++requests_;
  if (options_.format == TraceFormat::kIds) {
    out_ += fmt::format("{}\n", Hash(id));
    return;
  }
  if (id.size() > kIdBytesMax) id = fmt::format("{}", Hash(id));
  out_ += IsTime(time) ? fmt::format("{},{},{}\n", time, id, bytes)
                       : fmt::format("{},{},{}\n", requests_, id, bytes);
}

}  // namespace ocfsgw::bench
