// The decoders of the page store's records on arbitrary bytes: they take exactly what the encoders make, and
// no record is served but under what it was put with. The first byte says what the others are.
#include <algorithm>
#include <array>
#include <cstdlib>
#include <string>

#include "cache/record_format.h"

namespace ocfsgw::cache {
namespace {

void Require(bool condition) {
  if (!condition) std::abort();
}

template <size_t size>
std::string_view View(const std::array<char, size>& bytes) {
  return {bytes.data(), bytes.size()};
}

/// Takes integers from the front of the input, zeros when it is used up.
class Input {
 public:
  explicit Input(std::string_view bytes) : bytes_(bytes) {}
  uint64_t Next(size_t size) {
    uint64_t value = 0;
    for (; size > 0 && !bytes_.empty(); --size) {
      value = (value << 8) | static_cast<uint8_t>(bytes_.front());
      bytes_.remove_prefix(1);
    }
    return value;
  }
  RecordKey NextKey() {
    RecordKey key;
    key.inode.ino = Next(8);
    key.inode.generation = static_cast<uint32_t>(Next(4));
    key.kind = static_cast<RecordKind>(Next(1));
    key.index = BlockIndex(Next(8));
    return key;
  }
  std::string_view rest() const { return bytes_; }

 private:
  std::string_view bytes_;
};

void CheckIndexKey(std::string_view bytes) {
  const auto key = DecodeIndexKey(bytes);
  Require(key.has_value() == (bytes.size() == RecordKeyBytes{}.size() && bytes[0] == kIndexPrefix));
  Require(!key || View(EncodeKey(kIndexPrefix, *key)) == bytes);
}

void CheckTombstoneKey(std::string_view bytes) {
  const auto inode = DecodeTombstoneKey(bytes);
  Require(inode.has_value() == (bytes.size() == TombstoneKeyBytes{}.size() && bytes[0] == kTombstonePrefix));
  Require(!inode || View(EncodeTombstoneKey(*inode)) == bytes);
}

void CheckValues(std::string_view bytes) {
  const auto value = DecodeIndexValue(bytes);
  Require(value.has_value() == (bytes.size() == IndexValueBytes{}.size()));
  Require(!value || View(EncodeIndexValue(*value)) == bytes);
  const auto sequence = DecodeSequence(bytes);
  Require(sequence.has_value() == (bytes.size() == SequenceBytes{}.size()));
  Require(!sequence || View(EncodeSequence(*sequence)) == bytes);
}

/// The input is the record as found on disk, which is not one that was put but for a collision.
void CheckFoundRecord(std::string_view bytes) {
  Input input(bytes);
  const VolumeId volume(input.Next(8));
  const RecordKey key = input.NextKey();
  const StampHash stamp(input.Next(8));
  const auto length = static_cast<uint32_t>(input.Next(4));
  const std::string record(input.rest());
  const auto payload = VerifiedPayload(volume, key, stamp, length, record);
  if (!payload) return;
  Require(payload->size() == length && payload->data() + length == record.data() + record.size());
  Require(std::string(View(EncodeHeader(volume, key, stamp, *payload))) + std::string(*payload) == record);
}

/// A record that was put is served as it is, but not when bits of it have changed, its end has moved, or it
/// is asked for as another one.
void CheckChangedRecord(std::string_view bytes) {
  Input input(bytes);
  const VolumeId volume(input.Next(8));
  const RecordKey key = input.NextKey();
  const StampHash stamp(input.Next(8));
  const uint64_t at = input.Next(2);
  const auto flip = static_cast<uint8_t>(input.Next(1));
  const uint64_t cut = input.Next(1);
  const std::string payload(input.rest());
  const auto length = static_cast<uint32_t>(payload.size());
  const std::string record = std::string(View(EncodeHeader(volume, key, stamp, payload))) + payload;
  Require(VerifiedPayload(volume, key, stamp, length, record) == payload);

  std::string changed = record;
  changed[at % changed.size()] = static_cast<char>(changed[at % changed.size()] ^ flip);
  changed.resize(changed.size() - std::min<uint64_t>(cut, changed.size()));
  Require(VerifiedPayload(volume, key, stamp, length, changed).has_value() == (changed == record));
  const uint32_t left = changed.size() < HeaderBytes{}.size()
                            ? 0
                            : static_cast<uint32_t>(changed.size() - HeaderBytes{}.size());
  Require(VerifiedPayload(volume, key, stamp, left, changed).has_value() == (changed == record));

  RecordKey other = key;
  other.index = BlockIndex(key.index.value ^ flip);
  Require(VerifiedPayload(volume, other, stamp, length, record).has_value() == (flip == 0));
  Require(VerifiedPayload(VolumeId(volume.value ^ flip), key, stamp, length, record).has_value() ==
          (flip == 0));
  Require(VerifiedPayload(volume, key, StampHash(stamp.value ^ flip), length, record).has_value() ==
          (flip == 0));
}

}  // namespace
}  // namespace ocfsgw::cache

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using Check = void (*)(std::string_view);
  static constexpr std::array<Check, 5> kChecks = {
      ocfsgw::cache::CheckIndexKey, ocfsgw::cache::CheckTombstoneKey, ocfsgw::cache::CheckValues,
      ocfsgw::cache::CheckFoundRecord, ocfsgw::cache::CheckChangedRecord};
  if (size == 0) return 0;
  const std::string bytes(reinterpret_cast<const char*>(data) + 1, size - 1);  // its end is watched
  kChecks[data[0] % kChecks.size()](bytes);
  return 0;
}
