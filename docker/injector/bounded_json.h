#pragma once

#include <string_view>

#include "base/status.h"
#include "docker/injector/json_view.h"

namespace ocfsgw::injector {

/// What a document may have; a pod of the largest size that the API server takes stays far below both.
inline constexpr size_t kJsonDepthMax = 100;
inline constexpr size_t kJsonValuesMax = 200'000;

/// `text` as JSON in UTF-8. kInvalidArgument, one line: it is none, or is beyond the bounds, which are
/// checked before anything is built, so that a document takes memory in proportion to its size.
Result<Json> ParseBounded(std::string_view text);

}  // namespace ocfsgw::injector
