#include "tests/unit/cache/fault_file_system.h"

#include <thread>
#include <utility>

namespace ocfsgw::cache {
namespace {

using rocksdb::FSDirectory;
using rocksdb::FSRandomAccessFile;
using rocksdb::FSSequentialFile;
using rocksdb::FSWritableFile;
using rocksdb::IODebugContext;
using rocksdb::IOOptions;
using rocksdb::IOStatus;
using rocksdb::Slice;
using Kind = FaultFileSystem::Kind;

// RocksDB closes its files before it lets go of the file system.

class SequentialFile final : public rocksdb::FSSequentialFileOwnerWrapper {
 public:
  SequentialFile(FaultFileSystem* faults, std::unique_ptr<FSSequentialFile> file)
      : FSSequentialFileOwnerWrapper(std::move(file)), faults_(faults) {}
  IOStatus Read(size_t n, const IOOptions& options, Slice* result, char* scratch,
                IODebugContext* debug) override {
    IOStatus status = faults_->Begin(Kind::kRead);
    return status.ok() ? FSSequentialFileWrapper::Read(n, options, result, scratch, debug) : status;
  }

 private:
  FaultFileSystem* const faults_;
};

class RandomAccessFile final : public rocksdb::FSRandomAccessFileOwnerWrapper {
 public:
  RandomAccessFile(FaultFileSystem* faults, std::unique_ptr<FSRandomAccessFile> file)
      : FSRandomAccessFileOwnerWrapper(std::move(file)), faults_(faults) {}
  IOStatus Read(uint64_t offset, size_t n, const IOOptions& options, Slice* result, char* scratch,
                IODebugContext* debug) const override {
    IOStatus status = faults_->Begin(Kind::kRead);
    return status.ok() ? FSRandomAccessFileWrapper::Read(offset, n, options, result, scratch, debug) : status;
  }

 private:
  FaultFileSystem* const faults_;
};

class WritableFile final : public rocksdb::FSWritableFileOwnerWrapper {
 public:
  WritableFile(FaultFileSystem* faults, std::unique_ptr<FSWritableFile> file)
      : FSWritableFileOwnerWrapper(std::move(file)), faults_(faults) {}
  IOStatus Append(const Slice& data, const IOOptions& options, IODebugContext* debug) override {
    IOStatus status = faults_->Begin(Kind::kWrite);
    if (!status.ok()) {
      (void)FSWritableFileWrapper::Append(Slice(data.data(), data.size() / 2), options, debug);
      return status;
    }
    return FSWritableFileWrapper::Append(data, options, debug);
  }
  IOStatus Append(const Slice& data, const IOOptions& options,
                  const rocksdb::DataVerificationInfo& /*verify*/, IODebugContext* debug) override {
    return Append(data, options, debug);
  }
  IOStatus Flush(const IOOptions& options, IODebugContext* debug) override {
    IOStatus status = faults_->Begin(Kind::kSync);
    return status.ok() ? FSWritableFileWrapper::Flush(options, debug) : status;
  }
  IOStatus Sync(const IOOptions& options, IODebugContext* debug) override { return Flush(options, debug); }
  IOStatus Fsync(const IOOptions& options, IODebugContext* debug) override { return Flush(options, debug); }
  IOStatus Close(const IOOptions& options, IODebugContext* debug) override {
    IOStatus status = faults_->Begin(Kind::kSync);
    IOStatus closed = FSWritableFileWrapper::Close(options, debug);  // a close that fails closes all the same
    return status.ok() ? closed : status;
  }

 private:
  FaultFileSystem* const faults_;
};

class Directory final : public rocksdb::FSDirectoryWrapper {
 public:
  Directory(FaultFileSystem* faults, std::unique_ptr<FSDirectory> directory)
      : FSDirectoryWrapper(std::move(directory)), faults_(faults) {}
  IOStatus Fsync(const IOOptions& /*options*/, IODebugContext* /*debug*/) override {
    return faults_->Begin(Kind::kSync);
  }
  IOStatus FsyncWithDirOptions(const IOOptions& options, IODebugContext* debug,
                               const rocksdb::DirFsyncOptions& /*how*/) override {
    return Fsync(options, debug);
  }

 private:
  FaultFileSystem* const faults_;
};

/// Wraps what `open` has made, if that is allowed to happen and does.
template <typename Wrapped, typename File, typename Open>
IOStatus OpenWrapped(FaultFileSystem* faults, Kind kind, std::unique_ptr<File>* file, const Open& open) {
  IOStatus status = faults->Begin(kind);
  if (status.ok()) {
    status = open();
  }
  if (status.ok()) {
    *file = std::make_unique<Wrapped>(faults, std::move(*file));
  }
  return status;
}

}  // namespace

void FaultFileSystem::Fail(uint64_t nth, unsigned kinds, IOStatus error, bool lasting) {
  MutexLock lock(mutex_);
  kinds_ = kinds;
  left_ = nth;
  error_ = std::move(error);
  lasting_ = lasting;
  hit_ = false;
}

bool FaultFileSystem::Heal() {
  MutexLock lock(mutex_);
  kinds_ = 0;
  return hit_;
}

void FaultFileSystem::Hold(unsigned kinds) {
  MutexLock lock(mutex_);
  held_kinds_ = kinds;
}

void FaultFileSystem::Release() {
  MutexLock lock(mutex_);
  held_kinds_ = 0;
  changed_.NotifyAll();
}

void FaultFileSystem::AwaitHeld() {
  MutexLock lock(mutex_);
  while (held_ == 0) {
    changed_.Wait(mutex_);
  }
}

void FaultFileSystem::Delay(unsigned kinds, Duration by) {
  MutexLock lock(mutex_);
  delayed_kinds_ = kinds;
  delay_ = by;
}

IOStatus FaultFileSystem::Begin(Kind kind) {
  Duration delay{};
  {
    MutexLock lock(mutex_);
    delay = (delayed_kinds_ & kind) != 0 ? delay_ : Duration{};
  }
  if (delay > Duration{}) {
    std::this_thread::sleep_for(delay);
  }
  MutexLock lock(mutex_);
  if ((held_kinds_ & kind) != 0) {
    ++held_;
    changed_.NotifyAll();
    while ((held_kinds_ & kind) != 0) {
      changed_.Wait(mutex_);
    }
    --held_;
  }
  if ((kinds_ & kind) == 0 || left_ == 0 || --left_ > 0) {
    return IOStatus::OK();
  }
  hit_ = true;
  left_ = lasting_ ? 1 : 0;
  return error_;
}

IOStatus FaultFileSystem::NewSequentialFile(const std::string& path, const FileOptions& options,
                                            std::unique_ptr<FSSequentialFile>* file, Debug* debug) {
  return OpenWrapped<SequentialFile>(
      this, kOpen, file, [&] { return FileSystemWrapper::NewSequentialFile(path, options, file, debug); });
}

IOStatus FaultFileSystem::NewRandomAccessFile(const std::string& path, const FileOptions& options,
                                              std::unique_ptr<FSRandomAccessFile>* file, Debug* debug) {
  return OpenWrapped<RandomAccessFile>(
      this, kOpen, file, [&] { return FileSystemWrapper::NewRandomAccessFile(path, options, file, debug); });
}

IOStatus FaultFileSystem::NewWritableFile(const std::string& path, const FileOptions& options,
                                          std::unique_ptr<FSWritableFile>* file, Debug* debug) {
  return OpenWrapped<WritableFile>(
      this, kWrite, file, [&] { return FileSystemWrapper::NewWritableFile(path, options, file, debug); });
}

IOStatus FaultFileSystem::ReopenWritableFile(const std::string& path, const FileOptions& options,
                                             std::unique_ptr<FSWritableFile>* file, Debug* debug) {
  return OpenWrapped<WritableFile>(
      this, kOpen, file, [&] { return FileSystemWrapper::ReopenWritableFile(path, options, file, debug); });
}

IOStatus FaultFileSystem::NewDirectory(const std::string& path, const IOOptions& options,
                                       std::unique_ptr<FSDirectory>* directory, Debug* debug) {
  return OpenWrapped<Directory>(this, kOpen, directory, [&] {
    return FileSystemWrapper::NewDirectory(path, options, directory, debug);
  });
}

IOStatus FaultFileSystem::FileExists(const std::string& path, const IOOptions& options, Debug* debug) {
  IOStatus status = Begin(kOpen);
  return status.ok() ? FileSystemWrapper::FileExists(path, options, debug) : status;
}

IOStatus FaultFileSystem::GetChildren(const std::string& path, const IOOptions& options,
                                      std::vector<std::string>* names, Debug* debug) {
  IOStatus status = Begin(kOpen);
  return status.ok() ? FileSystemWrapper::GetChildren(path, options, names, debug) : status;
}

IOStatus FaultFileSystem::GetFileSize(const std::string& path, const IOOptions& options, uint64_t* size,
                                      Debug* debug) {
  IOStatus status = Begin(kOpen);
  return status.ok() ? FileSystemWrapper::GetFileSize(path, options, size, debug) : status;
}

IOStatus FaultFileSystem::CreateDir(const std::string& path, const IOOptions& options, Debug* debug) {
  IOStatus status = Begin(kWrite);
  return status.ok() ? FileSystemWrapper::CreateDir(path, options, debug) : status;
}

IOStatus FaultFileSystem::CreateDirIfMissing(const std::string& path, const IOOptions& options,
                                             Debug* debug) {
  IOStatus status = Begin(kWrite);
  return status.ok() ? FileSystemWrapper::CreateDirIfMissing(path, options, debug) : status;
}

IOStatus FaultFileSystem::RenameFile(const std::string& from, const std::string& to, const IOOptions& options,
                                     Debug* debug) {
  IOStatus status = Begin(kChange);
  return status.ok() ? FileSystemWrapper::RenameFile(from, to, options, debug) : status;
}

IOStatus FaultFileSystem::LinkFile(const std::string& from, const std::string& to, const IOOptions& options,
                                   Debug* debug) {
  IOStatus status = Begin(kChange);
  return status.ok() ? FileSystemWrapper::LinkFile(from, to, options, debug) : status;
}

IOStatus FaultFileSystem::DeleteFile(const std::string& path, const IOOptions& options, Debug* debug) {
  IOStatus status = Begin(kChange);
  return status.ok() ? FileSystemWrapper::DeleteFile(path, options, debug) : status;
}

IOStatus FaultFileSystem::LockFile(const std::string& path, const IOOptions& options,
                                   rocksdb::FileLock** lock, Debug* debug) {
  IOStatus status = Begin(kChange);
  return status.ok() ? FileSystemWrapper::LockFile(path, options, lock, debug) : status;
}

}  // namespace ocfsgw::cache
