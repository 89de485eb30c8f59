#pragma once

#include <cstdint>
#include <string>

namespace ocfsgw::posixdiff {

/// An access control list as in system.posix_acl_access; some are invalid. The same for the same number.
std::string AclOf(int64_t number);

}  // namespace ocfsgw::posixdiff
