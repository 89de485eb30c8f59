#include "bench/layout_stream.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "cache/page_store.h"

namespace ocfsgw::bench {
namespace {

constexpr double kExponent = 0.9;

// SURGE's parameters.
constexpr double kBodyShare = 0.93;
constexpr double kBodyMu = 9.357;
constexpr double kBodySigma = 1.318;
constexpr double kTailMin = 133'000;
constexpr double kTailAlpha = 1.1;
constexpr double kSizeMax = 64 << 20;

uint64_t DrawSize(Random& random) {
  double size;
  if (random.Share() < kBodyShare) {
    // Box and Muller's way to a normal distribution.
    const double radius = std::sqrt(-2 * std::log(1 - random.Share()));
    const double normal = radius * std::cos(2 * std::numbers::pi * random.Share());
    size = std::exp(kBodyMu + kBodySigma * normal);
  } else {
    size = kTailMin * std::pow(1 - random.Share(), -1 / kTailAlpha);
  }
  return static_cast<uint64_t>(std::clamp(size, 1.0, kSizeMax));
}

uint64_t BlocksOf(uint64_t size) { return (size + cache::kBlockBytes - 1) / cache::kBlockBytes; }

}  // namespace

LayoutStream::LayoutStream(uint64_t seed, uint64_t total_bytes) : random_(seed) {
  for (uint64_t bytes = 0; bytes < total_bytes; bytes += sizes_.back()) sizes_.push_back(DrawSize(random_));
  zipf_ = std::make_unique<Zipf>(sizes_.size(), kExponent);
  noise_.resize(2 * cache::kBlockBytes);
  FillContent(seed, 0, std::as_writable_bytes(std::span(noise_)));
}

LayoutKey LayoutStream::Next() {
  if (begun_ && current_.block + 1 < BlocksOf(sizes_[current_.file])) {
    ++current_.block;
  } else {
    current_ = {zipf_->Draw(random_), 0};
    begun_ = true;
  }
  return current_;
}

uint64_t LayoutStream::Length() const {
  return std::min(cache::kBlockBytes, sizes_[current_.file] - current_.block * cache::kBlockBytes);
}

std::shared_ptr<const std::string> LayoutStream::Content() const {
  const uint64_t begin = Mix(current_.file ^ (current_.block << 32)) % cache::kBlockBytes;
  return std::make_shared<const std::string>(noise_, begin, Length());
}

}  // namespace ocfsgw::bench
