#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

/// Looks into JSON whose shape nobody has checked: what is missing, or of another type, is empty.
namespace ocfsgw::injector {

using Json = nlohmann::json;

/// The member, or null.
const Json& Member(const Json& object, std::string_view key);
/// The member if it is an array, or an empty one.
const Json& List(const Json& object, std::string_view key);
/// The member if it is a string, or "".
const std::string& Text(const Json& object, std::string_view key);
/// Whether the member is `true`.
bool IsTrue(const Json& object, std::string_view key);

}  // namespace ocfsgw::injector
