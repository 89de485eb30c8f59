#include "docker/injector/base64.h"

#include <openssl/evp.h>

namespace ocfsgw::injector {

std::string Base64(std::string_view bytes) {
  std::string text((bytes.size() + 2) / 3 * 4 + 1, '\0');  // and the NUL that OpenSSL writes
  const int length =
      EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()),
                      reinterpret_cast<const unsigned char*>(bytes.data()), static_cast<int>(bytes.size()));
  text.resize(static_cast<size_t>(length));
  return text;
}

std::string Base64Decoded(std::string_view text) {
  std::string bytes(text.size() / 4 * 3, '\0');
  if (text.empty() || text.size() % 4 != 0) return {};
  const int length =
      EVP_DecodeBlock(reinterpret_cast<unsigned char*>(bytes.data()),
                      reinterpret_cast<const unsigned char*>(text.data()), static_cast<int>(text.size()));
  if (length < 0) return {};
  size_t padding = 0;  // which OpenSSL decodes to zeros
  while (padding < 2 && text[text.size() - 1 - padding] == '=') {
    ++padding;
  }
  bytes.resize(static_cast<size_t>(length) - padding);
  return bytes;
}

}  // namespace ocfsgw::injector
