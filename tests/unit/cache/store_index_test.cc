#include "cache/store_index.h"

#include <map>

#include "tests/unit/cache/store_test_util.h"

namespace ocfsgw::cache {
namespace {

TEST(StoreIndex, AgreesWithASimpleModelUnderRandomOperations) {
  auto random = SeededRandom();
  struct Model {
    uint32_t length = 0;
    SegmentId segment = 0;
    bool counted = false;
  };
  std::map<std::pair<uint64_t, uint64_t>, Model> model;
  StoreIndex index;
  for (int step = 0; step < 20'000; ++step) {
    const uint64_t ino = random() % 5;
    const uint64_t block = random() % 20;
    const auto id = std::pair(ino, block);
    IndexSlot* const slot = index.Find(Block(ino, block));
    ASSERT_EQ(slot != nullptr, model.contains(id));
    switch (random() % 4) {
      case 0: {
        const auto length = static_cast<uint32_t>(random() % 100);
        index.SetQueued(index.FindOrAdd(Block(ino, block)), StampHash(1), step, length);
        model[id] = {length, 0, true};
        break;
      }
      case 1:
        if (slot != nullptr && model[id].counted) {
          model[id].segment = static_cast<SegmentId>(1 + random() % 3);
          index.SetStored(slot, model[id].segment);
        }
        break;
      case 2:
        if (slot != nullptr) {
          index.SetVoid(slot);
          model[id].counted = false;
        }
        break;
      default:
        if (slot != nullptr) {
          index.Erase(slot);
          model.erase(id);
        }
    }
    uint64_t records = 0;
    uint64_t bytes = 0;
    std::map<uint64_t, size_t> of_inode;
    std::map<SegmentId, size_t> of_segment;
    for (const auto& [key, entry] : model) {
      records += entry.counted ? 1 : 0;
      bytes += entry.counted ? entry.length : 0;
      ++of_inode[key.first];
      ++of_segment[entry.segment];
    }
    ASSERT_EQ(index.records(), records);
    ASSERT_EQ(index.bytes(), bytes);
    ASSERT_EQ(index.OfInode(InodeId{ino, 1}).size(), of_inode[ino]);
    for (SegmentId segment = 1; segment <= 3; ++segment) {
      ASSERT_EQ(index.OfSegment(segment).size(), of_segment[segment]);
    }
  }
}

}  // namespace
}  // namespace ocfsgw::cache
