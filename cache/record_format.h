#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "cache/page_store.h"

/// How records lie in a segment. All integers are big-endian. Changing anything here means a new
/// kFormatVersion.
///
/// | key                                              | value                                            |
/// |--------------------------------------------------|--------------------------------------------------|
/// | 'd' ino:8 generation:4 kind:1 index:8            | header (see EncodeHeader), payload               |
/// | 'i' ino:8 generation:4 kind:1 index:8            | stamp:8 sequence:8 length:4                      |
/// | 'x' ino:8 generation:4                           | sequence:8                                       |
///
/// 'd' and 'i' of a record are written in one batch; the 'i' range alone rebuilds the index. 'x' is a
/// tombstone: it hides the inode's records with lower sequence numbers.
namespace ocfsgw::cache {

/// Orders everything put and dropped in the life of a store; starts at 1.
using Sequence = uint64_t;

inline constexpr uint8_t kFormatVersion = 1;

inline constexpr char kDataPrefix = 'd';
inline constexpr char kIndexPrefix = 'i';
inline constexpr char kTombstonePrefix = 'x';

using RecordKeyBytes = std::array<char, 22>;
using TombstoneKeyBytes = std::array<char, 13>;
using HeaderBytes = std::array<char, 42>;
using IndexValueBytes = std::array<char, 20>;
using SequenceBytes = std::array<char, 8>;

struct IndexValue {
  StampHash stamp;
  Sequence sequence = 0;
  uint32_t length = 0;  ///< Of the payload, in bytes.
};

/// `prefix`: kDataPrefix or kIndexPrefix.
RecordKeyBytes EncodeKey(char prefix, const RecordKey& key);
TombstoneKeyBytes EncodeTombstoneKey(InodeId inode);
IndexValueBytes EncodeIndexValue(const IndexValue& value);
SequenceBytes EncodeSequence(Sequence sequence);
/// version:1 ino:8 generation:4 kind:1 index:8 stamp:8 length:4 checksum:8. The checksum is XXH3 of the
/// payload, seeded with XXH3 of the header before it, which is seeded with the volume: it covers the whole
/// record.
HeaderBytes EncodeHeader(VolumeId volume, const RecordKey& key, StampHash stamp, std::string_view payload);

// Nothing when the bytes are not what the encoder above makes.
std::optional<RecordKey> DecodeIndexKey(std::string_view bytes);
std::optional<InodeId> DecodeTombstoneKey(std::string_view bytes);
std::optional<IndexValue> DecodeIndexValue(std::string_view bytes);
std::optional<Sequence> DecodeSequence(std::string_view bytes);

/// Whether `payload`, stored after `header`, is what was put under exactly this volume, key and stamp.
bool Verified(VolumeId volume, const RecordKey& key, StampHash stamp, const HeaderBytes& header,
              std::string_view payload);
/// The payload in `record` (a 'd' value; the result points into it) if it is what was put under exactly this
/// volume, key, stamp and length.
std::optional<std::string_view> VerifiedPayload(VolumeId volume, const RecordKey& key, StampHash stamp,
                                                uint32_t length, std::string_view record);

}  // namespace ocfsgw::cache
