#include "bench/kernel_caches.h"

#include <fcntl.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <vector>

namespace ocfsgw::bench {

Status DropKernelCaches() {
  constexpr const char* kFile = "/proc/sys/vm/drop_caches";  // 3: pages, names and inodes (proc_sys_vm(5))
  sync();
  std::ofstream file(kFile);
  file << "3\n" << std::flush;
  return file ? Status::Ok() : Status::LastErrno(kFile);
}

Status ReadIntoKernelCaches(const std::string& directory) {
  std::vector<char> piece(1 << 20);
  std::error_code error;
  for (std::filesystem::recursive_directory_iterator it(directory, error), end; !error && it != end;
       it.increment(error)) {
    if (!it->is_regular_file(error)) continue;
    const int fd = open(it->path().c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT) continue;
    ssize_t got = fd < 0 ? -1 : 1;
    while (got > 0) got = read(fd, piece.data(), piece.size());
    const Status failed = got < 0 ? Status::LastErrno(it->path()) : Status::Ok();
    if (fd >= 0) close(fd);
    OCFSGW_RETURN_IF_ERROR(failed);
  }
  return error ? Status::FromErrno(error.value(), directory) : Status::Ok();
}

}  // namespace ocfsgw::bench
