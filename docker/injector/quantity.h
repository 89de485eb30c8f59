#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/status.h"

namespace ocfsgw::injector {

/// An amount as Kubernetes writes it ("100m", "1.5Gi", "2e9"), and what it comes to.
struct Quantity {
  std::string text;
  long double value = 0;  ///< Cores or bytes.

  bool zero() const { return value == 0; }
  /// Rounded down. REQUIRES: value < 2^63, which ParseQuantity sees to.
  uint64_t bytes() const { return static_cast<uint64_t>(value); }
};

/// A number, not negative and below 2^63, with one of n u m k M G T P E Ki Mi Gi Ti Pi Ei or a decimal
/// exponent behind it, as in k8s.io/apimachinery/pkg/api/resource. kInvalidArgument: anything else; `name` is
/// for the message.
Result<Quantity> ParseQuantity(std::string_view name, std::string_view text);

/// `bytes` as a quantity in MiB, rounded up.
std::string MebibytesUp(uint64_t bytes);

}  // namespace ocfsgw::injector
