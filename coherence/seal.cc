#include "coherence/seal.h"

#include <array>
#include <cinttypes>
#include <cstdio>

namespace ocfsgw::coherence {
namespace {

constexpr std::array<const char*, 3> kStates = {"sealing", "sealed", "unsealing"};

}  // namespace

StampHash Seal::Records() const { return StampHash{HashMix(id, 0x7365616c)}; }

std::string Seal::Format() const {
  std::array<char, 160> text;
  const int length = std::snprintf(
      text.data(), text.size(), "v1 %s id=%016" PRIx64 " mtime=%" PRId64 ".%09" PRIu32 " inodes=%" PRIu64,
      kStates.at(static_cast<size_t>(state)), id, root_mtime.sec, root_mtime.nsec, inodes);
  return {text.data(), static_cast<size_t>(length)};
}

Result<Seal> Seal::Parse(std::string_view text) {
  Seal seal;
  std::array<char, 16> state{};
  const std::string line(text);
  const int fields =
      std::sscanf(line.c_str(), "v1 %15s id=%" SCNx64 " mtime=%" SCNd64 ".%" SCNu32 " inodes=%" SCNu64,
                  state.data(), &seal.id, &seal.root_mtime.sec, &seal.root_mtime.nsec, &seal.inodes);
  for (size_t i = 0; fields == 5 && i < kStates.size(); ++i) {
    seal.state = static_cast<State>(i);
    if (std::string_view(state.data()) == kStates.at(i) && seal.Format() == line) return seal;
  }
  return Status(StatusCode::kCorrupt, std::string(kName) + " is not one of this version's: " + line);
}

}  // namespace ocfsgw::coherence
