#include "docker/injector/review.h"

#include <fmt/format.h>
#include <openssl/rand.h>

#include <stdexcept>

#include "docker/injector/base64.h"
#include "docker/injector/bounded_json.h"

namespace ocfsgw::injector {
namespace {

constexpr std::string_view kApiVersion = "admission.k8s.io/v1";
constexpr std::string_view kKind = "AdmissionReview";
constexpr unsigned kUnprocessable = 422;

ReviewAnswer Malformed(std::string reason) {
  ReviewAnswer answer{Verdict::kMalformed, reason + "\n", {}};
  answer.log = fmt::format("request refused: {}", reason);
  return answer;
}

ReviewAnswer Answer(Verdict verdict, const std::string& uid, Json response, std::string log) {
  response["uid"] = uid;
  response["allowed"] = verdict != Verdict::kRefused;
  const Json review = {{"apiVersion", kApiVersion}, {"kind", kKind}, {"response", std::move(response)}};
  return {verdict, review.dump(-1, ' ', false, Json::error_handler_t::replace), std::move(log)};
}

/// `text`, which may quote any bytes of the pod, as one line of bounded length.
std::string OneLine(std::string text) {
  constexpr size_t kBytesMax = 1000;
  if (text.size() > kBytesMax) text = text.substr(0, kBytesMax) + "...";
  for (char& c : text) {
    if (static_cast<unsigned char>(c) < ' ' || c == '\x7f') c = '?';
  }
  return text;
}

/// For the log: whose pod it is. A pod made by a controller has no name yet.
std::string Label(const Json& pod, const std::string& name_space) {
  const Json& metadata = Member(pod, "metadata");
  const std::string& name = Text(metadata, "name");
  return fmt::format("{}/{}", name_space, name.empty() ? Text(metadata, "generateName") + "*" : name);
}

bool IsPodCreation(const Json& request) {
  const Json& kind = Member(request, "kind");
  return Text(kind, "group").empty() && Text(kind, "kind") == "Pod" && Text(kind, "version") == "v1" &&
         Text(request, "operation") == "CREATE" && Text(request, "subResource").empty();
}

ReviewAnswer AnswerPod(const std::string& uid, const Json& request, const InjectorConfig& config,
                       const IdSource& next_id) {
  const Json& pod = Member(request, "object");
  const std::string& of_request = Text(request, "namespace");
  const std::string& name_space =
      of_request.empty() ? Text(Member(pod, "metadata"), "namespace") : of_request;
  const auto patch = PatchPod(pod, name_space, config, next_id);
  if (!patch.ok()) {
    const std::string why = OneLine(patch.status().ToString());
    const Json status = {{"code", kUnprocessable},
                         {"reason", "Invalid"},
                         {"message", "ocfsgw: " + why},
                         {"status", "Failure"}};
    return Answer(Verdict::kRefused, uid, {{"status", status}},
                  fmt::format("{} refused: {}", Label(pod, name_space), why));
  }
  Json response = Json::object();
  if (!patch->warnings.empty()) response["warnings"] = patch->warnings;
  if (patch->operations.empty()) return Answer(Verdict::kUntouched, uid, std::move(response), {});
  response["patchType"] = "JSONPatch";
  response["patch"] = Base64(patch->operations.dump(-1, ' ', false, Json::error_handler_t::replace));
  return Answer(Verdict::kInjected, uid, std::move(response),
                fmt::format("{} injected", Label(pod, name_space)));
}

}  // namespace

ReviewAnswer AnswerReview(std::string_view body, const InjectorConfig& config, const IdSource& next_id) {
  try {
    const auto review = ParseBounded(body);
    if (!review.ok()) return Malformed(review.status().ToString());
    if (Text(*review, "kind") != kKind || Text(*review, "apiVersion") != kApiVersion) {
      return Malformed(fmt::format("not an {} of apiVersion {}", kKind, kApiVersion));
    }
    const Json& request = Member(*review, "request");
    const std::string& uid = Text(request, "uid");
    if (uid.empty()) return Malformed("the AdmissionReview has no request with a uid");
    if (!IsPodCreation(request)) return Answer(Verdict::kUntouched, uid, Json::object(), {});
    if (!Member(request, "object").is_object()) return Malformed("request.object is not a pod");
    return AnswerPod(uid, request, config, next_id);
  } catch (
      const std::exception& error) {  // memory, or a mistake of ours: the API server's failurePolicy decides
    return Malformed(fmt::format("failed: {}", error.what()));
  }
}

std::string RandomId() {
  unsigned char bytes[16];
  if (RAND_bytes(bytes, sizeof(bytes)) != 1) throw std::runtime_error("no random numbers to be had");
  std::string id;
  for (const unsigned char byte : bytes) id += fmt::format("{:02x}", byte);
  return id;
}

}  // namespace ocfsgw::injector
