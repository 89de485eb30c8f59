#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace ocfsgw::bench {

/// Requests for objects, which are numbered in the order of their first request.
struct Trace {
  std::string name;
  std::string format;                  ///< As in TraceFormatName.
  std::vector<uint32_t> requests;      ///< Object numbers.
  std::vector<uint64_t> object_bytes;  ///< By object number; the size at its first request.

  size_t objects() const { return object_bytes.size(); }
};

}  // namespace ocfsgw::bench
