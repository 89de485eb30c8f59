#pragma once

#include <string>

#include "base/exit_code.h"
#include "docker/injector/command_line.h"

namespace ocfsgw::injector {

/// `ocfsgw-injector bootstrap`: sees to it that there are a serving certificate and its key, good for longer
/// than options.renew_days, in the Secret (or in options.out_dir), and that the webhook configuration has its
/// CA. Changes only what is missing or about to end; may run several times at once. While certificates
/// change, clients are told to trust the CA before and the CA to come. `service_account`: as of ApiClient.
/// Says on stderr what it did or why it could not: kExitUsage: no pod, no such namespace's service in the
/// configuration; kExitSource: the API does not answer or does not allow it; kExitRuntime: OpenSSL, the disk,
/// or others change the same objects all the time.
ExitCode Bootstrap(const BootstrapOptions& options, const std::string& service_account);

}  // namespace ocfsgw::injector
