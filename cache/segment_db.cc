#include "cache/segment_db.h"

#include <rocksdb/cache.h>
#include <rocksdb/env.h>
#include <rocksdb/file_system.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/table.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <limits>
#include <string_view>
#include <system_error>
#include <vector>

#include "base/log.h"
#include "cache/segment_file_system.h"

namespace ocfsgw::cache {
namespace {

constexpr std::string_view kSegmentPrefix = "segment-";
constexpr int kOpenFilesMax = 512;
constexpr uint64_t kManifestBytesMin = 256 << 10;
constexpr uint64_t kManifestBytesMax = 64 << 20;
constexpr uint64_t kManifestShare = 256;  // of the quota
constexpr double kBloomBitsPerKey = 10;
constexpr size_t kLogLineMax = 512;
constexpr int kNever = std::numeric_limits<int>::max() / 2;

/// RocksDB's warnings go to our log. Not to LOG files of its own: RocksDB repeats the options of every column
/// family ever created at the head of each of them, and keeps those in memory.
class ForwardingLogger final : public rocksdb::Logger {
 public:
  ForwardingLogger() : rocksdb::Logger(rocksdb::InfoLogLevel::WARN_LEVEL) {}
  using rocksdb::Logger::Logv;
  void LogHeader(const char* /*format*/, va_list /*arguments*/) override {}
  void Logv(const char* format, va_list arguments) override {
    std::array<char, kLogLineMax> line;
    if (vsnprintf(line.data(), line.size(), format, arguments) > 0) {
      log::Debug("rocksdb: {}", line.data());
    }
  }
};

/// Whether a record of this log or manifest is of a kind that we never write (db/log_format.h: blocks of 32
/// KiB; of a record 4 bytes checksum, 2 length, 1 kind; kinds from 5 on are for recycled logs or not invented
/// yet). False for what cannot be read: that is for RocksDB to say.
bool HasUnknownKind(const std::filesystem::path& path) {
  constexpr size_t kBlockBytes = 32768;
  constexpr size_t kHeaderBytes = 7;
  constexpr unsigned char kKindMax = 4;
  std::ifstream file(path, std::ios::binary);
  std::vector<char> block(kBlockBytes);
  while (file.read(block.data(), kBlockBytes), file.gcount() > 0) {
    const auto bytes = static_cast<size_t>(file.gcount());
    for (size_t at = 0; at + kHeaderBytes <= bytes;) {
      const auto byte = [&](size_t index) { return static_cast<unsigned char>(block[at + index]); };
      if (byte(6) > kKindMax) {
        return true;
      }
      at += kHeaderBytes + byte(4) + (size_t{byte(5)} << 8);
    }
  }
  return false;
}

/// RocksDB takes a record of a kind that only recycled logs have, and that belongs to another log, for the
/// end of the log: one flipped bit of its kind, which no checksum covers then, and it is gone without a word,
/// and what was dropped is back. We recycle no logs.
rocksdb::Status CheckLogs(const std::string& directory) {
  std::error_code error;
  for (std::filesystem::directory_iterator it(directory, error), end; !error && it != end;
       it.increment(error)) {
    const std::filesystem::path& path = it->path();
    const bool log = path.extension() == ".log" || path.filename().string().starts_with("MANIFEST-");
    if (log && HasUnknownKind(path)) {
      return rocksdb::Status::Corruption("a record of unknown kind", path.string());
    }
  }
  return rocksdb::Status::OK();
}

std::unique_ptr<rocksdb::Env> MakeEnv(std::shared_ptr<rocksdb::FileSystem> file_system) {
  if (file_system == nullptr) {
    file_system = rocksdb::FileSystem::Default();
  }
  return rocksdb::NewCompositeEnv(std::make_shared<SegmentFileSystem>(std::move(file_system)));
}

rocksdb::Options MakeOptions(const SegmentDbOptions& options, rocksdb::Env* env) {
  rocksdb::Options db;
  db.env = env;
  // Segments are written once and dropped whole: never compacted, never slowed down for want of compaction.
  db.disable_auto_compactions = true;
  db.level0_file_num_compaction_trigger = kNever;
  db.level0_slowdown_writes_trigger = kNever;
  db.level0_stop_writes_trigger = kNever;
  db.soft_pending_compaction_bytes_limit = 0;
  db.hard_pending_compaction_bytes_limit = 0;
  db.compression = rocksdb::kNoCompression;
  // The store flushes by itself, at half of what the memtables may take, so that it sees the result.
  db.write_buffer_manager = options.memory->memtables();
  db.write_buffer_size = db.write_buffer_manager->buffer_size();
  db.allow_concurrent_memtable_write = false;  // there is one writer
  // Bounds on everything else that takes disk, memory or descriptors.
  db.info_log = std::make_shared<ForwardingLogger>();
  db.max_manifest_file_size =
      std::clamp(options.cache_size / kManifestShare, kManifestBytesMin, kManifestBytesMax);
  db.allow_fallocate = false;  // preallocated blocks would count against the quota
  db.max_open_files = kOpenFilesMax;
  db.skip_stats_update_on_db_open = true;
  db.stats_dump_period_sec = 0;
  db.stats_persist_period_sec = 0;
  // The log has only tombstones: rather lose the records than bring back what was dropped. Not even a last
  // record that is too short is tolerated, since a flipped bit in a length looks the same.
  db.wal_recovery_mode = rocksdb::WALRecoveryMode::kAbsoluteConsistency;
  // Errors come back at once; the store closes the database and tries again by its own rules.
  db.max_bgerror_resume_count = 0;
  db.avoid_flush_during_shutdown = true;  // the store flushes what it wants to keep

  rocksdb::BlockBasedTableOptions table;
  table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(kBloomBitsPerKey));
  table.checksum = rocksdb::kXXH3;
  table.format_version = 5;
  table.flush_block_policy_factory = std::make_shared<ValuesAlone>();
  table.block_cache = options.memory->block_cache();
  table.no_block_cache = table.block_cache == nullptr;
  if (table.block_cache != nullptr) {
    // Indexes and filters of open tables take their part of it.
    table.cache_usage_options.options_overrides[rocksdb::CacheEntryRole::kBlockBasedTableReader].charged =
        rocksdb::CacheEntryRoleOptions::Decision::kEnabled;
  }
  db.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  return db;
}

std::string SegmentName(SegmentId id) { return fmt::format("{}{:08x}", kSegmentPrefix, id); }

/// 0 if `name` is none of SegmentName's.
SegmentId ParseSegmentName(std::string_view name) {
  SegmentId id = 0;
  if (name.starts_with(kSegmentPrefix)) {
    name.remove_prefix(kSegmentPrefix.size());
    const auto parsed = std::from_chars(name.data(), name.data() + name.size(), id, 16);
    if (parsed.ec != std::errc{} || parsed.ptr != name.data() + name.size()) {
      return 0;
    }
  }
  return id;
}

template <size_t size>
rocksdb::Slice ToSlice(const std::array<char, size>& bytes) {
  return {bytes.data(), bytes.size()};
}

/// Calls `visit(key, value)` for every entry whose key starts with `prefix`, until it says false: that is
/// corruption.
template <typename Visit>
rocksdb::Status Scan(rocksdb::DB* db, rocksdb::ColumnFamilyHandle* handle, char prefix, const Visit& visit) {
  const char after = static_cast<char>(prefix + 1);
  const rocksdb::Slice upper(&after, 1);
  rocksdb::ReadOptions read;
  read.iterate_upper_bound = &upper;
  read.fill_cache = false;
  const std::unique_ptr<rocksdb::Iterator> it(db->NewIterator(read, handle));
  for (it->Seek(rocksdb::Slice(&prefix, 1)); it->Valid(); it->Next()) {
    if (!visit(it->key().ToStringView(), it->value().ToStringView())) {
      return rocksdb::Status::Corruption("malformed entry");
    }
  }
  return it->status();
}

}  // namespace

Segment::~Segment() { (void)db_->db_->DestroyColumnFamilyHandle(handle_); }

rocksdb::Status Segment::Read(const RecordKey& key, rocksdb::PinnableSlice* record) const {
  return db_->db_->Get(rocksdb::ReadOptions(), handle_, ToSlice(EncodeKey(kDataPrefix, key)), record);
}

rocksdb::Status Segment::ReadInto(const RecordKey& key, HeaderBytes* header, std::span<char> payload,
                                  rocksdb::PinnableSlice* record) const {
  if (header->size() + payload.size() < kAloneBytesMin) {
    return Read(key, record);
  }
  const RecordKeyBytes data_key = EncodeKey(kDataPrefix, key);
  DirectRead direct(ToSlice(data_key).ToStringView(), *header, payload);
  rocksdb::ReadOptions options;
  options.fill_cache = false;  // the kernel caches the file
  const rocksdb::Status status = db_->db_->Get(options, handle_, ToSlice(data_key), record);
  return direct.done() ? rocksdb::Status::OK() : status;
}

SegmentDb::SegmentDb(const SegmentDbOptions& options)
    : env_(MakeEnv(options.file_system)), options_(MakeOptions(options, env_.get())) {}

SegmentDb::~SegmentDb() {
  if (db_ != nullptr) {
    (void)db_->DestroyColumnFamilyHandle(default_handle_);
    delete db_;
  }
}

rocksdb::Status SegmentDb::Create(const SegmentDbOptions& options, std::shared_ptr<SegmentDb>* db) {
  std::shared_ptr<SegmentDb> made(new SegmentDb(options));
  rocksdb::Options create(made->options_);
  create.create_if_missing = true;
  create.error_if_exists = true;
  std::vector<rocksdb::ColumnFamilyHandle*> handles;
  const rocksdb::Status status = rocksdb::DB::Open(
      create, options.path, {{rocksdb::kDefaultColumnFamilyName, create}}, &handles, &made->db_);
  if (status.ok()) {
    made->default_handle_ = handles.front();
    *db = std::move(made);
  }
  return status;
}

rocksdb::Status SegmentDb::Open(const SegmentDbOptions& options, std::shared_ptr<SegmentDb>* db,
                                Segments* segments) {
  if (const rocksdb::Status checked = CheckLogs(options.path); !checked.ok()) {
    return checked;
  }
  std::shared_ptr<SegmentDb> made(new SegmentDb(options));
  std::vector<std::string> names;
  rocksdb::Status status = rocksdb::DB::ListColumnFamilies(made->options_, options.path, &names);
  if (!status.ok()) {
    return status;
  }
  std::vector<rocksdb::ColumnFamilyDescriptor> families;
  for (const std::string& name : names) {
    if (name != rocksdb::kDefaultColumnFamilyName && ParseSegmentName(name) == 0) {
      return rocksdb::Status::Corruption("it has a column family that is no segment", name);
    }
    families.emplace_back(name, made->options_);
  }
  std::vector<rocksdb::ColumnFamilyHandle*> handles;
  status = rocksdb::DB::Open(made->options_, options.path, families, &handles, &made->db_);
  if (!status.ok()) {
    return status;
  }
  for (rocksdb::ColumnFamilyHandle* handle : handles) {
    if (handle->GetName() == rocksdb::kDefaultColumnFamilyName) {
      made->default_handle_ = handle;
    } else {
      segments->push_back(std::make_shared<Segment>(made, ParseSegmentName(handle->GetName()), handle));
    }
  }
  std::sort(segments->begin(), segments->end(),
            [](const auto& a, const auto& b) { return a->id() < b->id(); });
  *db = std::move(made);
  return status;
}

rocksdb::Status SegmentDb::CreateSegment(SegmentId id, std::shared_ptr<Segment>* segment) {
  rocksdb::ColumnFamilyHandle* handle = nullptr;
  const rocksdb::Status status = db_->CreateColumnFamily(options_, SegmentName(id), &handle);
  if (handle != nullptr) {
    *segment = std::make_shared<Segment>(shared_from_this(), id, handle);
  }
  return status;
}

rocksdb::Status SegmentDb::DropSegment(const Segment& segment) {
  return db_->DropColumnFamily(segment.handle());
}

rocksdb::Status SegmentDb::Write(rocksdb::WriteBatch* batch, bool logged) {
  rocksdb::WriteOptions options;
  options.disableWAL = !logged;
  options.no_slowdown = true;  // an error instead of a stall without end
  return db_->Write(options, batch);
}

rocksdb::Status SegmentDb::Flush(const Segment& segment) {
  rocksdb::FlushOptions options;
  options.wait = true;
  options.allow_write_stall = true;
  return db_->Flush(options, segment.handle());
}

rocksdb::Status SegmentDb::ScanTombstones(const Segment& segment, const OnTombstone& found) {
  return Scan(db_, segment.handle(), kTombstonePrefix, [&](std::string_view key, std::string_view value) {
    const auto inode = DecodeTombstoneKey(key);
    const auto sequence = DecodeSequence(value);
    if (inode && sequence) {
      found(*inode, *sequence);
    }
    return inode && sequence;
  });
}

rocksdb::Status SegmentDb::ScanRecords(const Segment& segment, const OnRecord& found) {
  return Scan(db_, segment.handle(), kIndexPrefix, [&](std::string_view key, std::string_view value) {
    const auto record = DecodeIndexKey(key);
    const auto index = DecodeIndexValue(value);
    if (record && index) {
      found(*record, *index);
    }
    return record && index;
  });
}

}  // namespace ocfsgw::cache
