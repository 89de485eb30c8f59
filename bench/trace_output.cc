#include "bench/trace_output.h"

#include <iostream>

namespace ocfsgw::bench {

TraceOutput::TraceOutput(const std::string& path) : path_(path) {
  if (!path.empty()) file_.open(path, std::ios::binary | std::ios::trunc);
}

Status TraceOutput::Flush(std::string& text) {
  std::ostream& to = path_.empty() ? std::cout : file_;
  to << text << std::flush;
  text.clear();
  return to ? Status::Ok() : Status::LastErrno(path_.empty() ? "standard output" : path_);
}

}  // namespace ocfsgw::bench
