#pragma once

#include <cstring>
#include <string>
#include <string_view>
#include <type_traits>

namespace ocfsgw::cache {

/// Adds the bytes of `value`, in this machine's byte order, to a state that only this machine reads again.
template <typename T>
void AppendState(std::string& out, const T& value) {
  static_assert(std::is_trivially_copyable_v<T>);
  out.append(reinterpret_cast<const char*>(&value), sizeof(value));
}

/// Takes values off the front of what AppendState() made; false when there are not enough bytes.
struct StateReader {
  std::string_view rest;

  template <typename T>
  bool Take(T& value) {
    static_assert(std::is_trivially_copyable_v<T>);
    if (rest.size() < sizeof(value)) return false;
    std::memcpy(&value, rest.data(), sizeof(value));
    rest.remove_prefix(sizeof(value));
    return true;
  }
};

}  // namespace ocfsgw::cache
