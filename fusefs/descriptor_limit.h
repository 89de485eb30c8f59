#pragma once

#include "base/status.h"

namespace ocfsgw::fusefs {

/// Descriptors without which a gateway does not start: 64 workers each have a clone of /dev/fuse, the page
/// store and the executors take about 40, and some files and leases should be open, too.
inline constexpr unsigned kDescriptorsMin = 128;

/// Raises the limit of open files to the hard one; kInvalidArgument, with one line for the user, if that is
/// less than kDescriptorsMin. For what is started from here on, too.
Status RaiseDescriptorLimit();

}  // namespace ocfsgw::fusefs
