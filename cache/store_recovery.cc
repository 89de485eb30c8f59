#include "cache/store_recovery.h"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <unordered_map>
#include <utility>

#include "cache/store_state.h"

namespace ocfsgw::cache {
namespace {

rocksdb::Status DropOldest(OpenedStore* store) {
  const std::shared_ptr<Segment> oldest = store->segments.front();
  for (IndexSlot* slot : store->index.OfSegment(oldest->id())) {
    store->index.Erase(slot);
  }
  store->segments.erase(store->segments.begin());
  return store->db->DropSegment(*oldest);
}

/// Two passes, because a tombstone hides records in its own and all older segments.
rocksdb::Status RebuildIndex(OpenedStore* store, uint64_t index_bytes_max) {
  std::unordered_map<InodeId, Sequence> tombstones;
  for (const auto& segment : store->segments) {
    store->youngest_bytes = kFlushCharge;
    const auto status = store->db->ScanTombstones(*segment, [&](InodeId inode, Sequence sequence) {
      Sequence& newest = tombstones[inode];
      newest = std::max(newest, sequence);
      store->last_sequence = std::max(store->last_sequence, sequence);
      store->youngest_bytes += kTombstoneCharge;
    });
    if (!status.ok()) {
      return status;
    }
  }
  for (size_t next = 0; next < store->segments.size(); ++next) {
    const std::shared_ptr<Segment> segment = store->segments[next];
    uint64_t charge = 0;
    const auto status = store->db->ScanRecords(*segment, [&](const RecordKey& key, const IndexValue& value) {
      charge += RecordCharge(value.length);
      store->last_sequence = std::max(store->last_sequence, value.sequence);
      const auto tombstone = tombstones.find(key.inode);
      if (tombstone != tombstones.end() && tombstone->second > value.sequence) {
        return;
      }
      IndexSlot* const slot = store->index.FindOrAdd(key);
      // Equal for a record that was kept when the process ended: the younger copy stays.
      if (slot->second.sequence <= value.sequence) {
        store->index.SetQueued(slot, value.stamp, value.sequence, value.length);
        store->index.SetStored(slot, segment->id());
      }
    });
    if (!status.ok()) {
      return status;
    }
    if (segment == store->segments.back()) {
      store->youngest_bytes += charge;
    }
    for (; next > 0 && store->index.MemoryBytes() > index_bytes_max; --next) {
      if (const auto dropped = DropOldest(store); !dropped.ok()) {
        return dropped;
      }
    }
  }
  return rocksdb::Status::OK();
}

Status ToStatus(const rocksdb::Status& status) {
  if (status.ok()) {
    return Status::Ok();
  }
  if (status.IsNoSpace()) {
    return Status(StatusCode::kUnavailable, status.ToString());
  }
  // As opposed to a database that will never be good again.
  const bool may_pass = status.IsIOError() && !status.IsPathNotFound();
  return may_pass ? Status::FromErrno(EIO, status.ToString())
                  : Status(StatusCode::kCorrupt, status.ToString());
}

std::string CurrentFile(const StoreDirectory& directory) { return directory.database_path() + "/CURRENT"; }
std::string HiddenFile(const StoreDirectory& directory) { return CurrentFile(directory) + ".hidden"; }

Status OpenExisting(const SegmentDbOptions& options, uint64_t index_bytes_max, OpenedStore* store) {
  OpenedStore opened;
  OCFSGW_RETURN_IF_ERROR(ToStatus(SegmentDb::Open(options, &opened.db, &opened.segments)));
  OCFSGW_RETURN_IF_ERROR(ToStatus(RebuildIndex(&opened, index_bytes_max)));
  *store = std::move(opened);
  return Status::Ok();
}

}  // namespace

Result<OpenedStore> OpenOrCreateStore(const StoreDirectory& directory, VolumeId volume,
                                      const SegmentDbOptions& options, uint64_t index_bytes_max,
                                      bool discard) {
  OpenedStore store;
  Status found = directory.CheckFormat(volume);
  if (found.ok() && discard) {
    found = Status(StatusCode::kCorrupt, "it could not be opened for too long");
  }
  if (found.ok()) {
    found = OpenExisting(options, index_bytes_max, &store);
    if (found.ok()) {
      return store;
    }
  }
  if (found.Is(StatusCode::kUnavailable) || found.Is(StatusCode::kSystem)) {
    return found;
  }
  if (found.Is(StatusCode::kCorrupt)) {
    if (Status moved = directory.SetAside(found.ToString()); !moved.ok()) {
      return Status(StatusCode::kUnavailable, moved.ToString());
    }
  }
  if (mkdir(options.path.c_str(), S_IRWXU) != 0) {
    return Status(StatusCode::kUnavailable, Status::LastErrno("cannot create " + options.path).ToString());
  }
  if (const rocksdb::Status created = SegmentDb::Create(options, &store.db); !created.ok()) {
    return Status(StatusCode::kUnavailable, created.ToString());
  }
  // Last: a database without it is one whose making was interrupted.
  if (Status written = directory.WriteFormat(volume); !written.ok()) {
    return Status(StatusCode::kUnavailable, written.ToString());
  }
  return store;
}

Status HideDatabase(const StoreDirectory& directory) {
  const std::string current = CurrentFile(directory);
  if (rename(current.c_str(), HiddenFile(directory).c_str()) != 0 && errno != ENOENT) {
    return Status::LastErrno("cannot rename " + current);
  }
  return Status::Ok();
}

void ShowDatabase(const StoreDirectory& directory) {
  // What is not there was taken away by somebody else, and opening says what that means.
  (void)rename(HiddenFile(directory).c_str(), CurrentFile(directory).c_str());
}

}  // namespace ocfsgw::cache
