#include "docker/injector/certificate_files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>

namespace ocfsgw::injector {
namespace {

std::string ReadFile(const std::string& name) {
  std::ifstream in(name, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

Status WriteFile(const std::string& name, const std::string& text, mode_t mode) {
  const std::string temporary = name + ".new";
  unlink(temporary.c_str());
  const int fd = open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
  if (fd < 0) return Status::LastErrno(temporary);
  const ssize_t written = write(fd, text.data(), text.size());
  const int write_errno = written < 0 ? errno : ENOSPC;
  if (close(fd) != 0 || written != static_cast<ssize_t>(text.size()))
    return Status::FromErrno(write_errno, temporary);
  if (rename(temporary.c_str(), name.c_str()) != 0) return Status::LastErrno(name);
  return Status::Ok();
}

}  // namespace

CertificateSet ReadCertificateFiles(const std::string& directory) {
  return {ReadFile(directory + "/tls.crt"), ReadFile(directory + "/tls.key"),
          ReadFile(directory + "/ca.crt")};
}

Status WriteCertificateFiles(const std::string& directory, const CertificateSet& set) {
  std::error_code error;
  std::filesystem::create_directories(directory, error);
  if (error) return Status::FromErrno(error.value(), directory);
  OCFSGW_RETURN_IF_ERROR(WriteFile(directory + "/ca.crt", set.ca, 0644));
  OCFSGW_RETURN_IF_ERROR(WriteFile(directory + "/tls.key", set.key, 0600));
  return WriteFile(directory + "/tls.crt", set.cert, 0644);
}

}  // namespace ocfsgw::injector
