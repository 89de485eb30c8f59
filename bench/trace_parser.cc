#include "bench/trace_parser.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

namespace ocfsgw::bench {
namespace {

constexpr size_t kRecordBytes = 24;

constexpr std::array<std::pair<TraceFormat, std::string_view>, 5> kNames = {{
    {TraceFormat::kIds, "ids"},
    {TraceFormat::kCsv, "csv"},
    {TraceFormat::kOracleGeneral, "oracle-general"},
    {TraceFormat::kLirs, "lirs"},
    {TraceFormat::kArc, "arc"},
}};

bool IsSpace(char c) { return c == ' ' || c == '\t' || c == '\r'; }

std::string_view Trimmed(std::string_view text) {
  while (!text.empty() && IsSpace(text.front())) text.remove_prefix(1);
  while (!text.empty() && IsSpace(text.back())) text.remove_suffix(1);
  return text;
}

/// Removes what is before the first `separator` (or all) from `rest` and returns it trimmed.
std::string_view NextField(std::string_view& rest, char separator) {
  const size_t end = std::min(rest.find(separator), rest.size());
  const std::string_view field = Trimmed(rest.substr(0, end));
  rest.remove_prefix(std::min(end + 1, rest.size()));
  return field;
}

std::vector<std::string_view> Words(std::string_view line) {
  std::vector<std::string_view> words;
  for (size_t i = 0; i < line.size();) {
    size_t end = i;
    while (end < line.size() && !IsSpace(line[end])) ++end;
    if (end > i) words.push_back(line.substr(i, end - i));
    i = end + 1;
  }
  return words;
}

template <typename Number>
std::optional<Number> Parse(std::string_view text) {
  Number value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

/// An integer, or one with decimals. (The library's from_chars for double takes "inf" and "nan", too.)
bool IsTime(std::string_view text) {
  const size_t point = text.find('.');
  const auto digits = [](std::string_view s) {
    return !s.empty() && std::all_of(s.begin(), s.end(), [](char c) { return c >= '0' && c <= '9'; });
  };
  if (!text.empty() && text.front() == '-')
    return text.size() > 1 && IsTime(text.substr(1)) && text[1] != '-';
  if (point == std::string_view::npos) return digits(text);
  return digits(text.substr(0, point)) && digits(text.substr(point + 1));
}

template <typename Number>
Number LittleEndian(const char* bytes) {
  Number value = 0;
  for (size_t i = 0; i < sizeof(Number); ++i) {
    value |= static_cast<Number>(static_cast<unsigned char>(bytes[i])) << (8 * i);
  }
  return value;
}

/// For a message: short, and without bytes that would spoil a terminal.
std::string Shown(std::string_view text) {
  std::string shown;
  for (const char c : text.substr(0, 40)) shown += c >= ' ' && c <= '~' ? c : '?';
  return text.size() > 40 ? shown + "..." : shown;
}

}  // namespace

std::string_view TraceFormatName(TraceFormat format) {
  return std::find_if(kNames.begin(), kNames.end(), [&](const auto& n) { return n.first == format; })->second;
}

std::optional<TraceFormat> TraceFormatOf(std::string_view name) {
  const auto* const it =
      std::find_if(kNames.begin(), kNames.end(), [&](const auto& n) { return n.second == name; });
  if (it == kNames.end()) return std::nullopt;
  return it->first;
}

TraceFormat GuessTraceFormat(std::string_view beginning) {
  const auto is_text = [](char c) {
    return (c >= ' ' && c != 127) || IsSpace(c) || c == '\n' || static_cast<unsigned char>(c) >= 128;
  };
  if (!std::all_of(beginning.begin(), beginning.end(), is_text)) return TraceFormat::kOracleGeneral;
  while (!beginning.empty()) {
    const std::string_view line = NextField(beginning, '\n');
    if (line.empty()) continue;
    if (line.front() == '*' || line.front() == '#') return TraceFormat::kLirs;
    if (line.find(',') != std::string_view::npos) return TraceFormat::kCsv;
    return Words(line).size() == 4 ? TraceFormat::kArc : TraceFormat::kLirs;
  }
  return TraceFormat::kLirs;
}

TraceParser::TraceParser(TraceFormat format, const TraceLimits& limits) : format_(format), limits_(limits) {
  trace_.format = TraceFormatName(format);
}

Status TraceParser::Feed(std::string_view piece) {
  return format_ == TraceFormat::kOracleGeneral ? FeedRecords(piece) : FeedLines(piece);
}

Status TraceParser::FeedLines(std::string_view piece) {
  for (;;) {
    const size_t end = piece.find('\n');
    const std::string_view part = piece.substr(0, end);
    if (pending_.size() + part.size() > limits_.line_bytes_max) {
      ++unit_;
      return Bad(fmt::format("longer than {} bytes", limits_.line_bytes_max));
    }
    if (end == std::string_view::npos) {
      pending_ += part;
      return Status::Ok();
    }
    if (pending_.empty()) {
      OCFSGW_RETURN_IF_ERROR(Line(part));
    } else {
      pending_ += part;
      OCFSGW_RETURN_IF_ERROR(Line(pending_));
      pending_.clear();
    }
    piece.remove_prefix(end + 1);
  }
}

Status TraceParser::FeedRecords(std::string_view piece) {
  while (pending_.size() + piece.size() >= kRecordBytes) {
    const size_t missing = kRecordBytes - pending_.size();
    pending_ += piece.substr(0, missing);
    piece.remove_prefix(missing);
    OCFSGW_RETURN_IF_ERROR(Record(pending_.data()));
    pending_.clear();
  }
  pending_ += piece;
  return Status::Ok();
}

Result<Trace> TraceParser::Finish() {
  if (!pending_.empty()) {
    if (format_ == TraceFormat::kOracleGeneral) {
      ++unit_;
      return Bad(fmt::format("{} bytes instead of {}", pending_.size(), kRecordBytes));
    }
    OCFSGW_RETURN_IF_ERROR(Line(pending_));
  }
  if (trace_.requests.empty()) return Status(StatusCode::kInvalidArgument, "no requests");
  return std::move(trace_);
}

Status TraceParser::Line(std::string_view line) {
  ++unit_;
  line = Trimmed(line);
  if (line.empty()) return Status::Ok();
  if (format_ == TraceFormat::kCsv) return CsvLine(line);
  if (format_ == TraceFormat::kArc) return ArcLine(line);
  if (format_ == TraceFormat::kLirs && (line.front() == '*' || line.front() == '#')) return Status::Ok();
  return IdLine(line);
}

Status TraceParser::IdLine(std::string_view line) {
  const auto id = Parse<uint64_t>(line);
  if (!id) return Bad(fmt::format("not an object id: '{}'", Shown(line)));
  return Request(*id, kObjectBytes);
}

Status TraceParser::CsvLine(std::string_view line) {
  const std::string_view whole = line;
  const std::string_view time = NextField(line, ',');
  const std::string_view id = NextField(line, ',');
  const std::string_view size = NextField(line, ',');
  if (!IsTime(time)) {
    if (unit_ == 1) return Status::Ok();  // the header
    return Bad(fmt::format("not a time: '{}'", Shown(time)));
  }
  const auto bytes = Parse<uint64_t>(size);
  if (id.empty() || !bytes) return Bad(fmt::format("not time,id,size: '{}'", Shown(whole)));
  if (const auto number = Parse<uint64_t>(id)) return Request(*number, *bytes);
  auto [it, is_new] = text_numbers_.try_emplace(std::string(id));
  return RequestNumbered(&it->second, is_new, *bytes);
}

Status TraceParser::ArcLine(std::string_view line) {
  const auto words = Words(line);
  std::array<uint64_t, 4> numbers{};
  bool good = words.size() == numbers.size();
  for (size_t i = 0; good && i < numbers.size(); ++i) {
    const auto number = Parse<uint64_t>(words[i]);
    good = number.has_value();
    numbers[i] = number.value_or(0);
  }
  const auto [start, count, ignored, request] = numbers;
  if (!good) return Bad(fmt::format("not four numbers: '{}'", Shown(line)));
  if (count == 0 || count > limits_.arc_count_max) {
    return Bad(fmt::format("a count of {}, not 1 to {}", count, limits_.arc_count_max));
  }
  if (start > UINT64_MAX - count) return Bad("blocks beyond 64 bits");
  for (uint64_t i = 0; i < count; ++i) OCFSGW_RETURN_IF_ERROR(Request(start + i, kObjectBytes));
  return Status::Ok();
}

Status TraceParser::Record(const char* record) {
  ++unit_;
  return Request(LittleEndian<uint64_t>(record + 4), LittleEndian<uint32_t>(record + 12));
}

Status TraceParser::Request(uint64_t id, uint64_t bytes) {
  auto [it, is_new] = numbers_.try_emplace(id);
  return RequestNumbered(&it->second, is_new, bytes);
}

Status TraceParser::RequestNumbered(uint32_t* number, bool is_new, uint64_t bytes) {
  if (trace_.requests.size() >= limits_.requests_max) {
    return Bad(fmt::format("more than {} requests", limits_.requests_max));
  }
  if (is_new) {
    if (trace_.objects() >= limits_.objects_max) {
      return Bad(fmt::format("more than {} objects", limits_.objects_max));
    }
    *number = static_cast<uint32_t>(trace_.objects());
    trace_.object_bytes.push_back(bytes);
  }
  trace_.requests.push_back(*number);
  return Status::Ok();
}

Status TraceParser::Bad(const std::string& what) const {
  const char* const unit = format_ == TraceFormat::kOracleGeneral ? "record" : "line";
  return {StatusCode::kInvalidArgument, fmt::format("{} {}: {}", unit, unit_, what)};
}

}  // namespace ocfsgw::bench
