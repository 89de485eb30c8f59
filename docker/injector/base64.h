#pragma once

#include <string>
#include <string_view>

namespace ocfsgw::injector {

/// Standard alphabet, padded, no line breaks (RFC 4648, 4).
std::string Base64(std::string_view bytes);

/// The inverse; "" for what is no base64.
std::string Base64Decoded(std::string_view text);

}  // namespace ocfsgw::injector
