#include "docker/injector/offline_review.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <iterator>

#include "docker/injector/base64.h"
#include "docker/injector/bounded_json.h"
#include "docker/injector/review.h"

namespace ocfsgw::injector {
namespace {

ExitCode Fail(std::string_view why) {
  fmt::print(stderr, "ocfsgw-injector: {}\n", why);
  return kExitSource;
}

Result<std::string> ReadAll(const std::string& file) {
  std::ifstream opened;
  if (file != "-") {
    opened.open(file, std::ios::binary);
    if (!opened) return Status::LastErrno(file);
  }
  std::istream& in = file == "-" ? std::cin : opened;
  std::string text{std::istreambuf_iterator<char>(in), {}};
  if (in.bad()) return Status::FromErrno(EIO, file);
  return text;
}

/// The pod that a controller makes of `object`, or `object` itself if it is a pod; null if it makes none.
Json PodOf(const Json& object) {
  if (Text(object, "kind") == "Pod") return object;
  const Json& spec = Member(object, "spec");
  const Json& job = Member(Member(spec, "jobTemplate"), "spec");  // CronJob
  const Json& pod_template = Member(job.is_object() ? job : spec, "template");
  if (!pod_template.is_object()) return {};
  Json pod = pod_template;
  pod["apiVersion"] = "v1";
  pod["kind"] = "Pod";
  const Json& metadata = Member(object, "metadata");
  if (!pod["metadata"].is_object()) pod["metadata"] = Json::object();
  pod["metadata"]["generateName"] = Text(metadata, "name") + "-";
  if (const std::string& name_space = Text(metadata, "namespace"); !name_space.empty()) {
    pod["metadata"]["namespace"] = name_space;
  }
  return pod;
}

/// The request in which the API server would ask about `pod`.
Json ReviewOf(const Json& pod, const std::string& name_space) {
  const std::string& own = Text(Member(pod, "metadata"), "namespace");
  const Json request = {{"uid", "00000000-0000-0000-0000-000000000000"},
                        {"kind", {{"group", ""}, {"version", "v1"}, {"kind", "Pod"}}},
                        {"operation", "CREATE"},
                        {"namespace", own.empty() ? name_space : own},
                        {"object", pod}};
  return {{"apiVersion", "admission.k8s.io/v1"}, {"kind", "AdmissionReview"}, {"request", request}};
}

ExitCode Print(const Json& json) {
  fmt::print("{}\n", json.dump(2, ' ', false, Json::error_handler_t::replace));
  return std::fflush(stdout) == 0 ? kExitDone : kExitRuntime;
}

}  // namespace

ExitCode ReviewFile(const ReviewOptions& options, const InjectorConfig& config) {
  const auto text = ReadAll(options.file);
  if (!text.ok()) return Fail(text.status().ToString());
  const auto object = ParseBounded(*text);
  if (!object.ok()) return Fail(fmt::format("{}: {}", options.file, object.status().ToString()));
  Json review = *object;
  if (Text(review, "kind") != "AdmissionReview") {
    const Json pod = PodOf(*object);
    if (!pod.is_object())
      return Fail(fmt::format("{}: neither a pod nor anything with a pod template", options.file));
    review = ReviewOf(pod, options.name_space);
  }
  const ReviewAnswer answer = AnswerReview(review.dump(), config, RandomId);
  if (answer.verdict == Verdict::kMalformed) {
    return Fail(fmt::format("{}: {}", options.file, answer.body.substr(0, answer.body.find('\n'))));
  }
  const Json answered = Json::parse(answer.body);
  const Json& response = Member(answered, "response");
  for (const Json& warning : List(response, "warnings")) {
    fmt::print(stderr, "ocfsgw-injector: warning: {}\n", warning.get_ref<const std::string&>());
  }
  if (answer.verdict == Verdict::kRefused) {
    if (!options.patched) Print(answered);
    return Fail(fmt::format("refused: {}", Text(Member(response, "status"), "message")));
  }
  if (!options.patched) return Print(answered);
  const Json& pod = Member(Member(review, "request"), "object");
  const std::string& patch = Text(response, "patch");
  return Print(patch.empty() ? pod : pod.patch(Json::parse(Base64Decoded(patch))));
}

}  // namespace ocfsgw::injector
