#include "docker/injector/json_view.h"

namespace ocfsgw::injector {

const Json& Member(const Json& object, std::string_view key) {
  static const Json null;
  if (!object.is_object()) return null;
  const auto it = object.find(key);
  return it == object.end() ? null : *it;
}

const Json& List(const Json& object, std::string_view key) {
  static const Json empty = Json::array();
  const Json& member = Member(object, key);
  return member.is_array() ? member : empty;
}

const std::string& Text(const Json& object, std::string_view key) {
  static const std::string empty;
  const Json& member = Member(object, key);
  return member.is_string() ? member.get_ref<const std::string&>() : empty;
}

bool IsTrue(const Json& object, std::string_view key) {
  const Json& member = Member(object, key);
  return member.is_boolean() && member.get<bool>();
}

}  // namespace ocfsgw::injector
