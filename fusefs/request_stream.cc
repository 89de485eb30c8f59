#include "fusefs/request_stream.h"

#include <fmt/format.h>

#include <chrono>
#include <iterator>

namespace ocfsgw::fusefs {

Result<std::unique_ptr<ctl::ControlServer::Stream>> RequestStream::Start(
    coherence::RequestRecorder& recorder) {
  OCFSGW_RETURN_IF_ERROR(recorder.Start());
  return std::unique_ptr<Stream>(new RequestStream(recorder));
}

std::string RequestStream::Next() {
  recorder_.Take(batch_);
  if (batch_.requests.empty() && batch_.dropped == 0) return {};
  std::string line = "{\"requests\":[";
  const char* separator = "";
  for (const coherence::BlockRequest& request : batch_.requests) {
    fmt::format_to(std::back_inserter(line), "{}[{},{},{},{},{}]", separator,
                   std::chrono::nanoseconds(request.at).count(), request.inode.ino, request.inode.generation,
                   request.index.value, request.bytes);
    separator = ",";
  }
  return line + fmt::format("],\"dropped\":{}}}\n", batch_.dropped);
}

}  // namespace ocfsgw::fusefs
