#include "ocfs2-backend/ocfs2_ioctl.h"

#include <sys/ioctl.h>

#include <array>
#include <cerrno>

namespace ocfsgw::ocfs2 {
namespace {

// The kernel's ABI, as fs/ocfs2/ocfs2_ioctl.h has it. The kernel compares `size` with its own structure's
// size.
struct InfoRequest {
  uint32_t magic = 0x4F32494E;  // "O2IN"
  uint32_t code;
  uint32_t size;
  uint32_t flags = 0;
};
struct ClusterSizeRequest {
  InfoRequest head{.code = 1, .size = sizeof(ClusterSizeRequest)};
  uint32_t cluster_size = 0;
  uint32_t padding = 0;
};
struct [[gnu::packed]] UuidRequest {
  InfoRequest head{.code = 5, .size = sizeof(UuidRequest)};
  char uuid[33] = {};
};
struct InfoCall {
  uint64_t requests;  // address of an array of addresses
  uint32_t count;
  uint32_t padding = 0;
};
static_assert(sizeof(ClusterSizeRequest) == 24 && sizeof(UuidRequest) == 49 && sizeof(InfoCall) == 16);

constexpr uint32_t kFilledFlag = 0x40000000;
constexpr unsigned long kInfoIoctl = _IOR('o', 5, InfoCall);

}  // namespace

Result<Ocfs2Info> QueryOcfs2Info(int fd) {
  ClusterSizeRequest cluster;
  UuidRequest uuid;
  const std::array<uint64_t, 2> requests = {reinterpret_cast<uintptr_t>(&cluster),
                                            reinterpret_cast<uintptr_t>(&uuid)};
  InfoCall call{.requests = reinterpret_cast<uintptr_t>(requests.data()), .count = requests.size()};
  if (::ioctl(fd, kInfoIoctl, &call) != 0) return Status::LastErrno("OCFS2_IOC_INFO");
  if ((cluster.head.flags & uuid.head.flags & kFilledFlag) == 0 || cluster.cluster_size < 512) {
    return Status::FromErrno(EPROTO, "OCFS2_IOC_INFO");
  }
  uuid.uuid[sizeof(uuid.uuid) - 1] = '\0';
  return Ocfs2Info{uuid.uuid, cluster.cluster_size};
}

}  // namespace ocfsgw::ocfs2
