#pragma once

#include <fcntl.h>

#include "coherence/backend.h"
#include "ocfs2-backend/descriptor.h"

namespace ocfsgw::ocfs2 {

/// The flags of open(2) that reach the file system; the rest is the business of the kernel above us.
inline constexpr int kOpenFlags = O_ACCMODE | O_TRUNC | O_APPEND | O_SYNC | O_DSYNC;

/// An open regular file of a PosixBackend. Thread-safe: no file position is used.
class PosixFile final : public coherence::BackendFile {
 public:
  PosixFile(InodeId id, UniqueFd fd) : id_(id), fd_(std::move(fd)) {}

  int fd() const { return fd_.get(); }

  Result<size_t> Read(uint64_t offset, std::span<std::byte> into) override;
  int Descriptor() const override { return fd(); }
  void ForgetPages() override;
  Result<size_t> Write(uint64_t offset, std::span<const std::byte> from, bool append) override;
  Status Sync(bool data_only) override;
  Status Flush() override;
  Status Allocate(int mode, uint64_t offset, uint64_t length) override;
  Result<uint64_t> Seek(uint64_t offset, int whence) override;
  Result<coherence::FileAttr> Stat() override;
  Result<uint64_t> CopyFrom(coherence::BackendFile& source, uint64_t from, uint64_t to,
                            uint64_t length) override;
  Status Lock(int operation) override;

 private:
  const InodeId id_;
  const UniqueFd fd_;
};

}  // namespace ocfsgw::ocfs2
