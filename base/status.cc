#include "base/status.h"

#include <cerrno>
#include <system_error>

namespace ocfsgw {
namespace {

const char* Name(StatusCode code) {
  switch (code) {
    case StatusCode::kOk:
      return "ok";
    case StatusCode::kNotFound:
      return "not found";
    case StatusCode::kCorrupt:
      return "corrupt";
    case StatusCode::kBusy:
      return "busy";
    case StatusCode::kUnavailable:
      return "unavailable";
    case StatusCode::kInvalidArgument:
      return "invalid argument";
    case StatusCode::kUnsupported:
      return "not supported";
    case StatusCode::kShutdown:
      return "shutting down";
    case StatusCode::kSystem:
      return "system error";
  }
  return "unknown error";
}

}  // namespace

Status Status::FromErrno(int err, std::string what) {
  Status status(StatusCode::kSystem, std::move(what));
  status.errno_ = err;
  return status;
}

Status Status::LastErrno(std::string what) { return FromErrno(errno, std::move(what)); }

std::string Status::ToString() const {
  if (code_ != StatusCode::kSystem || errno_ == 0) {
    return message_.empty() ? Name(code_) : message_;
  }
  const std::string reason = std::generic_category().message(errno_);
  return message_.empty() ? reason : message_ + ": " + reason;
}

}  // namespace ocfsgw
