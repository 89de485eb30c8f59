#include "cache/record_format.h"

#include <algorithm>
#include <span>

#include "base/checksum.h"

namespace ocfsgw::cache {
namespace {

constexpr size_t kChecksumBytes = sizeof(uint64_t);

class Encoder {
 public:
  explicit Encoder(std::span<char> to) : to_(to) {}
  template <typename Int>
  Encoder& Add(Int value) {
    for (size_t i = sizeof(Int); i-- > 0;) {
      to_[at_++] = static_cast<char>(static_cast<uint64_t>(value) >> (8 * i));
    }
    return *this;
  }
  Encoder& Add(const RecordKey& key) {
    return Add(key.inode.ino)
        .Add(key.inode.generation)
        .Add(static_cast<uint8_t>(key.kind))
        .Add(key.index.value);
  }

 private:
  std::span<char> to_;
  size_t at_ = 0;
};

class Decoder {
 public:
  explicit Decoder(std::string_view from) : from_(from) {}
  template <typename Int>
  Int Next() {
    uint64_t value = 0;
    for (size_t i = 0; i < sizeof(Int); ++i) {
      value = (value << 8) | static_cast<uint8_t>(from_[at_++]);
    }
    return static_cast<Int>(value);
  }

 private:
  std::string_view from_;
  size_t at_ = 0;
};

std::span<const std::byte> Bytes(std::string_view text) { return std::as_bytes(std::span(text)); }

}  // namespace

RecordKeyBytes EncodeKey(char prefix, const RecordKey& key) {
  RecordKeyBytes out;
  Encoder(out).Add(static_cast<uint8_t>(prefix)).Add(key);
  return out;
}

TombstoneKeyBytes EncodeTombstoneKey(InodeId inode) {
  TombstoneKeyBytes out;
  Encoder(out).Add(static_cast<uint8_t>(kTombstonePrefix)).Add(inode.ino).Add(inode.generation);
  return out;
}

IndexValueBytes EncodeIndexValue(const IndexValue& value) {
  IndexValueBytes out;
  Encoder(out).Add(value.stamp.value).Add(value.sequence).Add(value.length);
  return out;
}

SequenceBytes EncodeSequence(Sequence sequence) {
  SequenceBytes out;
  Encoder(out).Add(sequence);
  return out;
}

HeaderBytes EncodeHeader(VolumeId volume, const RecordKey& key, StampHash stamp, std::string_view payload) {
  HeaderBytes out;
  Encoder(out).Add(kFormatVersion).Add(key).Add(stamp.value).Add(static_cast<uint32_t>(payload.size()));
  const std::span<char> checksum = std::span(out).last<kChecksumBytes>();
  const std::string_view covered(out.data(), out.size() - kChecksumBytes);
  Encoder(checksum).Add(Xxh3(Bytes(payload), Xxh3(Bytes(covered), volume.value)));
  return out;
}

std::optional<RecordKey> DecodeIndexKey(std::string_view bytes) {
  if (bytes.size() != RecordKeyBytes{}.size() || bytes[0] != kIndexPrefix) {
    return std::nullopt;
  }
  Decoder decoder(bytes.substr(1));
  RecordKey key;
  key.inode.ino = decoder.Next<uint64_t>();
  key.inode.generation = decoder.Next<uint32_t>();
  key.kind = static_cast<RecordKind>(decoder.Next<uint8_t>());
  key.index = BlockIndex(decoder.Next<uint64_t>());
  return key;
}

std::optional<InodeId> DecodeTombstoneKey(std::string_view bytes) {
  if (bytes.size() != TombstoneKeyBytes{}.size() || bytes[0] != kTombstonePrefix) {
    return std::nullopt;
  }
  Decoder decoder(bytes.substr(1));
  InodeId inode;
  inode.ino = decoder.Next<uint64_t>();
  inode.generation = decoder.Next<uint32_t>();
  return inode;
}

std::optional<IndexValue> DecodeIndexValue(std::string_view bytes) {
  if (bytes.size() != IndexValueBytes{}.size()) {
    return std::nullopt;
  }
  Decoder decoder(bytes);
  IndexValue value;
  value.stamp = StampHash(decoder.Next<uint64_t>());
  value.sequence = decoder.Next<Sequence>();
  value.length = decoder.Next<uint32_t>();
  return value;
}

std::optional<Sequence> DecodeSequence(std::string_view bytes) {
  if (bytes.size() != SequenceBytes{}.size()) {
    return std::nullopt;
  }
  return Decoder(bytes).Next<Sequence>();
}

bool Verified(VolumeId volume, const RecordKey& key, StampHash stamp, const HeaderBytes& header,
              std::string_view payload) {
  // The header follows from what was asked for and the payload: comparing whole headers checks every field.
  return header == EncodeHeader(volume, key, stamp, payload);
}

std::optional<std::string_view> VerifiedPayload(VolumeId volume, const RecordKey& key, StampHash stamp,
                                                uint32_t length, std::string_view record) {
  HeaderBytes header;
  if (record.size() != header.size() + length) {
    return std::nullopt;
  }
  std::copy_n(record.data(), header.size(), header.data());
  const std::string_view payload = record.substr(header.size());
  return Verified(volume, key, stamp, header, payload) ? std::optional(payload) : std::nullopt;
}

}  // namespace ocfsgw::cache
