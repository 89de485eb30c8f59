// The injector's answer to arbitrary bytes: there always is one; what it patches it does not patch again; a
// refusal is one line. The first byte says what the others are: a whole request, or annotations of a pod, a
// line NAME=VALUE each.
#include <cstdlib>
#include <string>
#include <string_view>

#include "docker/injector/base64.h"
#include "docker/injector/bounded_json.h"
#include "docker/injector/review.h"

namespace ocfsgw::injector {
namespace {

void Require(bool condition) {
  if (!condition) std::abort();
}

std::string NextId() {
  static int number = 0;
  return std::to_string(++number);
}

void Check(const std::string& body, const InjectorConfig& config) {
  const ReviewAnswer answer = AnswerReview(body, config, NextId);
  if (answer.verdict == Verdict::kMalformed) {
    Require(answer.body.find('\n') == answer.body.size() - 1);
    return;
  }
  const Json response = Json::parse(answer.body).at("response");
  Require(response.at("allowed") == (answer.verdict != Verdict::kRefused));
  if (answer.verdict == Verdict::kRefused) {
    const std::string message = response.at("status").at("message");
    Require(!response.contains("patch") && !message.empty() && message.size() < 1100);
    Require(message.find('\n') == std::string::npos);
  }
  if (answer.verdict != Verdict::kInjected) return;
  Json review = *ParseBounded(body);
  Json& pod = review["request"]["object"];
  const Json patch = Json::parse(Base64Decoded(response.at("patch").get<std::string>()));
  try {
    pod = pod.patch(patch);
  } catch (const Json::exception&) {
    std::abort();
  }
  Require(AnswerReview(review.dump(), config, NextId).verdict == Verdict::kUntouched);
}

std::string PodWith(std::string_view lines) {
  Json annotations = {{"ocfsgw.io/inject", "true"}, {"ocfsgw.io/volume", "v"}};
  for (size_t begin = 0; begin < lines.size();) {
    const size_t end = std::min(lines.find('\n', begin), lines.size());
    const std::string_view line = lines.substr(begin, end - begin);
    const size_t equals = std::min(line.find('='), line.size());
    annotations["ocfsgw.io/" + std::string(line.substr(0, equals))] =
        std::string(line.substr(std::min(equals + 1, line.size())));
    begin = end + 1;
  }
  const Json mount = {{"name", "v"}, {"mountPath", "/v"}, {"readOnly", lines.size() % 2 == 0}};
  const Json volume = {{"name", "v"}, {"persistentVolumeClaim", {{"claimName", "c"}}}};
  const Json container = {{"name", "a"}, {"volumeMounts", Json::array({mount})}};
  const Json pod = {{"metadata", {{"annotations", annotations}}},
                    {"spec", {{"containers", Json::array({container})}, {"volumes", Json::array({volume})}}}};
  const Json request = {{"uid", "u"},
                        {"operation", "CREATE"},
                        {"kind", {{"group", ""}, {"version", "v1"}, {"kind", "Pod"}}},
                        {"object", pod}};
  const Json review = {
      {"apiVersion", "admission.k8s.io/v1"}, {"kind", "AdmissionReview"}, {"request", request}};
  return review.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace
}  // namespace ocfsgw::injector

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using ocfsgw::injector::Check;
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  ocfsgw::injector::InjectorConfig config;
  config.native_sidecars = (data[0] & 1) != 0;
  Check((data[0] & 2) != 0 ? ocfsgw::injector::PodWith(bytes) : std::string(bytes), config);
  return 0;
}
