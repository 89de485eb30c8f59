#include "bench/recording.h"

#include <fmt/format.h>

#include <array>
#include <iterator>
#include <span>
#include <utility>

#include "base/checksum.h"

namespace ocfsgw::bench {
namespace {

constexpr uint64_t kNanosecondsPerMicrosecond = 1000;
constexpr uint64_t kMicrosecondsPerSecond = 1'000'000;

Status NoRecording() {
  return {StatusCode::kCorrupt, "what the gateway says is not a recording that this program knows"};
}

}  // namespace

Recording::Recording(std::string& out) : out_(out) { out_ += "time,id,size,dropped_before\n"; }

Status Recording::Take(const nlohmann::json& line) {
  const auto requests = line.find("requests");
  const auto dropped = line.find("dropped");
  if (requests == line.end() || !requests->is_array() || dropped == line.end() ||
      !dropped->is_number_unsigned()) {
    return NoRecording();
  }
  for (const nlohmann::json& request : *requests) {
    std::array<uint64_t, 5> numbers{};
    if (!request.is_array() || request.size() != numbers.size()) return NoRecording();
    for (size_t i = 0; i < numbers.size(); ++i) {
      if (!request[i].is_number_unsigned()) return NoRecording();
      numbers[i] = request[i].get<uint64_t>();
    }
    const auto [nanoseconds, ino, generation, block, bytes] = numbers;
    const uint64_t us = nanoseconds / kNanosecondsPerMicrosecond;
    const std::string id = fmt::format("{}.{}#{}", ino, generation, block);
    fmt::format_to(std::back_inserter(out_), "{}.{:06},{},{},{}\n", us / kMicrosecondsPerSecond,
                   us % kMicrosecondsPerSecond, id, bytes, std::exchange(dropped_before_next_, 0));
    objects_.insert(Xxh3(std::as_bytes(std::span(id))));
    ++requests_;
    bytes_ += bytes;
  }
  dropped_before_next_ += dropped->get<uint64_t>();
  dropped_ += dropped->get<uint64_t>();
  return Status::Ok();
}

}  // namespace ocfsgw::bench
