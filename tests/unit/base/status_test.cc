#include "base/status.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <memory>
#include <string>

namespace ocfsgw {
namespace {

TEST(StatusTest, DefaultIsOk) {
  const Status status;
  EXPECT_TRUE(status.ok());
  EXPECT_EQ(status.code(), StatusCode::kOk);
  EXPECT_EQ(status.sys_errno(), 0);
  EXPECT_EQ(status.ToString(), "ok");
}

TEST(StatusTest, CarriesErrnoUnchanged) {
  const Status status = Status::FromErrno(ENOSPC, "pwrite 'a'");
  EXPECT_FALSE(status.ok());
  EXPECT_TRUE(status.Is(StatusCode::kSystem));
  EXPECT_TRUE(status.IsErrno(ENOSPC));
  EXPECT_FALSE(status.IsErrno(EIO));
  EXPECT_EQ(status.sys_errno(), ENOSPC);
  EXPECT_EQ(status.ToString(), "pwrite 'a': No space left on device");
}

TEST(StatusTest, LastErrno) {
  errno = ENOENT;
  EXPECT_TRUE(Status::LastErrno().IsErrno(ENOENT));
}

TEST(StatusTest, TextIsNeverEmpty) {
  EXPECT_EQ(Status(StatusCode::kBusy, "no slot").ToString(), "no slot");
  EXPECT_EQ(Status(StatusCode::kBusy, "").ToString(), "busy");
  EXPECT_EQ(Status(StatusCode::kSystem, "").ToString(), "system error");
  EXPECT_EQ(Status::FromErrno(EIO).ToString(), "Input/output error");
}

TEST(StatusTest, ErrnoOnlyCountsForSystemErrors) {
  EXPECT_EQ(Status(StatusCode::kNotFound, "x").sys_errno(), 0);
  EXPECT_FALSE(Status(StatusCode::kNotFound, "x").IsErrno(0));
}

TEST(ResultTest, HoldsAValueOrAStatus) {
  Result<std::string> value = std::string("bytes");
  ASSERT_TRUE(value.ok());
  EXPECT_EQ(*value, "bytes");
  EXPECT_EQ(value->size(), 5U);
  EXPECT_TRUE(value.status().ok());

  const Result<std::string> error = Status(StatusCode::kCorrupt, "checksum");
  ASSERT_FALSE(error.ok());
  EXPECT_TRUE(error.status().Is(StatusCode::kCorrupt));
}

TEST(ResultTest, MovesMoveOnlyValues) {
  Result<std::unique_ptr<int>> result = std::make_unique<int>(7);
  ASSERT_TRUE(result.ok());
  const std::unique_ptr<int> taken = *std::move(result);
  EXPECT_EQ(*taken, 7);
}

#ifndef NDEBUG
TEST(ResultDeathTest, OkStatusIsNoError) { EXPECT_DEATH((void)Result<int>{Status::Ok()}, "ok\\(\\)"); }
#endif

Status FailIf(bool fail) { return fail ? Status(StatusCode::kBusy, "told to") : Status::Ok(); }
Result<int> Half(int n) {
  if (n % 2 != 0) return Status(StatusCode::kInvalidArgument, "odd");
  return n / 2;
}

Status ReturnsIfError(bool fail, bool& reached_end) {
  Status status_ = FailIf(fail);
  OCFSGW_RETURN_IF_ERROR(status_);  // a caller's own name must not be shadowed by the macro's
  reached_end = true;
  return Status::Ok();
}

TEST(MacroTest, ReturnIfError) {
  bool reached_end = false;
  EXPECT_TRUE(ReturnsIfError(true, reached_end).Is(StatusCode::kBusy));
  EXPECT_FALSE(reached_end);
  EXPECT_TRUE(ReturnsIfError(false, reached_end).ok());
  EXPECT_TRUE(reached_end);
}

Result<int> Quarter(int n) {
  OCFSGW_ASSIGN_OR_RETURN(const int half, Half(n));
  int quarter = 0;
  OCFSGW_ASSIGN_OR_RETURN(quarter, Half(half));
  return quarter;
}

TEST(MacroTest, AssignOrReturn) {
  ASSERT_TRUE(Quarter(12).ok());
  EXPECT_EQ(*Quarter(12), 3);
  EXPECT_TRUE(Quarter(6).status().Is(StatusCode::kInvalidArgument));
  EXPECT_TRUE(Quarter(5).status().Is(StatusCode::kInvalidArgument));
}

}  // namespace
}  // namespace ocfsgw
