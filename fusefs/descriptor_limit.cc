#include "fusefs/descriptor_limit.h"

#include <fmt/format.h>
#include <sys/resource.h>

namespace ocfsgw::fusefs {

Status RaiseDescriptorLimit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return Status::LastErrno("getrlimit");
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  if (limit.rlim_max >= kDescriptorsMin) return Status::Ok();
  return {StatusCode::kInvalidArgument,
          fmt::format("the limit of open files is {}, at least {} are needed (ulimit -Hn, LimitNOFILE=)",
                      limit.rlim_max, kDescriptorsMin)};
}

}  // namespace ocfsgw::fusefs
