#include "docker/injector/bounded_json.h"

#include <fmt/format.h>

namespace ocfsgw::injector {
namespace {

/// Counts brackets and commas outside of strings; what is not JSON may be counted wrong, and is refused
/// later.
Status CheckBounds(std::string_view text) {
  size_t depth = 0;
  size_t values = 1;
  bool in_string = false;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\') ++i;
      if (c == '"') in_string = false;
      continue;
    }
    if (c == '"') in_string = true;
    if (c == '}' || c == ']') depth -= depth > 0 ? 1 : 0;
    if (c != '{' && c != '[' && c != ',') continue;
    if (c != ',' && ++depth > kJsonDepthMax) {
      return Refuse(fmt::format("JSON: nested more than {} deep", kJsonDepthMax));
    }
    if (++values > kJsonValuesMax) return Refuse(fmt::format("JSON: more than {} values", kJsonValuesMax));
  }
  return Status::Ok();
}

}  // namespace

Result<Json> ParseBounded(std::string_view text) {
  OCFSGW_RETURN_IF_ERROR(CheckBounds(text));
  try {
    return Json::parse(text);
  } catch (const Json::exception& error) {
    constexpr size_t kReasonBytesMax = 200;
    std::string reason(error.what());
    reason = reason.substr(0, kReasonBytesMax);
    // What is quoted from the input is not always UTF-8, and goes into an answer.
    for (char& c : reason) {
      if (static_cast<unsigned char>(c) >= 0x7f || static_cast<unsigned char>(c) < ' ') c = '?';
    }
    return Refuse(fmt::format("not JSON: {}", reason));
  }
}

}  // namespace ocfsgw::injector
