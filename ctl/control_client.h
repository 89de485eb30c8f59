#pragma once

#include <chrono>
#include <nlohmann/json.hpp>
#include <string>

#include "base/status.h"

namespace ocfsgw::ctl {

/// Sends one request to the gateway behind `socket_path` and returns its "result". Blocks for `timeout` at
/// most. kUnavailable: no gateway answers there; kInvalidArgument: it answered with an error, whose text is
/// the message.
Result<nlohmann::json> CallGateway(const std::string& socket_path, const nlohmann::json& request,
                                   std::chrono::milliseconds timeout);

}  // namespace ocfsgw::ctl
