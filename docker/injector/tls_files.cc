#include "docker/injector/tls_files.h"

#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <boost/asio/buffer.hpp>
#include <ctime>
#include <fstream>

#include "base/path.h"

namespace ocfsgw::injector {
namespace {

namespace ssl = boost::asio::ssl;

constexpr std::streamsize kFileBytesMax = 1 << 20;

Result<std::string> ReadFile(const std::string& name) {
  std::ifstream in(name, std::ios::binary);
  std::string text(static_cast<size_t>(kFileBytesMax), '\0');
  if (!in) return Status(StatusCode::kInvalidArgument, Status::LastErrno(name).ToString());
  in.read(text.data(), kFileBytesMax);
  text.resize(static_cast<size_t>(in.gcount()));
  if (in.bad() || text.size() == static_cast<size_t>(kFileBytesMax)) {
    return Status(StatusCode::kInvalidArgument,
                  fmt::format("{}: cannot be read, or is larger than 1 MiB", name));
  }
  return text;
}

int64_t NotAfter(SSL_CTX* context) {
  std::tm end{};
  const X509* certificate = SSL_CTX_get0_certificate(context);
  if (certificate == nullptr || ASN1_TIME_to_tm(X509_get0_notAfter(certificate), &end) != 1) return 0;
  return timegm(&end);
}

Result<TlsFiles::Context> Load(const std::string& cert_file, const std::string& cert,
                               const std::string& key_file, const std::string& key) {
  const auto refuse = [](const std::string& file, std::string_view what) {
    ERR_clear_error();
    return Status(StatusCode::kInvalidArgument, fmt::format("{}: {}", file, what));
  };
  auto context = std::make_shared<ssl::context>(ssl::context::tls_server);
  boost::system::error_code error;
  context->set_options(ssl::context::default_workarounds | ssl::context::no_tlsv1 | ssl::context::no_tlsv1_1 |
                           ssl::context::no_compression | SSL_OP_NO_RENEGOTIATION,
                       error);
  if (!error) context->use_certificate_chain(boost::asio::buffer(cert), error);
  if (error) return refuse(cert_file, "is not a certificate in PEM");
  context->use_private_key(boost::asio::buffer(key), ssl::context::pem, error);
  if (error) {
    return refuse(key_file, fmt::format("is not a private key in PEM, or not that of {}", cert_file));
  }
  SSL_CTX* native = context->native_handle();
  if (SSL_CTX_check_private_key(native) != 1) {
    return refuse(key_file, fmt::format("is not the key of {}", cert_file));
  }
  SSL_CTX_set_mode(native, SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_session_cache_mode(native, SSL_SESS_CACHE_OFF);
  return context;
}

}  // namespace

TlsFiles::TlsFiles(std::string cert_file, std::string key_file)
    : cert_file_(std::move(cert_file)), key_file_(std::move(key_file)) {}

Result<bool> TlsFiles::Refresh() {
  OCFSGW_ASSIGN_OR_RETURN(const std::string cert, ReadFile(cert_file_));
  OCFSGW_ASSIGN_OR_RETURN(const std::string key, ReadFile(key_file_));
  {
    const MutexLock lock(mutex_);
    std::string read = HashedName(cert + '\0' + key);
    if (read == last_read_) return false;
    last_read_ = std::move(read);
  }
  OCFSGW_ASSIGN_OR_RETURN(Context loaded, Load(cert_file_, cert, key_file_, key));
  not_after_.store(NotAfter(loaded->native_handle()), std::memory_order_relaxed);
  const MutexLock lock(mutex_);
  context_ = std::move(loaded);
  return true;
}

TlsFiles::Context TlsFiles::context() const {
  const MutexLock lock(mutex_);
  return context_;
}

}  // namespace ocfsgw::injector
