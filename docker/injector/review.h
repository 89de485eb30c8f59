#pragma once

#include <string>
#include <string_view>

#include "docker/injector/config.h"
#include "docker/injector/pod_patch.h"

namespace ocfsgw::injector {

enum class Verdict { kUntouched, kInjected, kRefused, kMalformed };

/// What goes back to the API server.
struct ReviewAnswer {
  Verdict verdict = Verdict::kUntouched;
  std::string body;  ///< An AdmissionReview; for kMalformed one line of text, to be sent with status 400.
  std::string log;   ///< One line for the operator, or empty: nothing to say.
};

/// Answers `body`, an AdmissionReview of admission.k8s.io/v1 as JSON of any content whatsoever. Thread-safe,
/// never blocks, never throws. Only the creation of pods is looked at; all else is allowed as it is.
ReviewAnswer AnswerReview(std::string_view body, const InjectorConfig& config, const IdSource& next_id);

/// 32 hex digits from the system's random numbers; thread-safe.
std::string RandomId();

}  // namespace ocfsgw::injector
