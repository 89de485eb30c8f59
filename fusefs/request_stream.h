#pragma once

#include <memory>
#include <string>

#include "base/status.h"
#include "coherence/request_recorder.h"
#include "ctl/control_server.h"

namespace ocfsgw::fusefs {

/// A recording as the control socket sends it, one line for each batch:
/// {"requests":[[NANOSECONDS,INO,GENERATION,INDEX,BYTES],...],"dropped":N}; `dropped` came after `requests`.
/// There are no names in it. The recording ends with this object.
class RequestStream final : public ctl::ControlServer::Stream {
 public:
  /// kBusy: somebody is recording already. `recorder` outlives the stream.
  static Result<std::unique_ptr<Stream>> Start(coherence::RequestRecorder& recorder);
  ~RequestStream() override { recorder_.Stop(); }
  RequestStream(const RequestStream&) = delete;
  RequestStream& operator=(const RequestStream&) = delete;

  std::string Next() override;

 private:
  explicit RequestStream(coherence::RequestRecorder& recorder) : recorder_(recorder) {}

  coherence::RequestRecorder& recorder_;
  coherence::RequestBatch batch_;
};

}  // namespace ocfsgw::fusefs
