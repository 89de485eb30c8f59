#pragma once

#include <memory>
#include <string>

#include "cache/store_state.h"

namespace ocfsgw::cache {

/// The one thread that sees to a slow disk: logs that it is, writes and reads a small file every
/// slow_probe_interval until it is not any more, and logs that. Everything but `state` is used by that thread
/// alone.
class DiskProbe {
 public:
  /// The file is store/PROBE (store_directory.h); `state` outlives this.
  DiskProbe(StoreState* state, const std::string& database_path, const RocksdbPageStoreOptions& options);

  /// The thread: until state->stopping, and then for as long as a probe under way takes.
  void Run();

 private:
  bool AwaitSlow();
  bool AwaitNextProbe();
  void Probe();

  StoreState* const state_;
  const std::string database_path_;
  const std::shared_ptr<rocksdb::FileSystem> files_;
  const Duration limit_;
  const Duration interval_;
};

}  // namespace ocfsgw::cache
