#include "bench/work_directory.h"

#include <sys/stat.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <utility>

namespace ocfsgw::bench {

Result<WorkDirectory> WorkDirectory::MakeIn(const std::string& parent) {
  struct stat st {};
  if (stat(parent.c_str(), &st) != 0) return Status::LastErrno(parent);
  if (!S_ISDIR(st.st_mode)) return Status::FromErrno(ENOTDIR, parent);
  std::string path = parent + "/ocfsgw-bench.XXXXXX";
  if (mkdtemp(path.data()) == nullptr) return Status::LastErrno(parent);
  return WorkDirectory(std::move(path));
}

WorkDirectory::WorkDirectory(WorkDirectory&& other) noexcept
    : path_(std::move(other.path_)), keep_(std::exchange(other.keep_, true)) {}

WorkDirectory::~WorkDirectory() {
  const Status ignored = Remove();
  static_cast<void>(ignored);
}

Status WorkDirectory::Remove() {
  if (std::exchange(keep_, true)) return Status::Ok();
  std::error_code error;
  std::filesystem::remove_all(path_, error);
  return error ? Status::FromErrno(error.value(), path_) : Status::Ok();
}

}  // namespace ocfsgw::bench
