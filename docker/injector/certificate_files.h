#pragma once

#include <string>

#include "base/status.h"
#include "docker/injector/certificates.h"

namespace ocfsgw::injector {

/// tls.crt, tls.key and ca.crt of `directory`; what cannot be read is empty.
CertificateSet ReadCertificateFiles(const std::string& directory);

/// Writes them, making `directory` if it is missing; the key only for its owner to read. Each file appears
/// whole. kSystem: the disk could not.
Status WriteCertificateFiles(const std::string& directory, const CertificateSet& set);

}  // namespace ocfsgw::injector
