#pragma once

#include <string>

#include "base/status.h"

namespace ocfsgw::bench {

/// Writes out what is dirty, and empties the kernel's caches of the whole machine: pages, names and inodes.
/// kSystem: EACCES unless it is root who asks.
Status DropKernelCaches();

/// Reads all regular files below `directory`, so that their pages, names and attributes are in the kernel's
/// caches. Files that vanish meanwhile are left out; kSystem if another cannot be read.
Status ReadIntoKernelCaches(const std::string& directory);

}  // namespace ocfsgw::bench
