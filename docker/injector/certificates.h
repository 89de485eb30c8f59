#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "base/status.h"

namespace ocfsgw::injector {

using SystemTime = std::chrono::system_clock::time_point;

/// What a server needs and its clients: all PEM.
struct CertificateSet {
  std::string cert;  ///< Of the server, signed by the first of `ca`.
  std::string key;   ///< Of `cert`.
  std::string ca;    ///< One or more.
};

/// A new CA, whose key is forgotten at once, and a certificate of it for the DNS names `names`, both valid
/// from five minutes before `now` for `days` days. P-256. kUnavailable: OpenSSL could not.
Result<CertificateSet> MakeCertificates(const std::vector<std::string>& names, SystemTime now, unsigned days);

/// Ok if at time `when` clients that trust `set.ca` take `set.cert` for a server of each of `names`, and the
/// key is its own; else kNotFound, which says why not.
Status CheckCertificates(const CertificateSet& set, const std::vector<std::string>& names, SystemTime when);

/// The first certificate of `ca`, to be trusted beside a new one until nobody uses the old; "" if there is
/// none.
std::string FirstCertificate(const std::string& ca);

}  // namespace ocfsgw::injector
