#pragma once

#include <chrono>
#include <nlohmann/json.hpp>
#include <string>

#include "base/status.h"

namespace ocfsgw::ctl {

/// Has the gateway of `path` seal or unseal the tree there; `command` is the one or the other. Returns when
/// it has: {"inodes":N,"already":BOOL}. `mountpoint`: of that gateway, may be empty. `patience`: how long it
/// may make no progress. kInvalidArgument: `path` cannot be meant; kNotFound, kUnavailable: no gateway;
/// kSystem: the gateway could not do it. The messages are for the user.
Result<nlohmann::json> SealTree(const std::string& command, const std::string& mountpoint,
                                const std::string& path, std::chrono::milliseconds patience);

/// One line for people.
std::string SealText(const std::string& command, const std::string& path, const nlohmann::json& result);

}  // namespace ocfsgw::ctl
