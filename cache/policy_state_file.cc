#include "cache/policy_state_file.h"

#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>
#include <span>

#include "base/checksum.h"

namespace ocfsgw::cache {
namespace {

constexpr uint64_t kDiskBlock = 4096;

std::string PathIn(const StoreDirectory& directory) { return directory.database_path() + "/POLICY"; }

}  // namespace

Status SavePolicyState(const StoreDirectory& directory, uint64_t cache_size, std::string_view state) {
  OCFSGW_ASSIGN_OR_RETURN(const uint64_t disk_bytes, directory.DiskBytes());
  if (disk_bytes + state.size() + 2 * kDiskBlock > cache_size) {
    return Status::Ok();
  }
  const uint64_t checksum = Xxh3(std::as_bytes(std::span(state)));
  const std::string path = PathIn(directory);
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file.write(reinterpret_cast<const char*>(&checksum), sizeof(checksum));
  file.write(state.data(), static_cast<std::streamsize>(state.size()));
  file.close();
  if (!file) {
    Status failed = Status::LastErrno("cannot write " + path);
    (void)unlink(path.c_str());
    return failed;
  }
  return Status::Ok();
}

std::string TakePolicyState(const StoreDirectory& directory) {
  const std::string path = PathIn(directory);
  std::ifstream file(path, std::ios::binary);
  std::string bytes{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  if (unlink(path.c_str()) != 0) {
    return {};  // there is none, or it would be taken for true again after the next restart
  }
  uint64_t checksum = 0;
  if (bytes.size() < sizeof(checksum)) {
    return {};
  }
  std::memcpy(&checksum, bytes.data(), sizeof(checksum));
  bytes.erase(0, sizeof(checksum));
  return checksum == Xxh3(std::as_bytes(std::span(bytes))) ? bytes : std::string();
}

}  // namespace ocfsgw::cache
