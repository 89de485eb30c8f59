#pragma once

#include <atomic>
#include <boost/asio/ssl/context.hpp>
#include <cstdint>
#include <memory>
#include <string>

#include "base/mutex.h"
#include "base/status.h"

namespace ocfsgw::injector {

/// The serving certificate and its key, read again when the files change. A mounted Secret changes by the
/// swap of one symlink, so what is compared is the content behind the names. Thread-safe.
class TlsFiles {
 public:
  using Context = std::shared_ptr<boost::asio::ssl::context>;

  /// Files in PEM; the chain begins with the certificate.
  TlsFiles(std::string cert_file, std::string key_file);

  /// Reads the files if they are not what was read last. Blocks as read(2) does. Errors (kInvalidArgument,
  /// one line): they cannot be read or do not belong together; then the context stays as it was, and the same
  /// files are tried again only when they have changed. True: there is a new context.
  Result<bool> Refresh();
  /// TLS 1.2 and later. Null before the first Refresh that succeeded.
  Context context() const;
  /// When the certificate ends, in seconds since the epoch; 0: there is none.
  int64_t not_after() const { return not_after_.load(std::memory_order_relaxed); }

 private:
  const std::string cert_file_;
  const std::string key_file_;
  mutable Mutex mutex_;
  Context context_ GUARDED_BY(mutex_);
  std::string last_read_ GUARDED_BY(mutex_);  ///< Hash of both files.
  std::atomic<int64_t> not_after_{0};
};

}  // namespace ocfsgw::injector
