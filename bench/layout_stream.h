#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "bench/cache_layout.h"
#include "bench/workloads/content.h"

namespace ocfsgw::bench {

/// Whole files, read block by block in order; which one is next is drawn by Zipf with exponent 0.9. The
/// same for a seed.
///
/// Sizes are those of files on web servers: log-normal with a Pareto tail, with the parameters of SURGE
/// (Barford and Crovella, "Generating Representative Web Workloads", SIGMETRICS 1998, table 1), cut off at
/// 64 MiB. Half are below 13 KB, the mean is about 75 KB. Size and popularity have nothing to do with one
/// another.
class LayoutStream {
 public:
  /// Files of `total_bytes` or a little more.
  LayoutStream(uint64_t seed, uint64_t total_bytes);

  /// What is read next.
  LayoutKey Next();
  /// Bytes of the block that Next() gave last.
  uint64_t Length() const;
  /// Of the same block; bytes that do not compress.
  std::shared_ptr<const std::string> Content() const;

 private:
  Random random_;
  std::vector<uint64_t> sizes_;
  std::unique_ptr<Zipf> zipf_;
  std::string noise_;
  LayoutKey current_;
  bool begun_ = false;
};

}  // namespace ocfsgw::bench
