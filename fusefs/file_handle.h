#pragma once

#define FUSE_USE_VERSION 312
#include <fuse_lowlevel.h>

#include <memory>

#include "coherence/coherent_fs.h"

namespace ocfsgw::fusefs {

/// The kernel keeps our OpenFile as a number from OPEN or CREATE to RELEASE.
inline uint64_t ToHandle(std::unique_ptr<coherence::OpenFile> file) {
  return reinterpret_cast<uint64_t>(file.release());
}
inline coherence::OpenFile& FileOf(const fuse_file_info* fi) {
  return *reinterpret_cast<coherence::OpenFile*>(fi->fh);  // NOLINT(performance-no-int-to-ptr)
}

}  // namespace ocfsgw::fusefs
