#include "cache/fifo_reinsertion_policy.h"

namespace ocfsgw::cache {
namespace {
constexpr PolicyWord kUnread = 0;
constexpr PolicyWord kRead = 1;
}  // namespace

PolicyWord FifoReinsertionPolicy::Inserted(const RecordKey& /*key*/, uint64_t /*bytes*/) { return kUnread; }

PolicyWord FifoReinsertionPolicy::Touched(const RecordKey& /*key*/, PolicyWord /*word*/) { return kRead; }

std::optional<PolicyWord> FifoReinsertionPolicy::Keep(const RecordKey& /*key*/, PolicyWord word) {
  return word == kRead ? std::optional(kUnread) : std::nullopt;
}

}  // namespace ocfsgw::cache
