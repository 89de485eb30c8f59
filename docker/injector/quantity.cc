#include "docker/injector/quantity.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <optional>

namespace ocfsgw::injector {
namespace {

constexpr long double kTooLarge = 9223372036854775808.0L;  // 2^63
constexpr size_t kLongest = 32;

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

/// What a suffix multiplies by; nothing if it is none.
std::optional<long double> Scale(std::string_view suffix) {
  static constexpr std::pair<std::string_view, int> kDecimal[] = {{"n", -9}, {"u", -6}, {"m", -3}, {"", 0},
                                                                  {"k", 3},  {"M", 6},  {"G", 9},  {"T", 12},
                                                                  {"P", 15}, {"E", 18}};
  static constexpr std::pair<std::string_view, int> kBinary[] = {{"Ki", 10}, {"Mi", 20}, {"Gi", 30},
                                                                 {"Ti", 40}, {"Pi", 50}, {"Ei", 60}};
  for (const auto& [name, exponent] : kDecimal) {
    if (suffix == name) return powl(10, exponent);
  }
  for (const auto& [name, shift] : kBinary) {
    if (suffix == name) return powl(2, shift);
  }
  if (suffix.size() < 2 || (suffix[0] != 'e' && suffix[0] != 'E')) return std::nullopt;
  const bool minus = suffix[1] == '-';
  const std::string_view digits = suffix.substr(minus || suffix[1] == '+' ? 2 : 1);
  unsigned exponent = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), exponent);
  if (error != std::errc() || end != digits.data() + digits.size() || exponent > 18) return std::nullopt;
  return powl(10, minus ? -static_cast<int>(exponent) : static_cast<int>(exponent));
}

}  // namespace

Result<Quantity> ParseQuantity(std::string_view name, std::string_view text) {
  const Status refusal(StatusCode::kInvalidArgument,
                       fmt::format("{}: '{}' is not an amount such as 500m, 2, 512Mi or 1.5Gi", name,
                                   text.substr(0, kLongest)));
  long double number = 0;
  long double place = 1;
  size_t digits = 0;
  bool in_fraction = false;
  size_t at = 0;
  for (; at < text.size() && (IsDigit(text[at]) || (text[at] == '.' && !in_fraction)); ++at) {
    if (text[at] == '.') {
      in_fraction = true;
      continue;
    }
    ++digits;
    number = number * 10 + (text[at] - '0');
    if (in_fraction) place *= 10;
  }
  const auto scale = Scale(text.substr(at));
  if (digits == 0 || text.size() > kLongest || !scale) return refusal;
  const long double value = number / place * *scale;
  if (value >= kTooLarge) return refusal;
  return Quantity{std::string(text), value};
}

std::string MebibytesUp(uint64_t bytes) { return fmt::format("{}Mi", (bytes + (1ULL << 20) - 1) >> 20); }

}  // namespace ocfsgw::injector
