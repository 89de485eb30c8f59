#pragma once

#include <cassert>
#include <string>
#include <utility>
#include <variant>

namespace ocfsgw {

/// What went wrong, named by what the caller should do about it.
enum class StatusCode : int {
  kOk = 0,
  kNotFound,         ///< Not there (a miss): ask the next tier.
  kCorrupt,          ///< Stored bytes are not what was written: treat as a miss and drop them.
  kBusy,             ///< Cannot be had now: try later or do without.
  kUnavailable,      ///< The service behind is gone (lock manager, store): degrade.
  kInvalidArgument,  ///< The user's mistake: show the message.
  kUnsupported,      ///< This source cannot do it: use the fallback.
  kShutdown,         ///< The component is stopping: give up.
  kSystem,           ///< A system call failed: sys_errno() goes to the application unchanged.
};

/// Outcome of an operation. Cheap when ok. Thread-compatible value type.
class [[nodiscard]] Status {
 public:
  Status() = default;
  Status(StatusCode code, std::string message) : code_(code), message_(std::move(message)) {}

  static Status Ok() { return {}; }
  /// `err`: a positive errno value. `what` names the call and its object.
  static Status FromErrno(int err, std::string what = {});
  /// FromErrno(errno, what).
  static Status LastErrno(std::string what = {});

  bool ok() const { return code_ == StatusCode::kOk; }
  StatusCode code() const { return code_; }
  /// Positive errno for kSystem, 0 otherwise.
  int sys_errno() const { return errno_; }
  bool Is(StatusCode code) const { return code_ == code; }
  bool IsErrno(int err) const { return code_ == StatusCode::kSystem && errno_ == err; }
  /// One line for a person: message, and the errno's text if there is one; never empty.
  std::string ToString() const;

 private:
  StatusCode code_ = StatusCode::kOk;
  int errno_ = 0;
  std::string message_;
};

/// kInvalidArgument: what the user gave is not to be had; `message` says what is wrong and what to do.
inline Status Refuse(std::string message) { return {StatusCode::kInvalidArgument, std::move(message)}; }

/// A value or the Status that says why there is none.
template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::move(value)) {}  // NOLINT(google-explicit-constructor)
  /// REQUIRES: !status.ok(), or the caller would take "no value" for success.
  Result(Status status) : state_(std::move(status)) {  // NOLINT(google-explicit-constructor)
    assert(!std::get<Status>(state_).ok());
  }

  bool ok() const { return std::holds_alternative<T>(state_); }
  /// The error, or an ok Status.
  Status status() const { return ok() ? Status::Ok() : std::get<Status>(state_); }
  /// REQUIRES: ok().
  T& value() & { return std::get<T>(state_); }
  const T& value() const& { return std::get<T>(state_); }
  /// By value, so that nothing refers into a temporary that is gone.
  T value() && { return std::get<T>(std::move(state_)); }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T operator*() && { return std::move(*this).value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

 private:
  std::variant<Status, T> state_;
};

#define OCFSGW_CONCAT_INNER(a, b) a##b
#define OCFSGW_CONCAT(a, b) OCFSGW_CONCAT_INNER(a, b)

/// Returns from the enclosing function if `expr` (a Status) is not ok.
#define OCFSGW_RETURN_IF_ERROR(expr)                        \
  do {                                                      \
    if (auto ocfsgw_status = (expr); !ocfsgw_status.ok()) { \
      return ocfsgw_status;                                 \
    }                                                       \
  } while (false)

// NOLINTBEGIN(bugprone-macro-parentheses): `lhs` may be a declaration
/// `lhs` = value of `rexpr` (a Result), or returns its Status from the enclosing function.
#define OCFSGW_ASSIGN_OR_RETURN(lhs, rexpr) \
  OCFSGW_ASSIGN_OR_RETURN_INNER(OCFSGW_CONCAT(ocfsgw_result_, __LINE__), lhs, rexpr)
#define OCFSGW_ASSIGN_OR_RETURN_INNER(result, lhs, rexpr) \
  auto result = (rexpr);                                  \
  if (!result.ok()) {                                     \
    return result.status();                               \
  }                                                       \
  lhs = std::move(result).value()
// NOLINTEND(bugprone-macro-parentheses)

}  // namespace ocfsgw
