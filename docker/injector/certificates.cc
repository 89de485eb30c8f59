#include "docker/injector/certificates.h"

#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <memory>

namespace ocfsgw::injector {
namespace {

template <typename T, void (*free_it)(T*)>
struct Deleter {
  void operator()(T* object) const { free_it(object); }
};
void FreeBio(BIO* bio) { BIO_free_all(bio); }

using Bio = std::unique_ptr<BIO, Deleter<BIO, FreeBio>>;
using Key = std::unique_ptr<EVP_PKEY, Deleter<EVP_PKEY, EVP_PKEY_free>>;
using Certificate = std::unique_ptr<X509, Deleter<X509, X509_free>>;
using Extension = std::unique_ptr<X509_EXTENSION, Deleter<X509_EXTENSION, X509_EXTENSION_free>>;
using Store = std::unique_ptr<X509_STORE, Deleter<X509_STORE, X509_STORE_free>>;
using StoreContext = std::unique_ptr<X509_STORE_CTX, Deleter<X509_STORE_CTX, X509_STORE_CTX_free>>;

constexpr std::chrono::minutes kClockSkew{5};
constexpr int kSerialBytes = 16;

std::string OpensslError() {
  const unsigned long code = ERR_get_error();
  ERR_clear_error();
  const char* reason = code != 0 ? ERR_reason_error_string(code) : nullptr;
  return reason != nullptr ? reason : "unknown error";
}

Status Failed(std::string_view what) {
  return {StatusCode::kUnavailable, fmt::format("OpenSSL: {}: {}", what, OpensslError())};
}

Bio Reading(const std::string& text) {
  return Bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

template <typename Write>
std::string Pem(Write write) {
  const Bio bio(BIO_new(BIO_s_mem()));
  char* data = nullptr;
  if (!bio || write(bio.get()) != 1) return {};
  const long size = BIO_get_mem_data(bio.get(), &data);
  return {data, static_cast<size_t>(size)};
}

std::string PemOf(X509* certificate) {
  return Pem([certificate](BIO* bio) { return PEM_write_bio_X509(bio, certificate); });
}

std::vector<Certificate> Certificates(const std::string& pem) {
  std::vector<Certificate> certificates;
  const Bio bio = Reading(pem);
  while (X509* next = PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr)) {
    certificates.emplace_back(next);
  }
  ERR_clear_error();  // the end of the text is an error, too
  return certificates;
}

bool AddExtension(X509* certificate, X509* issuer, int nid, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  const Extension extension(X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str()));
  return extension && X509_add_ext(certificate, extension.get(), -1) == 1;
}

bool SetSerial(X509* certificate) {
  unsigned char bytes[kSerialBytes];
  if (RAND_bytes(bytes, sizeof(bytes)) != 1) return false;
  bytes[0] = (bytes[0] & 0x7f) | 0x40;  // positive, of full length
  BIGNUM* number = BN_bin2bn(bytes, sizeof(bytes), nullptr);
  const bool set =
      number != nullptr && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate)) != nullptr;
  BN_free(number);
  return set;
}

bool SetName(X509_NAME* name, const std::string& common_name) {
  return X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8,
                                    reinterpret_cast<const unsigned char*>(common_name.c_str()), -1, -1,
                                    0) == 1;
}

/// An unsigned certificate for `key`; its extensions and its issuer's name are to be added.
Certificate Unsigned(EVP_PKEY* key, const std::string& name, SystemTime now, unsigned days) {
  Certificate certificate(X509_new());
  X509* raw = certificate.get();
  const time_t begin = std::chrono::system_clock::to_time_t(now - kClockSkew);
  const time_t end = std::chrono::system_clock::to_time_t(now + std::chrono::hours(24) * days);
  const bool made = raw != nullptr && X509_set_version(raw, X509_VERSION_3) == 1 && SetSerial(raw) &&
                    ASN1_TIME_set(X509_getm_notBefore(raw), begin) != nullptr &&
                    ASN1_TIME_set(X509_getm_notAfter(raw), end) != nullptr &&
                    X509_set_pubkey(raw, key) == 1 && SetName(X509_get_subject_name(raw), name);
  return made ? std::move(certificate) : nullptr;
}

bool Sign(X509* certificate, X509* issuer, EVP_PKEY* key) {
  return X509_set_issuer_name(certificate, X509_get_subject_name(issuer)) == 1 &&
         AddExtension(certificate, issuer, NID_subject_key_identifier, "hash") &&
         X509_sign(certificate, key, EVP_sha256()) > 0;
}

}  // namespace

Result<CertificateSet> MakeCertificates(const std::vector<std::string>& names, SystemTime now,
                                        unsigned days) {
  const Key ca_key(EVP_EC_gen("P-256"));
  const Key key(EVP_EC_gen("P-256"));
  if (!ca_key || !key) return Failed("cannot make a key");

  const Certificate ca = Unsigned(ca_key.get(), "ocfsgw-injector CA", now, days);
  if (!ca || !AddExtension(ca.get(), ca.get(), NID_basic_constraints, "critical,CA:TRUE,pathlen:0") ||
      !AddExtension(ca.get(), ca.get(), NID_key_usage, "critical,keyCertSign,cRLSign") ||
      !Sign(ca.get(), ca.get(), ca_key.get())) {
    return Failed("cannot make a CA");
  }
  std::string alternatives;
  for (const std::string& name : names) {
    alternatives += (alternatives.empty() ? "DNS:" : ",DNS:") + name;
  }
  const Certificate certificate = Unsigned(key.get(), "ocfsgw-injector", now, days);
  if (!certificate ||
      !AddExtension(certificate.get(), ca.get(), NID_basic_constraints, "critical,CA:FALSE") ||
      !AddExtension(certificate.get(), ca.get(), NID_key_usage, "critical,digitalSignature") ||
      !AddExtension(certificate.get(), ca.get(), NID_ext_key_usage, "serverAuth") ||
      !AddExtension(certificate.get(), ca.get(), NID_subject_alt_name, alternatives) ||
      !AddExtension(certificate.get(), ca.get(), NID_authority_key_identifier, "keyid:always") ||
      !Sign(certificate.get(), ca.get(), ca_key.get())) {
    return Failed("cannot make a certificate");
  }
  CertificateSet set;
  set.cert = PemOf(certificate.get());
  set.ca = PemOf(ca.get());
  set.key = Pem([&key](BIO* bio) {
    return PEM_write_bio_PKCS8PrivateKey(bio, key.get(), nullptr, nullptr, 0, nullptr, nullptr);
  });
  if (set.cert.empty() || set.ca.empty() || set.key.empty()) return Failed("cannot write PEM");
  return set;
}

Status CheckCertificates(const CertificateSet& set, const std::vector<std::string>& names, SystemTime when) {
  const auto no = [](std::string why) {
    ERR_clear_error();
    return Status(StatusCode::kNotFound, std::move(why));
  };
  const auto chain = Certificates(set.cert);
  const auto trusted = Certificates(set.ca);
  const Bio key_text = Reading(set.key);
  const Key key(PEM_read_bio_PrivateKey(key_text.get(), nullptr, nullptr, nullptr));
  if (chain.empty() || trusted.empty() || !key) return no("certificate, key or CA is missing or not PEM");
  X509* certificate = chain.front().get();
  if (X509_check_private_key(certificate, key.get()) != 1)
    return no("the key is not that of the certificate");
  for (const std::string& name : names) {
    if (X509_check_host(certificate, name.c_str(), name.size(), 0, nullptr) != 1) {
      return no(fmt::format("the certificate is not for {}", name));
    }
  }
  const Store store(X509_STORE_new());
  const StoreContext context(X509_STORE_CTX_new());
  for (const Certificate& ca : trusted) X509_STORE_add_cert(store.get(), ca.get());
  if (X509_STORE_CTX_init(context.get(), store.get(), certificate, nullptr) != 1)
    return Failed("verification");
  X509_STORE_CTX_set_time(context.get(), 0, std::chrono::system_clock::to_time_t(when));
  X509_STORE_CTX_set_purpose(context.get(), X509_PURPOSE_SSL_SERVER);
  if (X509_verify_cert(context.get()) != 1) {
    return no(X509_verify_cert_error_string(X509_STORE_CTX_get_error(context.get())));
  }
  return Status::Ok();
}

std::string FirstCertificate(const std::string& ca) {
  const auto certificates = Certificates(ca);
  return certificates.empty() ? "" : PemOf(certificates.front().get());
}

}  // namespace ocfsgw::injector
