// AlirsPolicy::Serialize and Restore: what it remembers, as bytes in this machine's byte order.
#include "cache/alirs_policy.h"
#include "cache/state_bytes.h"

namespace ocfsgw::cache {
namespace {

constexpr uint32_t kStateVersion = 0x414c5201;  // "ALR", 1

}  // namespace

std::string AlirsPolicy::Serialize() const {
  std::string out;
  AppendState(out, kStateVersion);
  AppendState(out, capacity_);
  AppendState(out, now_);
  AppendState(out, last_residence_);
  AppendState(out, cold_target_);
  AppendState(out, renewal_yield_);
  AppendState(out, renewals_refused_);
  AppendState(out, barely_yield_);
  AppendState(out, reuse_share_);
  for (const SlotList* list : {&hot_, &margin_, &cold_}) {
    AppendState(out, list->size);
    for (uint32_t slot = list->back; slot != kNoSlot; slot = table_[slot].prev) {
      const auto& block = table_[slot];
      AppendState(out, block.id);
      AppendState(out, block.time);
      AppendState(out, block.hits);
      AppendState(out, static_cast<uint8_t>(block.renewed | block.was_hot << 1 | block.barely << 2));
    }
  }
  AppendState(out, ghosts_.random_state());
  for (const uint32_t cell : ghosts_.cells()) AppendState(out, cell);
  return out;
}

Status AlirsPolicy::Restore(std::string_view bytes) {
  const Status bad(StatusCode::kInvalidArgument, "not the state of an ALIRS policy of this capacity");
  StateReader reader{bytes};
  AlirsPolicy read(capacity_, 0, options_);
  uint32_t version = 0, capacity = 0;
  if (!reader.Take(version) || version != kStateVersion || !reader.Take(capacity) || capacity != capacity_ ||
      !reader.Take(read.now_) || !reader.Take(read.last_residence_) || !reader.Take(read.cold_target_) ||
      !reader.Take(read.renewal_yield_) || !reader.Take(read.renewals_refused_) ||
      !reader.Take(read.barely_yield_) || !reader.Take(read.reuse_share_)) {
    return bad;
  }
  // Negated, so that what is not a number is refused too.
  if (!(read.cold_target_ >= cold_min_ && read.cold_target_ <= cold_max_)) return bad;
  for (const double share : {read.renewal_yield_, read.barely_yield_, read.reuse_share_}) {
    if (!(share >= 0 && share <= 1)) return bad;
  }
  using Where = Block::Where;
  const std::pair<SlotList*, Where> lists[] = {
      {&read.hot_, Where::kHot}, {&read.margin_, Where::kMargin}, {&read.cold_, Where::kCold}};
  for (const auto& [list, where] : lists) {
    uint32_t count = 0;
    if (!reader.Take(count) || count > capacity_ - read.size()) return bad;
    for (; count > 0; --count) {
      ObjectId id = 0;
      Block block;
      uint8_t flags = 0;
      if (!reader.Take(id) || !reader.Take(block.time) || !reader.Take(block.hits) || !reader.Take(flags) ||
          read.IsResident(id)) {
        return bad;
      }
      block.where = where;
      block.renewed = flags & 1;
      block.was_hot = flags & 2;
      block.barely = flags & 4;
      const uint32_t slot = read.table_.Add(id);
      static_cast<Block&>(read.table_[slot]) = block;
      read.table_.PushFront(*list, slot);
    }
  }
  uint64_t random_state = 0;
  std::vector<uint32_t> cells(ghosts_.cells().size());
  if (!reader.Take(random_state) || reader.rest.size() != cells.size() * sizeof(uint32_t)) return bad;
  for (uint32_t& cell : cells) reader.Take(cell);

  table_ = std::move(read.table_);
  hot_ = read.hot_;
  margin_ = read.margin_;
  cold_ = read.cold_;
  now_ = read.now_;
  last_residence_ = read.last_residence_;
  cold_target_ = read.cold_target_;
  renewal_yield_ = read.renewal_yield_;
  renewals_refused_ = read.renewals_refused_;
  barely_yield_ = read.barely_yield_;
  reuse_share_ = read.reuse_share_;
  ghosts_.Restore(std::move(cells), random_state);
  return Status::Ok();
}

}  // namespace ocfsgw::cache
