#include "base/status.h"

#include <cerrno>
#include <system_error>

namespace ocfsgw {

Status Status::FromErrno(int err, std::string what) {
  Status status(StatusCode::kSystem, std::move(what));
  status.errno_ = err;
  return status;
}

Status Status::LastErrno(std::string what) { return FromErrno(errno, std::move(what)); }

std::string Status::ToString() const {
  if (ok()) {
    return "ok";
  }
  if (code_ != StatusCode::kSystem) {
    return message_;
  }
  const std::string reason = std::generic_category().message(errno_);
  return message_.empty() ? reason : message_ + ": " + reason;
}

}  // namespace ocfsgw
