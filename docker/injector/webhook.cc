#include "docker/injector/webhook.h"

#include <algorithm>
#include <cctype>

#include "base/log.h"

namespace ocfsgw::injector {
namespace {

HttpReply Text(unsigned status, std::string body) { return {.status = status, .body = std::move(body)}; }

HttpReply WrongMethod(std::string allow) {
  HttpReply reply = Text(405, "only " + allow + " is possible here\n");
  reply.allow = std::move(allow);
  return reply;
}

bool IsJson(std::string_view content_type) {
  constexpr std::string_view kJson = "application/json";
  std::string_view type = content_type.substr(0, content_type.find(';'));
  while (type.ends_with(' ')) {
    type.remove_suffix(1);
  }
  return std::equal(type.begin(), type.end(), kJson.begin(), kJson.end(),
                    [](unsigned char a, char b) { return std::tolower(a) == b; });
}

Counter& Reviews(MetricsRegistry& metrics, std::string_view verdict) {
  return metrics.AddCounter("ocfsgw_injector_reviews_total", "Reviews answered.",
                            {{"verdict", std::string(verdict)}});
}

}  // namespace

Webhook::Webhook(InjectorConfig config, MetricsRegistry& metrics)
    : config_(std::move(config)),
      untouched_(Reviews(metrics, "untouched")),
      injected_(Reviews(metrics, "injected")),
      refused_(Reviews(metrics, "refused")),
      malformed_(Reviews(metrics, "malformed")) {}

std::optional<HttpReply> Webhook::FromHeader(const HttpHeader& header) const {
  const std::string_view path = header.target.substr(0, header.target.find('?'));
  if (path == "/healthz" || path == "/readyz") {
    if (header.method != "GET") return WrongMethod("GET");
    if (path == "/readyz" && draining_) return Text(503, "shutting down\n");
    return Text(200, "ok\n");
  }
  if (path != "/mutate") return Text(404, "there are /mutate, /healthz and /readyz\n");
  if (header.method != "POST") return WrongMethod("POST");
  if (!IsJson(header.content_type)) return Text(415, "the Content-Type has to be application/json\n");
  return std::nullopt;
}

HttpReply Webhook::Mutate(std::string_view body) {
  ReviewAnswer answer = AnswerReview(body, config_, RandomId);
  switch (answer.verdict) {
    case Verdict::kUntouched:
      untouched_.Add();
      break;
    case Verdict::kInjected:
      injected_.Add();
      log::Info("{}", answer.log);
      break;
    case Verdict::kRefused:
      refused_.Add();
      log::Info("{}", answer.log);
      break;
    case Verdict::kMalformed:
      malformed_.Add();
      log::Warning("{}", answer.log);
      return Text(400, std::move(answer.body));
  }
  return {.status = 200, .content_type = "application/json", .body = std::move(answer.body)};
}

}  // namespace ocfsgw::injector
